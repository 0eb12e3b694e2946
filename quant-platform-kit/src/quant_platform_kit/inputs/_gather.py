"""One manifest's inputs, gathered and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import numpy as np

from quant_platform_kit.contracts import (
    Adjustment,
    FeatureSnapshot,
    HistoryInput,
    HistoryRef,
    SnapshotRef,
    StrategyManifest,
    digest,
)
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs._objects import store_fault
from quant_platform_kit.inputs._snapshot import SnapshotSource, load_snapshot
from quant_platform_kit.market import BarFrame, ExchangeCalendar


class BarSource(Protocol):
    """What can answer for daily bars: a broker, or a data vendor."""

    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> Mapping[str, BarFrame]:
        """Return up to `sessions` daily bars of each symbol, ending at `last_session`.

        A symbol without any bar is absent.
        """


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything one profile may decide on, verified.

    Parameters
    ----------
    history : mapping of str to BarFrame
        Every declared symbol, in the declared order, with exactly the declared sessions.
    snapshot : FeatureSnapshot or None
        The verified feature snapshot, when one is declared.

    Attributes
    ----------
    sha256 : str
        Digest of all bars and of the snapshot; equal inputs have equal digests.
    """

    history: Mapping[str, BarFrame]
    snapshot: FeatureSnapshot | None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest."""
        ref = self.snapshot_ref
        content = {
            "history": {symbol: frame.content_hash() for symbol, frame in self.history.items()},
            "snapshot": None if ref is None else ref.sha256,
        }
        object.__setattr__(self, "sha256", digest(content))

    @property
    def snapshot_ref(self) -> SnapshotRef | None:
        """The short reference that decisions and reports carry."""
        return None if self.snapshot is None else self.snapshot.manifest.ref()

    @property
    def history_ref(self) -> HistoryRef | None:
        """What decisions and reports say of the bars; every frame has the same sessions."""
        if not self.history:
            return None
        frame = next(iter(self.history.values()))
        return HistoryRef(
            frame.adjustment, len(self.history), frame.first_session, frame.last_session
        )


def gather(
    manifest: StrategyManifest,
    *,
    config_sha256: str,
    bars: BarSource,
    snapshots: SnapshotSource | None,
    session: date,
    calendar: ExchangeCalendar,
) -> Inputs:
    """Gather and check what `manifest` declares for a decision on `session`.

    History ends at the session before `session`: a bar that is still forming is dropped, so the
    decision is the same whether or not the source sends one. A strategy gets exactly the declared
    number of sessions, so a longer history never changes a decision either.

    Parameters
    ----------
    manifest : StrategyManifest
    config_sha256 : str
        Digest of the configuration that the strategy runs with.
    bars : BarSource
    snapshots : SnapshotSource or None
        None when no snapshot path is configured.
    session : date
        The session the decision is for.
    calendar : ExchangeCalendar

    Raises
    ------
    InputError
        ``HISTORY_MISSING``, ``HISTORY_STALE``, ``HISTORY_SHORT`` or ``BAR_INVALID`` with the
        symbol concerned, or a snapshot fault (see `load_snapshot`).
    """
    history: Mapping[str, BarFrame] = {}
    if manifest.history is not None:
        history = _gather_history(manifest.history, bars, calendar.previous(session), calendar)
    if manifest.snapshot is None:
        return Inputs(history, None)
    if snapshots is None:
        raise store_fault(
            ReasonCode.SNAPSHOT_MISSING,
            f"{manifest.profile} decides on a feature snapshot, and no path to one is set.",
            "Set <PLATFORM>_FEATURE_SNAPSHOT_PATH to the folder its pipeline publishes to.",
        )
    snapshot = load_snapshot(
        snapshots,
        manifest.snapshot,
        profile=manifest.profile,
        config_sha256=config_sha256,
        session=session,
        calendar=calendar,
    )
    return Inputs(history, snapshot)


def _gather_history(
    need: HistoryInput, bars: BarSource, last_session: date, calendar: ExchangeCalendar
) -> dict[str, BarFrame]:
    # One more than declared leaves room for a bar of today that a source sends all the same.
    frames = bars.daily_bars(need.symbols, need.sessions + 1, last_session, need.adjustment)
    return {
        symbol: _checked(symbol, frames.get(symbol), need, last_session, calendar)
        for symbol in need.symbols
    }


def _checked(
    symbol: str,
    frame: BarFrame | None,
    need: HistoryInput,
    last_session: date,
    calendar: ExchangeCalendar,
) -> BarFrame:
    complete = None if frame is None else frame.drop_partial(last_session)
    if complete is None or len(complete) == 0:
        raise _fault(ReasonCode.HISTORY_MISSING, symbol, f"has no daily bar up to {last_session}")
    if complete.symbol != symbol or complete.adjustment is not need.adjustment:
        raise _fault(
            ReasonCode.BAR_INVALID,
            symbol,
            f"came as {complete!r}, and {need.adjustment.value} bars of {symbol} are needed",
        )
    if complete.last_session != last_session:
        raise _fault(
            ReasonCode.HISTORY_STALE,
            symbol,
            f"ends at {complete.last_session}, and the last session was {last_session}",
        )
    if len(complete) < need.sessions:
        raise _fault(
            ReasonCode.HISTORY_SHORT,
            symbol,
            f"has {len(complete)} sessions of the {need.sessions} declared",
        )
    lacking = [name for name in need.columns if getattr(complete, name) is None]
    if lacking:
        raise _fault(ReasonCode.HISTORY_MISSING, symbol, f"has no {' and no '.join(lacking)}")
    declared = complete.tail(need.sessions)
    _check_every_session(declared, calendar)
    return declared


def _check_every_session(frame: BarFrame, calendar: ExchangeCalendar) -> None:
    """Refuse bars that skip a session or lie outside one: every look-back would be off by it."""
    sessions = np.array(
        calendar.sessions(frame.first_session, frame.last_session), dtype=frame.days.dtype
    )
    stray = np.setdiff1d(frame.days, sessions)
    if len(stray):
        raise _fault(
            ReasonCode.BAR_INVALID, frame.symbol, f"has a bar of {stray[-1]}, which is no session"
        )
    missing = np.setdiff1d(sessions, frame.days)
    if len(missing):
        raise _fault(
            ReasonCode.HISTORY_SHORT,
            frame.symbol,
            f"has no bar of the session {missing[-1]}, inside the declared {len(frame)} sessions",
        )


def _fault(code: ReasonCode, symbol: str, what: str) -> InputError:
    return InputError(
        f"The price history of {symbol} {what}. Nothing is decided on it and the strategy's "
        "holdings are kept as they are. Check the symbol and the data source, then run the slot "
        "again.",
        code=code,
        symbol=symbol,
    )
