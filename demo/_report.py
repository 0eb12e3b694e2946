"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo import _format as fmt
from demo._checks import Check
from demo._data import DemoMarket
from demo._explain import explain
from demo._history import AccountHistory
from demo._view import AccountView, account_view
from quant_platform_kit.contracts import CycleReport, OrderLine, Side

_PAGE = Path(__file__).parent / "page"
_CRASH = date(2020, 3, 23)  # the S&P 500's lowest close of the pandemic
_NUMBERS = {"1": "One", "2": "Two", "3": "Three", "4": "Four", "5": "Five"}


@dataclass(frozen=True, slots=True)
class Example:
    """The order that the page explains first, as an example of all the others."""

    account: AccountView
    report: CycleReport
    order: OrderLine


def render(accounts: Sequence[AccountHistory], checks: Sequence[Check], market: DemoMarket) -> str:
    """Return the report page; the same replay gives the same text.

    Parameters
    ----------
    accounts : sequence of AccountHistory
        At least one, all over the same days.
    checks : sequence of Check
        What was proved about the replay.
    market : DemoMarket
    """
    views = [account_view(history, market) for history in accounts]
    days = accounts[0].days
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            accounts=views,
            checks=checks,
            days=days,
            example=_example(views),
            opening_usd=sum((view.opening_usd for view in views), Decimal(0)),
            orders=sum(view.order_count for view in views),
            points={
                "days": [day.isoformat() for day in days],
                "accounts": {view.key: view.points for view in views},
            },
            script=(_PAGE / "page.js").read_text(encoding="utf-8"),
            style=(_PAGE / "page.css").read_text(encoding="utf-8"),
            through_the_crash=days[0] < _CRASH < days[-1],
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"count": fmt.count, "explain": explain}
    filters: dict[str, Callable[..., str]] = {
        "day": _day,
        "heading": _heading,
        "long_month": _long_month,
        "quantity": fmt.quantity,
        "usd": fmt.usd,
        "usd_short": fmt.usd_short,
    }
    environment.filters |= filters
    return environment


def _example(views: Sequence[AccountView]) -> Example | None:
    # A purchase that tops up a holding shows every step: wish, rounding, difference, fill.
    orders = [
        Example(view, slot.report, order)
        for view in views
        for slot in view.slots
        for order in slot.report.orders
    ]
    return max(
        orders,
        key=lambda example: (
            example.order.side is Side.BUY and example.order.leg.current_quantity > 0,
            example.order.leg.exact_quantity != example.order.leg.target_quantity,
            example.order.leg.notional_usd,
        ),
        default=None,
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _long_month(day: date) -> str:
    return f"{day:%B %Y}"


def _heading(counted: str) -> str:
    # Small numbers as words, and no line break between a number and what it counts.
    number, noun = counted.split(" ", 1)
    return f"{_NUMBERS.get(number, number)}\N{NO-BREAK SPACE}{noun}".replace(
        "-", "\N{NON-BREAKING HYPHEN}"
    )
