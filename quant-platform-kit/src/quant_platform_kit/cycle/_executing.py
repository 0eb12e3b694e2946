"""Step 8: the plan's orders, sells before buys, and what protects the holdings after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from quant_platform_kit.contracts import Leg, OrderStatus, Purpose, Side
from quant_platform_kit.cycle._account import open_desk, prices, take_snapshot, unsettled_symbols
from quant_platform_kit.cycle._guard import Judge, latest, reductions
from quant_platform_kit.cycle._parts import Parts, Progress
from quant_platform_kit.cycle._protecting import protect_holdings
from quant_platform_kit.cycle._steps import skipped
from quant_platform_kit.cycle._testimony import reasons
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.ledger import Ledger, verify
from quant_platform_kit.orders import Journal, send, settle
from quant_platform_kit.planner import fund_buys
from quant_platform_kit.store import RunBook, RunFrame


def execute_plan(parts: Parts, progress: Progress) -> Progress:
    """Sell, wait, read the cash again, buy what it pays for, wait; then protect what is held."""
    plan = progress.plan
    if plan is None or not plan.legs:
        return progress if progress.command is not None else _protected(parts, progress)
    first = progress.frame is None and progress.command is None
    frame = RunFrame(progress.decisions, plan.sized_on_usd) if first else None
    RunBook(parts.store).save_frame(progress.run_key, frame, reasons(parts, progress))
    if first:
        _fund_sleeves(parts, progress, plan.capital_base_usd)
    desk = open_desk(parts, progress.run_key)
    selling = Judge(parts, progress)
    refused = send(desk, progress.run_key, plan.sells, selling, purpose=_purpose(progress))
    settle(desk)
    before_buys = take_snapshot(parts)
    funded = fund_buys(plan, before_buys.account.usable_cash_usd, parts.broker.rules)
    notes = _unfilled_sells(parts, progress.run_key, plan.sells)
    buying = Judge(parts, progress, before_buys)
    refused += send(desk, progress.run_key, funded.buys, buying)
    settle(desk)
    traded = replace(
        progress,
        plan=funded,
        refused=progress.refused + tuple(skipped(leg, verdict) for leg, verdict in refused),
        verdicts=latest(progress.verdicts, selling.verdicts, buying.verdicts),
        notes=progress.notes + notes + reductions(buying.verdicts),
    )
    return _protected(parts, traded, has_traded=True)


def _protected(parts: Parts, progress: Progress, *, has_traded: bool = False) -> Progress:
    """Place the stops; then ledger equals broker, where anything was sent."""
    stops = protect_holdings(parts, progress)
    progress = replace(progress, notes=progress.notes + stops.notes)
    if not has_traded and not stops.moves:
        return progress
    snapshot = take_snapshot(parts)
    verify(
        Ledger(parts.store),
        snapshot,
        parts.owners(),
        except_for=unsettled_symbols(parts),
        tolerances=parts.tolerances,
    )
    return replace(progress, snapshot=snapshot)


def _purpose(progress: Progress) -> Purpose:
    return Purpose.REBALANCE if progress.command is None else progress.command.action.purpose


def _fund_sleeves(parts: Parts, progress: Progress, base_usd: Decimal) -> None:
    """Give every sleeve that trades its share of the capital; a frozen one keeps what it has."""
    frozen = {sleeve.sleeve for sleeve in progress.target.frozen} if progress.target else set()
    capital = {
        sleeve.profile: base_usd * sleeve.weight
        for sleeve in parts.sleeves
        if sleeve.profile not in frozen
    }
    Ledger(parts.store).fund(
        capital, prices(progress.quotes), at=parts.clock.now(), run_key=progress.run_key
    )


def _unfilled_sells(parts: Parts, run_key: str, sells: Sequence[Leg]) -> tuple[str, ...]:
    """Say which sells did not fill; what an earlier attempt could not sell this one may have."""
    meant = {leg.symbol for leg in sells}
    last = {
        order.symbol: order.status
        for order in Journal(parts.store, parts.clock).of_run(run_key)
        if order.side is Side.SELL and order.symbol in meant and not order.purpose.protects
    }
    short = sorted(symbol for symbol, end in last.items() if end is not OrderStatus.FILLED)
    code = ReasonCode.SELLS_UNFILLED
    return (f"{code}: {', '.join(short)}. {code.meaning}",) if short else ()
