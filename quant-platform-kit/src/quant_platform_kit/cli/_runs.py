"""`qpk run` and `qpk show`: a run as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from quant_platform_kit.cli._console import console, table
from quant_platform_kit.contracts import (
    CycleReport,
    HistoryRef,
    OrderLine,
    Outcome,
    PositionLine,
)
from quant_platform_kit.notify import Message, meaning, money, percent, price, shares

_STYLES = {
    Outcome.TRADED: "bold green",
    Outcome.NO_ACTION: "bold",
    Outcome.BLOCKED: "bold yellow",
    Outcome.FAILED: "bold red",
}
_NONE = "–"
_HASH = 12  # enough to tell hashes and orders apart; `qpk explain` takes an order's beginning
_NAMED_SYMBOLS = 12


def show(report: CycleReport, *, repeated: bool = False) -> None:
    """Print everything a report says; `repeated` tells that nothing was done just now."""
    out = console()
    out.print(_headline(report))
    if repeated:
        out.print("The slot had run before; this is its first report. Nothing was done.")
    for part in _parts(report):
        out.print(part)


def show_list(reports: Sequence[CycleReport]) -> None:
    """Print one line a run, newest first."""
    listed = table(
        f"{len(reports)} latest runs",
        *("run", "outcome", "reason", "orders", "equity USD"),
        right=("orders", "equity USD"),
    )
    for report in reports:
        listed.add_row(
            report.run_key,
            Text(report.outcome.value, style=_STYLES[report.outcome]),
            report.code.value if report.code else "",
            str(len(report.orders)),
            money(report.equity_usd) if report.equity_usd is not None else _NONE,
        )
    console().print(listed)


def _headline(report: CycleReport) -> Text:
    line = Text(report.outcome.value, style=_STYLES[report.outcome])
    if report.code is not None:
        line.append(f" {report.code.value}").append(f"  {meaning(report.code, 'en')}", style="")
    return line


def _parts(report: CycleReport) -> Iterator[RenderableType]:
    yield _facts(report)
    if report.decisions:
        yield _decisions(report)
    if report.positions:
        yield _positions(report.positions)
    if report.orders:
        yield _orders(report.orders)
    if report.skipped:
        yield _skipped(report)
    for note in report.notes:
        yield f"Note: {note}"


def _facts(report: CycleReport) -> Table:
    environment = report.environment
    connected = Message.BROKER_NOT_ASKED if environment is None else Message.of(environment)
    amounts = {
        "equity": report.equity_usd,
        "cash": report.cash_usd,
        "capital base": report.capital_base_usd,
    }
    facts = {
        "why": report.reason,
        "run": report.run_key,
        "account": f"{report.account} on {report.platform}",
        "session": f"{report.session or _NONE}, slot {report.slot}, attempt {report.attempt}",
        "mode": f"{report.mode.value}, connected to: {connected.en}",
        **{name: f"{money(usd)} USD" for name, usd in amounts.items() if usd is not None},
        "bars": "; ".join(_bars(ref) for ref in dict.fromkeys(report.histories)),
        "snapshot": "; ".join(f"{ref.as_of}, {ref.sha256[:_HASH]}" for ref in report.snapshots),
        "versions": ", ".join(f"{name} {v}" for name, v in sorted(report.versions.items())),
        "commit": report.commit[:_HASH],
        "bundle": report.bundle,
        "evidence": report.evidence_sha256,
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            grid.add_row(name, value)
    return grid


def _bars(ref: HistoryRef) -> str:
    adjusted = ref.adjustment.value.replace("_", " ")
    return f"{adjusted}, {ref.symbols} symbols, {ref.first_session} to {ref.last_session}"


def _decisions(report: CycleReport) -> Table:
    listed = table("Decisions", "profile", "answer", "reason", "flags", "inputs")
    for sleeve in report.decisions:
        listed.add_row(
            sleeve.profile,
            sleeve.decision.outcome.value,
            sleeve.decision.reason,
            ", ".join(sleeve.decision.risk_flags),
            sleeve.inputs_sha256[:_HASH] or _NONE,
        )
    return listed


def _positions(lines: Sequence[PositionLine]) -> Table:
    numbers = ("shares", "price", "value USD", "weight", "target")
    listed = table("Positions", "symbol", *numbers, "managed", right=numbers)
    for line in lines:
        listed.add_row(
            line.symbol,
            shares(line.quantity),
            price(line.price_usd),
            _NONE if line.value_usd is None else money(line.value_usd),
            percent(line.weight),
            percent(line.target_weight),
            "yes" if line.managed else "no",
        )
    return listed


def _orders(orders: Sequence[OrderLine]) -> Table:
    numbers = ("shares", "filled", "average", "fee USD")
    listed = table("Orders", "side", "symbol", *numbers, "status", "order", right=numbers)
    for order in orders:
        listed.add_row(
            Message.of(order.side).en,
            order.symbol,
            shares(order.quantity),
            shares(order.filled_quantity),
            price(order.average_price_usd),
            money(order.fee_usd),
            Message.of(order.status).en + (f" {order.code.value}" if order.code else ""),
            order.client_id[:_HASH],
        )
    return listed


def _skipped(report: CycleReport) -> Table:
    """Group symbols that were left alone for the same reason: a universe has a thousand."""
    groups: dict[tuple[str, str], list[str]] = {}
    for skipped in report.skipped:
        groups.setdefault((skipped.code.value, skipped.detail), []).append(skipped.symbol)
    listed = table("Not traded", "code", "detail", "count", "symbols", right=("count",))
    for (code, detail), symbols in sorted(groups.items()):
        named = ", ".join(sorted(symbols)[:_NAMED_SYMBOLS])
        more = len(symbols) - _NAMED_SYMBOLS
        listed.add_row(code, detail, str(len(symbols)), f"{named}, …" if more > 0 else named)
    return listed
