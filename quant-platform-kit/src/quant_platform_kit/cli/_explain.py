"""`qpk explain`: one order's chain, from its fills back to the inputs of the decision."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from rich.tree import Tree

from quant_platform_kit.cli._console import console
from quant_platform_kit.contracts import (
    CycleReport,
    Leg,
    OrderLine,
    SleeveDecision,
    TargetMode,
)
from quant_platform_kit.notify import Message, meaning, money, percent, price, shares

if TYPE_CHECKING:
    from quant_platform_kit.orders import JournalOrder

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about why an order exists and has its size.

    `line` and `decisions` come from the run's report; they are empty for a run that
    was cut off before it could report.
    """

    order: JournalOrder
    line: OrderLine | None = None
    decisions: tuple[SleeveDecision, ...] = ()

    @classmethod
    def of(cls, order: JournalOrder, report: CycleReport | None) -> Self:
        """Put an order together with what the report of its run says about it."""
        if report is None:
            return cls(order)
        sleeves = {part.sleeve for part in order.leg.contributors}
        return cls(
            order,
            next((line for line in report.orders if line.client_id == order.client_id), None),
            tuple(each for each in report.decisions if not sleeves or each.profile in sleeves),
        )


def show(explanation: Explanation) -> None:
    """Print the chain as a tree: every branch is the reason for the one above it."""
    console().print(_tree(explanation))


def _tree(explanation: Explanation) -> Tree:
    order = explanation.order
    tree = Tree(_fills(explanation))
    broker = tree.add(_broker_order(order))
    leg = broker.add(f"leg of run {order.run_key}")
    for sentence in _leg(order.leg):
        leg.add(sentence)
    if not explanation.decisions:
        leg.add("decision: the run has not reported; run its slot again to finish it")
    for sleeve in explanation.decisions:
        decision = leg.add(_decision(sleeve, order.leg))
        decision.add(f"inputs: SHA-256 {sleeve.inputs_sha256 or '–'}")
        snapshot = sleeve.snapshot
        if snapshot is not None:
            decision.add(f"snapshot: {snapshot.as_of}, SHA-256 {snapshot.sha256}")
    return tree


def _fills(explanation: Explanation) -> str:
    line, order = explanation.line, explanation.order
    wish = f"{shares(order.quantity)} {order.symbol}"
    side = Message.of(order.side).en
    if line is None or line.filled_quantity == _ZERO:
        return f"{side} {wish}: nothing is booked as filled"
    return (
        f"{side} {wish}: {shares(line.filled_quantity)} filled at {price(line.average_price_usd)} "
        f"on average, fee {money(line.fee_usd)} USD"
    )


def _broker_order(order: JournalOrder) -> str:
    parts = [
        f"order {order.client_id}",
        f"the broker's {order.broker_order_id}" if order.broker_order_id else "no broker id",
        Message.of(order.status).en,
        f"written {order.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"{order.code.value}: {order.detail}" if order.code else "",
    ]
    return ", ".join(part for part in parts if part)


def _leg(leg: Leg) -> tuple[str, ...]:
    held = shares(leg.current_quantity)
    return (
        f"target: {money(leg.target_usd)} USD; held: {money(leg.current_usd)} USD, {held} shares",
        f"price: {price(leg.price_usd)} of {leg.price_at:%Y-%m-%d %H:%M:%S} UTC",
        f"size: {_rounding(leg)}",
        f"order: {_difference(leg)}",
        f"why not larger: {_limit(leg)}",
    )


def _difference(leg: Leg) -> str:
    wanted, held = shares(leg.target_quantity), shares(leg.current_quantity)
    return f"{wanted} wanted, {held} held: {leg.side.value} {shares(leg.quantity)}"


def _rounding(leg: Leg) -> str:
    exact = f"{leg.exact_quantity:,.4f} shares exactly"
    if leg.exact_quantity == leg.target_quantity:
        return exact
    lost_usd = (leg.exact_quantity - leg.target_quantity) * leg.price_usd
    return f"{exact}, {shares(leg.target_quantity)} in whole lots: {money(lost_usd)} USD stay out"


def _limit(leg: Leg) -> str:
    if leg.limited_by is None:
        return "nothing limited it, this is the whole wish"
    return f"{leg.limited_by.value}, {meaning(leg.limited_by, 'en')}"


def _decision(sleeve: SleeveDecision, leg: Leg) -> str:
    parts = [
        f"{percent(part.amount)} of the capital"
        if sleeve.decision.mode is TargetMode.WEIGHT
        else f"{money(part.amount)} USD"
        for part in leg.contributors
        if part.sleeve == sleeve.profile
    ]
    wish = ", ".join(parts) or "no share"
    return f"decision of {sleeve.profile}: {sleeve.decision.outcome.value}, {wish} in {leg.symbol}"
