"""What the report page shows of one account, ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from demo import _format as fmt
from demo import _metrics as metrics
from demo._data import DemoMarket
from demo._explain import diagnostics, flags, left_alone, why
from demo._history import AccountHistory
from demo._plots import (
    Chart,
    Line,
    drawdown_chart,
    equity_chart,
    holdings_chart,
    spark_chart,
    weights,
)
from quant_platform_kit.contracts import CycleReport, Heartbeat, Outcome


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure with its name and what to compare it with."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot: how it ended and why, in words."""

    session: date
    anchor: str
    report: CycleReport
    headline: str
    why: str
    flags: tuple[str, ...]
    diagnostics: tuple[tuple[str, str], ...]
    left_alone: tuple[tuple[str, str], ...]

    @property
    def outcome(self) -> Outcome:
        """How the slot ended."""
        return self.report.outcome


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything the page prints about one account."""

    key: str
    broker: str
    strategy: str
    profile: str
    story: str
    opening_usd: Decimal
    closing_usd: float
    overview: tuple[tuple[str, str, str], ...]
    kpis: tuple[Kpi, ...]
    spark: tuple[Line, ...]
    equity: Chart
    drawdown: Chart
    holdings: Chart
    years: tuple[tuple[int, tuple[SlotView, ...]], ...]
    outcomes: tuple[tuple[Outcome, int], ...]
    order_count: int
    symbols: tuple[str, ...]
    heartbeats: tuple[Heartbeat, ...]
    last: CycleReport
    points: dict[str, object]

    @property
    def slots(self) -> tuple[SlotView, ...]:
        """Every slot, ascending."""
        return tuple(slot for _, slots in self.years for slot in slots)


def account_view(history: AccountHistory, market: DemoMarket) -> AccountView:
    """Compute what the page shows of one account."""
    slots = [_slot(history.account.platform, report) for report in history.reports]
    orders = [order for report in history.reports for order in report.orders]
    return AccountView(
        key=history.account.platform,
        broker=history.account.broker,
        strategy=history.strategy,
        profile=history.account.profile,
        story=history.account.story,
        opening_usd=history.account.opening_cash_usd,
        closing_usd=history.equity_usd[-1],
        overview=_overview(history),
        kpis=_kpis(history),
        spark=spark_chart(history),
        equity=equity_chart(history),
        drawdown=drawdown_chart(history),
        holdings=holdings_chart(history, market),
        years=tuple(
            (year, tuple(group)) for year, group in groupby(slots, lambda slot: slot.session.year)
        ),
        outcomes=tuple(
            (outcome, sum(slot.outcome is outcome for slot in slots)) for outcome in Outcome
        ),
        order_count=len(orders),
        symbols=tuple(sorted({order.symbol for order in orders})),
        heartbeats=history.runs[-1].heartbeats,
        last=history.reports[-1],
        points=_points(history, market),
    )


def _slot(platform: str, report: CycleReport) -> SlotView:
    session = report.session or report.started_at.date()
    code = report.outcome.value if report.code is None else report.code.value
    return SlotView(
        session=session,
        anchor=f"{platform}-{session:%Y-%m}",
        report=report,
        headline=(
            f"{fmt.count(len(report.orders), 'order')}, {fmt.usd_short(report.turnover_usd)}"
            if report.orders
            else code.replace("_", " ").lower()
        ),
        why=why(report),
        flags=flags(report),
        diagnostics=diagnostics(report),
        left_alone=left_alone(report),
    )


def _overview(history: AccountHistory) -> tuple[tuple[str, str, str], ...]:
    """Return (name, account, index) of the figures that the page opens with."""
    equity, index = history.equity_usd, history.index_usd
    return (
        (
            "Return",
            fmt.signed_percent(metrics.total_return(equity)),
            fmt.signed_percent(metrics.total_return(index)),
        ),
        (
            "Deepest drawdown",
            fmt.percent(metrics.max_drawdown(equity)),
            fmt.percent(metrics.max_drawdown(index)),
        ),
    )


def _kpis(history: AccountHistory) -> tuple[Kpi, ...]:
    equity, index, days = history.equity_usd, history.index_usd, history.days
    ahead = metrics.total_return(equity) - metrics.total_return(index)
    annual, index_annual = metrics.annual_return(equity, days), metrics.annual_return(index, days)
    return (
        *(
            Kpi(name, account, f"S&P 500 {of_index}")
            for name, account, of_index in _overview(history)
        ),
        Kpi(
            "Growth a year",
            "–" if annual is None else fmt.signed_percent(annual),
            "CAGR, from one year on"
            if index_annual is None
            else f"CAGR · S&P 500 {fmt.signed_percent(index_annual)}",
        ),
        Kpi("Against the S&P 500", fmt.points(ahead), "index without dividends"),
        Kpi(
            "Volatility",
            fmt.percent(metrics.volatility(equity)),
            f"S&P 500 {fmt.percent(metrics.volatility(index))}",
        ),
        *_trading_kpis(history),
    )


def _trading_kpis(history: AccountHistory) -> tuple[Kpi, ...]:
    traded = sum((report.turnover_usd for report in history.reports), Decimal(0))
    orders = [order for report in history.reports for order in report.orders]
    fees = sum((order.fee_usd for order in orders), Decimal(0))
    turnover = metrics.annual_turnover(float(traded), history.equity_usd, history.days)
    return (
        Kpi("Turnover", f"{turnover:.1f}×", "equity bought and sold a year"),
        Kpi("Orders", f"{len(orders):,}", f"{fmt.usd_short(traded)} traded"),
        Kpi("Fees", fmt.usd(fees), f"{fees / traded * 10_000:.1f} bps" if traded else "no trade"),
    )


def _points(history: AccountHistory, market: DemoMarket) -> dict[str, object]:
    """Return what the crosshair reads out, rounded to what it shows."""
    return {
        "equity": [round(value, 2) for value in history.equity_usd],
        "index": [round(value, 2) for value in history.index_usd],
        "down": [round(value, 4) for value in metrics.drawdowns(history.equity_usd)],
        "indexDown": [round(value, 4) for value in metrics.drawdowns(history.index_usd)],
        "slots": [history.days.index(book.session) for book in history.books],
        "weights": [
            {
                symbol: round(share, 4)
                for symbol, share in weights(book, market, book.session).items()
            }
            for book in history.books
        ],
    }
