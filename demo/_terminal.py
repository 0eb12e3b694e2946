"""What the demo shows in a terminal: heartbeats as they come, then a table per account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal
from itertools import groupby
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from demo import _format as fmt
from demo import _metrics as metrics
from demo._accounts import DemoAccount
from demo._checks import Check
from demo._history import AccountHistory
from demo._services import Service, SlotRun
from quant_platform_kit.contracts import CycleReport, Outcome

_STYLES = {
    Outcome.TRADED: ("●", "bold cyan"),
    Outcome.NO_ACTION: ("·", "dim"),
    Outcome.BLOCKED: ("!", "bold yellow"),
    Outcome.FAILED: ("x", "bold red"),
}
_POSITIONS_SHOWN = 12


class ReplayDisplay(AbstractContextManager["ReplayDisplay"]):
    """Heartbeats above a progress bar; plain lines where the output is no terminal."""

    def __init__(self, console: Console, accounts: int, slots: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("slots"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=accounts * slots)

    def __enter__(self) -> Self:
        """Start the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()

    def show(self, run: SlotRun) -> None:
        """Print one heartbeat in a line, and move the bar."""
        self._console.print(_heartbeat_line(run), soft_wrap=not self._console.is_terminal)
        self._progress.update(self._task, advance=1, description=f"{run.session:%b %Y}")


def print_opening(console: Console, accounts: Sequence[DemoAccount], slots: int) -> None:
    """Say what is about to happen."""
    money = sum((account.opening_cash_usd for account in accounts), Decimal(0))
    console.print(
        f"[bold]{fmt.count(len(accounts), 'account')}, {fmt.usd(money)}, "
        f"{fmt.count(slots, 'month-end')}.[/] Real closing prices; each service trades through its "
        "broker's own SDK, connected to a simulator of the broker's wire."
    )


def print_accounts(console: Console, histories: Sequence[AccountHistory]) -> None:
    """Print one table per account: figures, slots and holdings."""
    for history in histories:
        console.print()
        console.print(_account_panel(history))


def print_heartbeat(console: Console, history: AccountHistory) -> None:
    """Print the account's last heartbeat as operators get it."""
    for beat in history.runs[-1].heartbeats[:1]:
        console.print()
        body = Text(f"{beat.title}\n\n{beat.body}")
        console.print(Panel(body, title="The latest heartbeat", title_align="left", expand=False))


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print each claim, and what contradicts it."""
    console.print()
    for check in checks:
        mark = "[bold cyan]✓[/]" if check.passed else "[bold red]✗[/]"
        console.print(f"{mark} {escape(check.claim)}")
        for fault in check.faults:
            console.print(f"    {escape(fault)}", style="red")


def print_serving(console: Console, services: Sequence[Service], session: date) -> None:
    """Print where the services listen and what to ask them."""
    console.print("\n[bold]Serving.[/] Ctrl-C stops everything.")
    for service in services:
        console.print(f"  {service.account.broker:<20} {service.url}", highlight=False)
    url = services[0].url
    body = f'{{"slot": "close", "session": "{session}"}}'
    console.print("\nTry:", highlight=False)
    for line in (
        f"curl {url}/health",
        f"curl {url}/status",
        f"curl -X POST {url}/run -H 'Content-Type: application/json' -d '{body}'",
    ):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _heartbeat_line(run: SlotRun) -> Text:
    report = run.report
    _, style = _STYLES[report.outcome]
    line = Text(f"{run.session:%Y-%m-%d}  ", style="dim")
    line.append(f"{report.platform:<10} ", style="bold")
    line.append(f"{report.outcome.value:<9} ", style=style)
    equity = fmt.usd(report.equity_usd) if report.equity_usd is not None else "–"
    line.append(f"{equity:>13}  ")
    line.append(_what_happened(report), style="" if report.orders else "dim")
    return line


def _what_happened(report: CycleReport) -> str:
    flags = [flag for sleeve in report.decisions for flag in sleeve.decision.risk_flags]
    if report.orders:
        text = f"{fmt.count(len(report.orders), 'order')}, {fmt.usd_short(report.turnover_usd)}"
    else:
        reason = report.reason.replace("_", " ")
        text = " · ".join(part for part in (report.code, reason) if part)
    return " · ".join([text, *flags])


def _account_panel(history: AccountHistory) -> Panel:
    title = f"[bold]{escape(history.account.broker)}[/] · {escape(history.strategy)}"
    side_by_side = Table.grid(padding=(0, 4))
    side_by_side.add_row(_figures(history), _holdings(history))
    return Panel(
        Group(side_by_side, Text(), _strip(history)),
        title=title,
        title_align="left",
        padding=(1, 2),
        expand=False,
    )


def _figures(history: AccountHistory) -> Table:
    equity, index = history.equity_usd, history.index_usd
    orders = [order for report in history.reports for order in report.orders]
    traded = sum((report.turnover_usd for report in history.reports), Decimal(0))
    turnover = metrics.annual_turnover(float(traded), equity, history.days)
    table = _grid()
    rows = (
        (f"{history.days[0]}", fmt.usd(equity[0])),
        (f"{history.days[-1]}", fmt.usd(equity[-1])),
        ("Return", fmt.signed_percent(metrics.total_return(equity))),
        ("  S&P 500", fmt.signed_percent(metrics.total_return(index))),
        ("Drawdown", fmt.percent(metrics.max_drawdown(equity))),
        ("  S&P 500", fmt.percent(metrics.max_drawdown(index))),
        ("Orders", f"{len(orders):,}"),
        ("Traded", f"${traded:,.0f}"),
        ("Turnover", f"{turnover:.1f}× a year"),
        *((reason, fmt.count(number, "slot")) for reason, number in _reasons(history)),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table


def _reasons(history: AccountHistory) -> list[tuple[str, int]]:
    said = Counter(
        report.outcome if report.code is None else report.code for report in history.reports
    )
    return [(code.value.replace("_", " ").capitalize(), number) for code, number in said.items()]


def _holdings(history: AccountHistory) -> Table:
    last = history.reports[-1]
    table = _grid()
    held = [line for line in last.positions if line.quantity]
    held.sort(key=lambda line: -(line.value_usd or Decimal(0)))
    table.add_row("Held", f"{last.session}", "")
    for line in held[:_POSITIONS_SHOWN]:
        value = "–" if line.value_usd is None else fmt.usd(line.value_usd)
        table.add_row(line.symbol, f"{fmt.quantity(line.quantity)} shares", value)
    if len(held) > _POSITIONS_SHOWN:
        table.add_row(f"and {len(held) - _POSITIONS_SHOWN} more")
    table.add_row("Cash", "", fmt.usd(last.cash_usd or Decimal(0)))
    return table


def _strip(history: AccountHistory) -> Text:
    strip = Text()
    for year, reports in groupby(history.runs, lambda run: run.session.year):
        strip.append(f"{year % 100:02} ", style="dim")
        for run in reports:
            mark, style = _STYLES[run.report.outcome]
            strip.append(mark, style=style)
        strip.append(" ")
    seen = {report.outcome for report in history.reports}
    strip.append("\n")
    for outcome in Outcome:
        if outcome in seen:
            mark, style = _STYLES[outcome]
            strip.append(f"{mark} ", style=style)
            strip.append(outcome.value.replace("_", " ").lower() + "   ", style="dim")
    return strip


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    return table
