"""Why an order is what it is, and why a symbol was left alone: numbers as sentences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from demo import _format as fmt
from quant_platform_kit.contracts import CycleReport, OrderLine

_NEW_YORK = ZoneInfo("America/New_York")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One step from the wish to the fill: what was found, and where it comes from."""

    name: str
    before: str
    result: str
    after: str
    source: str


def explain(order: OrderLine, report: CycleReport) -> tuple[Step, ...]:
    """Return the steps that lead from the strategy's wish to the fill of one order."""
    leg = order.leg
    base = report.capital_base_usd or _ZERO
    sleeves = ", ".join(part.sleeve for part in leg.contributors)
    lost_usd = max(leg.exact_quantity - leg.target_quantity, _ZERO) * leg.price_usd
    share = f"{fmt.percent(leg.target_usd / base, 2)} of " if base else ""
    held = f" · {fmt.percent(leg.current_usd / base, 2)}" if base else ""
    limit = "not limited by anything" if leg.limited_by is None else leg.limited_by.meaning
    price_at = f"{leg.price_at.astimezone(_NEW_YORK):%d %b %Y, %H:%M} New York"
    return (
        Step(
            "Wish",
            f"{share}{fmt.usd(base)} = " if leg.target_usd else "",
            fmt.usd(leg.target_usd),
            "",
            f"asked by {sleeves}" if sleeves else "not among the strategy's targets any more",
        ),
        Step(
            "Exact shares",
            f"{fmt.usd(leg.target_usd)} ÷ {fmt.usd(leg.price_usd)} = " if leg.target_usd else "",
            fmt.quantity(leg.exact_quantity.quantize(Decimal("0.0001"))),
            "",
            f"price of {price_at}",
        ),
        Step(
            "Whole shares",
            "",
            fmt.quantity(leg.target_quantity),
            "",
            f"rounding leaves {fmt.usd(lost_usd)} in cash" if lost_usd else "nothing to round",
        ),
        Step(
            "Held before",
            "",
            fmt.quantity(leg.current_quantity),
            held,
            f"worth {fmt.usd(leg.current_usd)}",
        ),
        Step("Order", "", f"{order.side.value} {fmt.quantity(order.quantity)}", "", limit),
        _fill(order),
    )


def left_alone(report: CycleReport) -> tuple[tuple[str, str], ...]:
    """Return (symbol, why) of every held or wanted symbol that was not traded."""
    concerned = {line.symbol for line in report.positions}
    return tuple(
        (skipped.symbol, f"{skipped.code.meaning.rstrip('.')}: {skipped.detail}")
        for skipped in report.skipped
        if skipped.symbol in concerned
    )


def why(report: CycleReport) -> str:
    """Return why the slot ended as it did; empty where orders speak for themselves."""
    meaning = "" if report.code is None else report.code.meaning
    # A strategy's reason is a code of its own: hold_reason reads as words.
    reason = report.reason.replace("_", " ")
    return " ".join(part for part in (meaning, reason and f"({reason})") if part)


def flags(report: CycleReport) -> tuple[str, ...]:
    """Return the risk flags that the strategy raised."""
    return tuple(flag for sleeve in report.decisions for flag in sleeve.decision.risk_flags)


def diagnostics(report: CycleReport) -> tuple[tuple[str, str], ...]:
    """Return what the strategy said it saw, as (name, text)."""
    return tuple(
        (name.replace("_", " "), text.replace("_", " "))
        for sleeve in report.decisions
        for name, text in sleeve.decision.diagnostics.items()
    )


def _fill(order: OrderLine) -> Step:
    source = f"fee {fmt.usd(order.fee_usd)} · {order.status.value}"
    if order.average_price_usd is None:
        return Step("Fill", "", "none", "", f"{source} {order.detail}".strip())
    paid = order.filled_quantity * order.average_price_usd
    price = fmt.usd(order.average_price_usd)
    return Step(
        "Fill", "", fmt.quantity(order.filled_quantity), f" × {price} = {fmt.usd(paid)}", source
    )
