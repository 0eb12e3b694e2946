"""Bar frames: the daily bars of one symbol as columns, frozen and checked once at the door."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError, ReasonCode

Floats: TypeAlias = NDArray[np.float64]
"""One number per session, ascending by session."""

Days: TypeAlias = NDArray[np.datetime64]
"""Session dates with the unit of a day, ascending."""

_COLUMNS: Final = ("open", "high", "low", "close", "volume")
_ROUNDING: Final = 1e-9  # share of a price by which adjusted columns may disagree


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class BarFrame:
    """Daily bars of one symbol, ascending by session, one row per session.

    Arrays are copied in and read-only; cuts are views of them. Two frames are equal when they
    hold the same values.

    Parameters
    ----------
    symbol : str
        Upper-case ticker.
    sessions : sequence of date, or array of datetime64
        Exchange sessions, strictly ascending.
    close : array-like of float
        USD per share, finite and above zero.
    adjustment : Adjustment
        What the prices have been adjusted for.
    open, high, low : array-like of float, optional
        As `close`; None where the source has closes only.
    volume : array-like of float, optional
        Shares, finite and not negative.

    Raises
    ------
    ContractError
        When the symbol is malformed.
    InputError
        ``BAR_INVALID`` when columns differ in length, sessions do not ascend, or a number is not
        what its column requires; the message names symbol, session and column.
    """

    symbol: str
    days: Days
    close: Floats
    adjustment: Adjustment
    open: Floats | None
    high: Floats | None
    low: Floats | None
    volume: Floats | None

    def __init__(
        self,
        *,
        symbol: str,
        sessions: Sequence[date] | Days,
        close: ArrayLike,
        adjustment: Adjustment,
        open: ArrayLike | None = None,  # noqa: A002 (the field's own word)
        high: ArrayLike | None = None,
        low: ArrayLike | None = None,
        volume: ArrayLike | None = None,
    ) -> None:
        if not symbol or symbol != symbol.strip().upper():
            raise ContractError(f"BarFrame.symbol = {symbol!r}: expected an upper-case symbol")
        days = _checked_days(symbol, sessions)
        given = dict(zip(_COLUMNS, (open, high, low, close, volume), strict=True))
        columns = {
            name: None if values is None else _checked_column(symbol, name, values, days)
            for name, values in given.items()
        }
        _check_range(symbol, columns, days)
        _fill(self, symbol=symbol, days=days, adjustment=Adjustment(adjustment), **columns)

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.days)

    def __eq__(self, other: object) -> bool:
        """Compare symbol, adjustment, sessions and every column by value."""
        if not isinstance(other, BarFrame):
            return NotImplemented
        return (
            self.symbol == other.symbol
            and self.adjustment is other.adjustment
            and np.array_equal(self.days, other.days)
            and all(_same(getattr(self, name), getattr(other, name)) for name in _COLUMNS)
        )

    def __hash__(self) -> int:
        """Hash what is cheap to hash; equal frames agree on it."""
        return hash((self.symbol, self.adjustment, len(self)))

    def __reduce__(self) -> tuple[object, ...]:
        """Travel by value: a copy, or a frame sent to another process, is read-only as well."""
        columns = tuple(getattr(self, name) for name in _COLUMNS)
        return _restored, (self.symbol, self.adjustment, self.days, columns)

    def __repr__(self) -> str:
        span = f"{self.days[0]}..{self.days[-1]}, " if len(self) else ""
        return f"BarFrame({self.symbol}, {span}{len(self)} sessions, {self.adjustment.value})"

    @property
    def sessions(self) -> tuple[date, ...]:
        """Every session date; built at each call, `days` is the array behind it."""
        return tuple(self.days.tolist())

    @property
    def first_session(self) -> date:
        """The oldest session; InputError ``HISTORY_MISSING`` on an empty frame."""
        return self._session_at(0)

    @property
    def last_session(self) -> date:
        """The newest session; InputError ``HISTORY_MISSING`` on an empty frame."""
        return self._session_at(-1)

    def until(self, session: date) -> BarFrame:
        """Return the bars up to and including `session`; a view, found by binary search."""
        return self._cut(0, int(np.searchsorted(self.days, _day(session), side="right")))

    def tail(self, count: int) -> BarFrame:
        """Return the newest `count` bars, or all when there are fewer; a view."""
        if count < 0:
            raise ContractError(f"BarFrame.tail.count = {count}: expected at least 0")
        return self._cut(max(0, len(self) - count), len(self))

    def drop_partial(self, complete_through: date) -> BarFrame:
        """Return the frame without bars that were still forming when it was fetched.

        Parameters
        ----------
        complete_through : date
            The last session that had closed: `ExchangeCalendar.last_complete_session`.
        """
        return self.until(complete_through)

    def close_on(self, session: date) -> float:
        """Return the close of `session`, in USD.

        Raises
        ------
        InputError
            ``PRICE_MISSING`` when the frame has no bar of that session.
        """
        index = int(np.searchsorted(self.days, _day(session)))
        if index == len(self) or self.days[index] != _day(session):
            raise InputError(
                f"{self.symbol} has no bar of session {session}, so it has no price on that day. "
                "Check that it was listed then and that the data source is complete.",
                code=ReasonCode.PRICE_MISSING,
                symbol=self.symbol,
            )
        return float(self.close[index])

    def content_hash(self) -> str:
        """Return the SHA-256 of everything the frame holds, in hexadecimal.

        It depends on values only, not on how the frame was made, and is the same on every
        machine.
        """
        digest = hashlib.sha256(f"{self.symbol}\n{self.adjustment.value}\n{len(self)}\n".encode())
        digest.update(self.days.astype("<i8").tobytes())
        for name in _COLUMNS:
            values: Floats | None = getattr(self, name)
            digest.update(f"\n{name}:{values is not None}\n".encode())
            if values is not None:
                digest.update(values.astype("<f8").tobytes())
        return digest.hexdigest()

    def _session_at(self, index: int) -> date:
        if not len(self):
            raise InputError(
                f"The bar frame of {self.symbol} is empty: there is no history to decide on. Check "
                "that the symbol was listed and that the data source is complete.",
                symbol=self.symbol,
            )
        session: date = self.days[index].item()
        return session

    def _cut(self, start: int, stop: int) -> BarFrame:
        # What passed the door is not checked again, so that a cut costs no pass over the data.
        frame = object.__new__(BarFrame)
        columns = {name: getattr(self, name) for name in _COLUMNS}
        cut = {name: None if v is None else v[start:stop] for name, v in columns.items()}
        days = self.days[start:stop]
        _fill(frame, symbol=self.symbol, days=days, adjustment=self.adjustment, **cut)
        return frame


def _fill(frame: BarFrame, **fields: object) -> None:
    for name, value in fields.items():
        object.__setattr__(frame, name, value)


def _restored(
    symbol: str, adjustment: Adjustment, days: Days, columns: tuple[Floats | None, ...]
) -> BarFrame:
    # It passed the door before it travelled, and NumPy forgets on the way that it is read-only.
    frame = object.__new__(BarFrame)
    for array in (days, *columns):
        if array is not None:
            array.setflags(write=False)
    named = dict(zip(_COLUMNS, columns, strict=True))
    _fill(frame, symbol=symbol, days=days, adjustment=adjustment, **named)
    return frame


def _day(session: date) -> np.datetime64:
    return np.datetime64(session, "D")


def _checked_days(symbol: str, sessions: Sequence[date] | Days) -> Days:
    if not isinstance(sessions, np.ndarray):
        for session in sessions:
            # A datetime is a date to Python; cutting off its time would hide a mistake.
            if type(session) is not date:
                raise _bad_bar(symbol, f"session {session!r} is not a date")
    days = np.array(sessions, dtype="datetime64[D]")
    if days.ndim != 1 or np.isnat(days).any():
        raise _bad_bar(symbol, "sessions are not one row of dates")
    rises = days[1:] > days[:-1]
    if not rises.all():
        index = int(np.argmin(rises)) + 1
        raise _bad_bar(symbol, f"session {days[index]} does not follow {days[index - 1]}")
    days.setflags(write=False)
    return days


def _checked_column(symbol: str, name: str, values: ArrayLike, days: Days) -> Floats:
    try:
        column = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _bad_bar(symbol, f"{name} is not a column of numbers") from error
    if column.shape != days.shape:
        raise _bad_bar(symbol, f"{name} has shape {column.shape} for {len(days)} sessions")
    if name == "volume":
        good = np.isfinite(column) & (column >= 0)
        column += 0.0  # -0.0 becomes 0.0, so that equal frames have equal hashes
    else:
        good = np.isfinite(column) & (column > 0)
    if not good.all():
        index = int(np.argmin(good))
        want = "finite and at least 0" if name == "volume" else "finite and above 0"
        raise _bad_bar(symbol, f"{name} of session {days[index]} is {column[index]}, not {want}")
    column.setflags(write=False)
    return column


def _check_range(symbol: str, columns: dict[str, Floats | None], days: Days) -> None:
    for bound, sign in (("high", 1.0), ("low", -1.0)):
        limit = columns[bound]
        if limit is None:
            continue
        for name in ("open", "high", "low", "close"):
            prices = columns[name]
            outside = None if prices is None else sign * (prices - limit) > _ROUNDING * limit
            if outside is not None and outside.any():
                session = days[int(np.argmax(outside))]
                raise _bad_bar(symbol, f"{name} of session {session} lies beyond its {bound}")


def _bad_bar(symbol: str, what: str) -> InputError:
    return InputError(
        f"The bars of {symbol} cannot be used: {what}. Nothing is decided on them; fetch them "
        "again, or correct the source.",
        code=ReasonCode.BAR_INVALID,
        symbol=symbol,
    )


def _same(left: Floats | None, right: Floats | None) -> bool:
    if left is None or right is None:
        return left is right
    return np.array_equal(left, right)
