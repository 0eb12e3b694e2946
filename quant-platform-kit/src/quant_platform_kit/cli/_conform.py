"""`qpk conform`: the numbered cards on a broker's adapter, at its simulator or a paper account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.live import Live
from rich.table import Table

from quant_platform_kit.cli._console import console, table
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import end
from quant_platform_kit.market import SystemClock
from quant_platform_kit.settings import Platform, load_settings

if TYPE_CHECKING:
    from quant_platform_kit.testing import BrokerCard, Verdict
    from quant_platform_kit.testing.broker_paper import Record

Trial: TypeAlias = "Iterator[tuple[Verdict, Record]]"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(conform)


def conform(
    broker: Annotated[Platform, typer.Argument(metavar="BROKER", help="Whose adapter to try.")],
    *,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper",
            help="On the paper account of the service's own settings, with the safe cards alone.",
        ),
    ] = False,
    card: Annotated[
        list[str] | None,
        typer.Option(metavar="BRK-NNN", help="Only this card; may be given several times."),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write what every card saw, as JSON."),
    ] = None,
) -> None:
    """Hold a broker's adapter and its SDK against the numbered cards.

    Without --paper the broker is a simulator in a process of its own, and every card that applies
    is tried. With it only cards that look, or that hand in one share far below the price and take
    it back, on an account that says itself that it is a paper account.
    """
    from quant_platform_kit.testing.broker_paper import kit, sdk_of

    sdk = sdk_of(broker.value)
    if not sdk:
        end(ExitCode.SETTINGS, f"no SDK of {broker.value} is installed; see the kit's extras.")
    cards = _chosen(card)
    if json_path is not None:
        _require_writable(json_path)  # now, not when all cards were tried
    counted = "1 card" if len(cards) == 1 else f"{len(cards)} cards"
    console().print(f"{broker.value}: {counted}, {sdk}, {_where(paper)}")
    with (_on_paper if paper else _at_simulator)(broker, cards) as trial:
        records = _shown(trial)
    if json_path is not None:
        where = "paper" if paper else "simulator"
        told = {
            "broker": broker.value,
            "sdk": sdk,
            "kit": kit(),
            "on": where,
            "ended_at": SystemClock().now().isoformat(timespec="seconds"),
            "cards": [asdict(each) for each in records],
        }
        json_path.write_text(f"{json.dumps(told, indent=1)}\n", encoding="utf-8")
    failed = [each for each in records if each.verdict == "failed"]
    if failed:
        end(ExitCode.CARD_FAILED, f"{len(failed)} of {len(records)} cards failed.")


def _where(paper: bool) -> str:  # noqa: FBT001 (a fact)
    return "on a paper account" if paper else "at its simulator"


def _require_writable(path: Path) -> None:
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        end(ExitCode.USAGE, f"--json {path} cannot be written: {error.strerror}.")


def _chosen(numbers: list[str] | None) -> tuple[BrokerCard, ...]:
    from quant_platform_kit.testing import BROKER_CARDS

    known = {card.number: card for card in BROKER_CARDS}
    unknown = sorted(set(numbers or ()) - set(known))
    if unknown:
        end(ExitCode.USAGE, f"there is no card {', '.join(unknown)}; the broker pages list them.")
    return tuple(known[number] for number in numbers) if numbers else BROKER_CARDS


@contextmanager
def _at_simulator(broker: Platform, cards: tuple[BrokerCard, ...]) -> Iterator[Trial]:
    """Try cards at a simulator of the broker, each on a fresh account."""
    from quant_platform_kit.testing import check_broker
    from quant_platform_kit.testing.broker_benches import simulated_benches
    from quant_platform_kit.testing.broker_paper import record

    with TemporaryDirectory() as folder, simulated_benches(broker.value, Path(folder)) as benches:
        yield ((verdict, record(verdict)) for verdict in check_broker(cards, benches))


@contextmanager
def _on_paper(broker: Platform, cards: tuple[BrokerCard, ...]) -> Iterator[Trial]:
    """Try the safe cards on the account that the service's settings name."""
    from quant_platform_kit.runtime import open_broker
    from quant_platform_kit.testing import judge
    from quant_platform_kit.testing.broker_paper import PaperBroker, paper_bench, record

    settings = load_settings(broker)
    if settings.is_simulated:
        end(
            ExitCode.SETTINGS,
            f"QPK_BROKER is simulated, and no account is connected; set it to {broker.value}.",
        )
    connection, clock = open_broker(settings)
    try:
        with paper_bench(
            connection, clock, platform=broker.value, account_id=settings.account_id
        ) as bench:

            def tried() -> Trial:
                guarded = bench.connect()
                for card in cards:
                    verdict = judge(card, bench)
                    saw = guarded.seen if isinstance(guarded, PaperBroker) else []
                    yield verdict, record(verdict, saw)
                    saw.clear()

            yield tried()
    finally:
        close: Callable[[], None] | None = getattr(connection, "close", None)
        if close is not None:
            close()


def _shown(trial: Trial) -> list[Record]:
    """Show how each group of cards goes while they are tried, and why cards failed afterwards."""
    verdicts: list[Verdict] = []
    records: list[Record] = []
    screen = console()
    with Live(_groups(verdicts), console=screen, auto_refresh=False) as live:
        for verdict, kept in trial:
            verdicts.append(verdict)
            records.append(kept)
            live.update(_groups(verdicts), refresh=screen.is_terminal)
    screen.print()
    for status in ("not applicable", "FAILED"):
        found = [each for each in verdicts if each.status.value == status]
        if found:
            reasons = table(f"{len(found)} {status}", "number", "card", "why")
            for each in found:
                reasons.add_row(each.card.number, each.card.title, each.why)
            screen.print(reasons)
    return records


def _groups(verdicts: list[Verdict]) -> Table:
    counts: dict[str, Counter[str]] = {}
    seconds: dict[str, float] = {}
    for each in verdicts:
        group = each.card.group
        counts.setdefault(group, Counter())[each.status.value] += 1
        seconds[group] = seconds.get(group, 0.0) + each.seconds
    columns = ("passed", "FAILED", "not applicable")
    shown = table("", "group", *columns, "seconds", right=(*columns, "seconds"))
    for group, count in counts.items():
        shown.add_row(group, *(str(count[name]) for name in columns), f"{seconds[group]:.1f}")
    whole: Counter[str] = sum(counts.values(), start=Counter())
    all_secs = sum(seconds.values())
    shown.add_row("all", *(str(whole[name]) for name in columns), f"{all_secs:.1f}")
    return shown
