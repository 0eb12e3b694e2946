"""Where a simulated broker finds its prices: one close per symbol and session, and what splits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from quant_platform_kit.brokers._actions import CorporateAction, read_corporate_actions
from quant_platform_kit.brokers._adjusting import adjusted
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError, SettingsError

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame

TICK_USD: Final = Decimal("0.01")
_SAMPLE: Final = "sample"
_CACHED_PRICES: Final = 10_000  # a few hundred kilobytes; a cycle asks for the same few prices


class MarketData(Protocol):
    """Prices of many symbols, as a simulated broker needs them."""

    def frame(
        self, symbol: str, adjustment: Adjustment, until: date | None = None
    ) -> BarFrame | None:
        """Return the daily bars of `symbol` up to a session; None when the market has none of it.

        Raises
        ------
        InputError
            When the market knows the symbol, but not with this adjustment.
        """

    def price(self, symbol: str, session: date) -> Decimal | None:
        """Return the price of `symbol` in `session`, in USD to the tick; None when it has none."""

    def last_price(self, symbol: str, session: date) -> Decimal | None:
        """Return the price of `symbol` in `session` or, failing that, in its latest one before."""

    def volume(self, symbol: str, session: date) -> Decimal | None:
        """Return the shares of `symbol` traded in `session`; None when the market does not say."""

    def actions(self, symbol: str) -> Sequence[CorporateAction]:
        """Return what happens to the shares of `symbol`, by ex-date; none on adjusted prices."""


class FrameMarket:
    """A market made of bar frames: a session's price is its close, all day long.

    With one price a day there is no path inside a session: what is bought in a session is bought
    at its close. A decision never sees that close, since `SimulatedBroker.daily_bars` ends with
    the last complete session.

    Parameters
    ----------
    frames : mapping of str to BarFrame
        By symbol. All prices, of bars and of fills, carry the frame's own adjustment: on adjusted
        closes an account earns dividends and survives splits without any booking of them.
    actions : iterable of CorporateAction, optional
        What happens to the shares of raw frames; the account books it, and adjusted bars are made
        of it. None, not even an empty one, for frames that are adjusted already.

    Raises
    ------
    ContractError
        When a frame stands under another symbol, or an action is that of adjusted prices, which
        hold it already.
    """

    __slots__ = ("_actions", "_cache", "_frames")

    def __init__(
        self,
        frames: Mapping[str, BarFrame],
        actions: Iterable[CorporateAction] | None = None,
    ) -> None:
        for symbol, frame in frames.items():
            if symbol != frame.symbol:
                raise ContractError(
                    f"FrameMarket.frames[{symbol}] holds the bars of {frame.symbol}: expected each "
                    "frame under its own symbol"
                )
            if actions is not None and frame.adjustment is not Adjustment.RAW:
                raise ContractError(
                    f"FrameMarket.actions beside {frame.adjustment.value} bars of {symbol}: "
                    "expected raw bars, since adjusted ones hold every split and dividend already"
                )
        self._frames = dict(frames)
        self._actions = None if actions is None else _by_symbol(actions)
        self._cache: dict[tuple[str, date], tuple[date, Decimal] | None] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the market, sorted."""
        return tuple(sorted(self._frames))

    @property
    def last_session(self) -> date:
        """The latest session that any symbol was priced in."""
        return max(frame.last_session for frame in self._frames.values() if len(frame))

    def frame(
        self, symbol: str, adjustment: Adjustment, until: date | None = None
    ) -> BarFrame | None:
        """Return the daily bars of `symbol`, up to a session; None when the market has none of it.

        Bars that a market of raw prices adjusts are those of that session: what happens later is
        not known in it.

        Raises
        ------
        InputError
            When the symbol's bars carry another adjustment: they are never passed off as
            something they are not.
        """
        frame = self._frames.get(symbol)
        if frame is not None and until is not None:
            frame = frame.until(until)
        if frame is None or frame.adjustment is adjustment:
            return frame
        if self._actions is None:
            raise InputError(
                f"The market has {frame.adjustment.value} bars of {symbol}, the strategy asks for "
                f"{adjustment.value} bars; nothing was decided. Point QPK_SIMULATED_MARKET at "
                "prices with that adjustment, or change the profile's history input.",
                symbol=symbol,
            )
        return adjusted(frame, self.actions(symbol), adjustment)

    def actions(self, symbol: str) -> Sequence[CorporateAction]:
        """Return what happens to the shares of `symbol`, by ex-date; none on adjusted prices."""
        return () if self._actions is None else self._actions.get(symbol, ())

    def price(self, symbol: str, session: date) -> Decimal | None:
        """Return the close of `session` in USD, to the cent, half to even.

        None when the symbol was not priced in that session, or at less than half a cent.
        """
        last = self._last(symbol, session)
        return last[1] if last is not None and last[0] == session else None

    def last_price(self, symbol: str, session: date) -> Decimal | None:
        """Return the latest close up to and including `session`; None when there is none."""
        last = self._last(symbol, session)
        return None if last is None else last[1]

    def volume(self, symbol: str, session: date) -> Decimal | None:
        """Return the shares of `symbol` traded in `session`, to a whole share, rounded down.

        None where the frame has no volume, as those of wide files.
        """
        frame = self._frames.get(symbol)
        if frame is None or frame.volume is None:
            return None
        bars = frame.until(session)
        if not len(bars) or bars.last_session != session:
            return None
        return Decimal(int(bars.volume[-1])) if bars.volume is not None else None

    def _last(self, symbol: str, session: date) -> tuple[date, Decimal] | None:
        key = (symbol, session)
        if key not in self._cache:
            if len(self._cache) >= _CACHED_PRICES:
                self._cache.clear()
            self._cache[key] = self._find_last(symbol, session)
        return self._cache[key]

    def _find_last(self, symbol: str, session: date) -> tuple[date, Decimal] | None:
        frame = self._frames.get(symbol)
        bars = None if frame is None else frame.until(session)
        if bars is None or not len(bars):
            return None
        # The shortest text of the float is the number its source wrote; its binary value is not.
        close = Decimal(repr(float(bars.close[-1]))).quantize(TICK_USD, ROUND_HALF_EVEN)
        return (bars.last_session, close) if close else None


def open_market(spec: str, actions: Path | None = None) -> FrameMarket:
    """Open the market that the setting ``QPK_SIMULATED_MARKET`` describes.

    Parameters
    ----------
    spec : str
        Paths of wide files of closes (CSV, plain or gzipped), separated by `os.pathsep`; or the
        word ``sample`` for the bars that ship with the kit.
    actions : Path, optional
        File of corporate actions; the prices are raw then. Without it either is taken as adjusted
        for splits and dividends.

    Raises
    ------
    SettingsError
        When `spec` names nothing, or a symbol stands in two files.
    InputError
        When a file cannot be read; the message names it.
    """
    from quant_platform_kit.market import load_sample, xnys

    adjustment = Adjustment.TOTAL_RETURN if actions is None else Adjustment.RAW
    happening = None if actions is None else read_corporate_actions(actions, xnys())
    sampled = spec.strip() == _SAMPLE
    return FrameMarket(load_sample(adjustment) if sampled else _read(spec, adjustment), happening)


def _read(spec: str, adjustment: Adjustment) -> dict[str, BarFrame]:
    from quant_platform_kit.market import read_wide_closes

    frames: dict[str, BarFrame] = {}
    origin: dict[str, str] = {}
    for path in _paths(spec):
        for symbol, frame in read_wide_closes(Path(path), adjustment).items():
            if symbol in origin:
                raise SettingsError(
                    f"QPK_SIMULATED_MARKET has two sources for {symbol}: {origin[symbol]} and "
                    f"{path}. Which one is meant cannot be guessed; remove the symbol from one."
                )
            origin[symbol] = path
            frames[symbol] = frame
    return frames


def _by_symbol(actions: Iterable[CorporateAction]) -> dict[str, list[CorporateAction]]:
    found: dict[str, list[CorporateAction]] = {}
    for action in actions:
        found.setdefault(action.symbol, []).append(action)
    return found


def _paths(spec: str) -> list[str]:
    paths = [part.strip() for part in spec.split(os.pathsep)]
    if not all(paths):
        raise SettingsError(
            f"QPK_SIMULATED_MARKET = {spec!r}: expected paths of price files separated by "
            f"{os.pathsep!r}, or the word {_SAMPLE!r}; one of the paths is blank."
        )
    return paths
