"""Cash that moved beside trades, out of LongBridge's cash flow; pure.

A row has no id and no kind: its name and description say what it was. Rows of trades stand among
them, so what is not recognised is left out; the ledger sees its cash all the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from quant_platform_kit.brokers.longbridge._rows import ticker
from quant_platform_kit.brokers.longbridge._sdk import utc, word
from quant_platform_kit.contracts import CashMovement, MovementKind

_USD: Final = "USD"
_SPOKEN: Final = (  # the first that is found tells what it was
    (re.compile(r"WITHHOLDING|DIVIDEND (FEE|TAX)"), MovementKind.TAX),
    (re.compile(r"DIVIDEND"), MovementKind.DIVIDEND),
    (re.compile(r"\bINTEREST\b"), MovementKind.INTEREST),
    (re.compile(r"^CO OTHER FEE\b"), MovementKind.FEE),  # of a company's action, not of a trade
    (re.compile(r"\b(DEPOSIT|WITHDRAW(AL)?)\b"), MovementKind.TRANSFER),
)
_LISTED: Final = re.compile(r"[A-Z][A-Z0-9.-]{0,28}\.US")


def movements(flows: Iterable[Any]) -> tuple[CashMovement, ...]:
    """Read the rows in dollars that are known to be no trade, by time.

    Two that are alike in everything are told apart by their number.
    """
    alike: Counter[str] = Counter()
    read: list[CashMovement] = []
    for flow in flows:
        kind = _kind(flow)
        if kind is None or flow.currency != _USD or not flow.balance:
            continue
        facts = _facts(flow)
        alike[facts] += 1
        read.append(_movement(flow, kind, _id(f"{facts}|{alike[facts]}")))
    return tuple(sorted(read, key=lambda moved: (moved.at, moved.movement_id)))


def _movement(flow: Any, kind: MovementKind, movement_id: str) -> CashMovement:  # noqa: ANN401 (untyped SDK)
    return CashMovement(
        movement_id,
        utc(flow.business_time),
        _amount(flow),
        kind,
        _symbol(flow),
        flow.description or flow.transaction_flow_name,
    )


def _kind(flow: Any) -> MovementKind | None:  # noqa: ANN401 (untyped SDK)
    spoken = f"{flow.transaction_flow_name} {flow.description}".upper()
    return next((kind for words, kind in _SPOKEN if words.search(spoken)), None)


def _amount(flow: Any) -> Decimal:  # noqa: ANN401 (untyped SDK)
    size = abs(Decimal(flow.balance))
    direction = word(flow.direction)
    return {"In": size, "Out": -size}.get(direction, Decimal(flow.balance))


def _symbol(flow: Any) -> str | None:  # noqa: ANN401 (untyped SDK)
    """Return the US ticker that the row names, in its own field or in front of its description."""
    named = (flow.symbol or "", (flow.description or "").partition(" ")[0])
    return next((ticker(each) for each in named if _LISTED.fullmatch(each)), None)


def _facts(flow: Any) -> str:  # noqa: ANN401 (untyped SDK)
    at, amount = utc(flow.business_time).isoformat(), format(_amount(flow).normalize(), "f")
    return "|".join(
        (at, amount, flow.transaction_flow_name, flow.symbol or "", flow.description or "")
    )


def _id(facts: str) -> str:
    return f"cash-{hashlib.sha256(facts.encode()).hexdigest()[:24]}"
