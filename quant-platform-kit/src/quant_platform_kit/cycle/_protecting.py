"""The stops of a run: what holdings are protected by, now that it has traded."""

from __future__ import annotations

from decimal import Decimal

from quant_platform_kit.contracts import Leg, Verdict
from quant_platform_kit.cycle._account import open_desk, unsettled_symbols
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.orders import (
    Ask,
    Desk,
    Holding,
    Protected,
    Protections,
    protect,
    watch,
)
from quant_platform_kit.risk import Action, TradingGate

_ZERO = Decimal(0)


def protect_holdings(parts: Parts, progress: Progress) -> Protected:
    """Give every holding the stop that its sleeves' latest decisions ask for.

    Also on a day without orders: a stop that was lost with a run that was cut off is placed by
    the next one. Requires an open gate.
    """
    wishes = Protections(parts.store)
    for answer in progress.decisions:
        wishes.remember(answer.profile, answer.decision)
    asks = {sleeve.profile: wishes.of(sleeve.profile) for sleeve in parts.sleeves}
    desk = open_desk(parts, progress.run_key)
    if not any(asks.values()) and not desk.journal.resting():
        return Protected()
    watch(desk)
    return protect(
        desk,
        progress.run_key,
        _holdings(parts, asks, desk),
        lambda leg: _may_place(parts, progress, leg),
        untouchable=unsettled_symbols(parts),
    )


def _holdings(parts: Parts, asks: dict[str, dict[str, Ask]], desk: Desk) -> tuple[Holding, ...]:
    ledger = Ledger(parts.store)
    owners = ledger.owners()
    costs: dict[str, Decimal] = {}
    for held in ledger.holdings():
        costs[held.symbol] = costs.get(held.symbol, _ZERO) + held.cost_usd
    asked = {
        symbol: {sleeve: by[symbol] for sleeve, by in asks.items() if symbol in by}
        for symbol in sorted(owners)
    }
    symbols = [symbol for symbol, by_sleeve in asked.items() if by_sleeve]
    quotes = desk.broker.quotes(symbols) if symbols else {}
    return tuple(
        Holding(
            symbol,
            owners[symbol],
            asked[symbol],
            costs[symbol] / sum((owner.amount for owner in owners[symbol]), _ZERO),
            quotes.get(symbol),
        )
        for symbol in symbols
    )


def _may_place(parts: Parts, progress: Progress, leg: Leg) -> Verdict:
    """Ask the gate again: a stop sells, and may be placed as long as strategies may sell.

    An operator's command took it off to sell; what it could not sell gets it back also in a halt.
    """
    gate = TradingGate(parts.store, parts.clock).state()
    action = Action.of(leg.side) if progress.command is None else Action.CLOSE
    if gate.permits(action):
        return Verdict()
    detail = f"{gate.mode.value} by {gate.who or 'nobody known'}: {gate.why}"
    return Verdict(ReasonCode.GATE_CLOSED, detail)
