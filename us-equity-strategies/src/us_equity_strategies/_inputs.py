"""The last look at a decision's inputs: what the platform checked, a profile does not assume.

Each reader answers the input, or the BLOCKED decision that its absence calls for. None lets a
profile see a price or a feature that was not known before its session.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_platform_kit.contracts import Decision, FeatureSnapshot
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import SleeveView, StrategyContext
from us_equity_strategies._dollars import cents_below


def read_history(
    context: StrategyContext, symbols: Iterable[str], *, least: int = 1
) -> dict[str, BarFrame] | Decision:
    """Return the bars of `symbols` up to the session before the context's.

    BLOCKED with ``HISTORY_MISSING`` when a symbol has none, with ``HISTORY_STALE`` when its bars
    end before that session, and with ``HISTORY_SHORT`` when there are fewer than `least`.
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
        if len(known) < least:
            return Decision.blocked(
                ReasonCode.HISTORY_SHORT, f"{symbol} has {len(known)} closes; {least} are needed"
            )
        history[symbol] = known
    return history


def read_sleeve(context: StrategyContext, managed: Iterable[str]) -> SleeveView | Decision:
    """Return what the sleeve holds, every figure being one that money can be made of.

    BLOCKED with ``VALUE_MALFORMED`` when a figure is not finite, or negative where only cash may
    be, with ``PRICE_MISSING`` when a holding has no value, and with ``CAPITAL_ZERO`` when the
    capital base is less than a cent: targets made of nothing would sell everything.
    """
    sleeve = context.sleeve
    if not sleeve.cash_usd.is_finite():
        return _malformed("cash", sleeve.cash_usd)
    if not _is_amount(sleeve.equity_usd):
        return _malformed("capital base", sleeve.equity_usd)
    for symbol in managed:
        for figures in (sleeve.quantities, sleeve.values_usd, sleeve.bought_usd):
            if symbol in figures and not _is_amount(figures[symbol]):
                return _malformed(f"holding of {symbol}", figures[symbol])
        if sleeve.holds(symbol) and symbol not in sleeve.values_usd:
            return Decision.blocked(
                ReasonCode.PRICE_MISSING,
                f"{sleeve.quantities[symbol]:f} shares of {symbol} are held without a value",
            )
    if not cents_below(sleeve.equity_usd):
        return Decision.blocked(
            ReasonCode.CAPITAL_ZERO, f"the sleeve's capital base is {sleeve.equity_usd:f} USD"
        )
    return sleeve


def _is_amount(figure: Decimal) -> bool:
    return figure.is_finite() and figure >= 0


def _malformed(what: str, figure: Decimal) -> Decision:
    return Decision.blocked(ReasonCode.VALUE_MALFORMED, f"the sleeve's {what} is {figure}")


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
