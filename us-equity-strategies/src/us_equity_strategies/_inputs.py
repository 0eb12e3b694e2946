"""The last look at a decision's inputs: what the platform checked, a profile does not assume.

Each reader answers the input, or the BLOCKED decision that its absence calls for. None lets a
profile see a price or a feature that was not known before its session.
"""

from __future__ import annotations

from collections.abc import Iterable

from quant_platform_kit.contracts import Decision, FeatureSnapshot
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import StrategyContext


def read_history(
    context: StrategyContext, symbols: Iterable[str]
) -> dict[str, BarFrame] | Decision:
    """Return the bars of `symbols` up to the session before the context's.

    BLOCKED with ``HISTORY_MISSING`` when a symbol has none, and with ``HISTORY_STALE`` when its
    bars end before that session.
    """
    newest = context.calendar.previous(context.session)
    history = {}
    for symbol in symbols:
        frame = context.history.get(symbol)
        known = None if frame is None else frame.until(newest)
        if not known:
            return Decision.blocked(
                ReasonCode.HISTORY_MISSING, f"{symbol} has no price before {context.session}"
            )
        if known.last_session != newest:
            return Decision.blocked(
                ReasonCode.HISTORY_STALE,
                f"{symbol} has no price after {known.last_session}; {newest} is needed",
            )
        history[symbol] = known
    return history


def read_snapshot(context: StrategyContext, *, max_age_sessions: int) -> FeatureSnapshot | Decision:
    """Return the context's snapshot.

    BLOCKED with ``SNAPSHOT_MISSING`` when there is none, ``SNAPSHOT_FUTURE`` when it knows the
    close of the session it would decide on, and ``SNAPSHOT_STALE`` when it is too old.
    """
    snapshot = context.snapshot
    if snapshot is None:
        return Decision.blocked(ReasonCode.SNAPSHOT_MISSING, "no feature snapshot was given")
    as_of = snapshot.manifest.as_of
    if as_of >= context.session:
        return Decision.blocked(
            ReasonCode.SNAPSHOT_FUTURE, f"the snapshot of {as_of} is not older than the session"
        )
    age = context.calendar.sessions_between(as_of, context.session)
    if age > max_age_sessions:
        return Decision.blocked(
            ReasonCode.SNAPSHOT_STALE,
            f"the snapshot of {as_of} is {age} sessions old, and {max_age_sessions} are allowed",
        )
    return snapshot
