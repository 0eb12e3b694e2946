"""The commands of `qpk`: they read arguments, ask the runtime, and print.

Standard output carries the answer alone: tables for people, or with ``--json`` one line of
canonical JSON. Everything else goes to standard error. How a command ends is told by its exit
code; the table is in `_exit`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from quant_platform_kit import __version__
from quant_platform_kit.cli import _explain, _profiles, _runs
from quant_platform_kit.cli._exit import ExitCode, of_error, of_report
from quant_platform_kit.contracts import CycleRequest, canonical
from quant_platform_kit.errors import PlatformError
from quant_platform_kit.settings import Platform, load_settings

if TYPE_CHECKING:
    from quant_platform_kit.runtime import Runtime

_LISTED_RUNS = 20

_EPILOG = "\n".join(["Exit codes:", *(f"  {code.value}  {code.meaning}" for code in ExitCode)])

app = typer.Typer(
    name="qpk",
    help="Rebalance US-equity accounts: run slots, read what they did and why.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print settings, and settings hold secrets.
    pretty_exceptions_enable=False,
)

PlatformOption = Annotated[
    Platform, typer.Option("--platform", "-p", help="Whose settings and state to use.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print canonical JSON and nothing else.")]


def main() -> None:
    """Run `qpk`; an error of the platform ends it with one line and its own exit code."""
    try:
        app()
    except PlatformError as error:
        _end(of_error(error), f"{error.code.value}: {error.message}")


def _end(code: ExitCode, message: str) -> NoReturn:
    print(f"qpk: {message}", file=sys.stderr)  # noqa: T201 (a command talks)
    sys.exit(code)


def _answer(value: object) -> None:
    print(canonical(value))  # noqa: T201 (a command talks)


@contextmanager
def _runtime(platform: Platform) -> Iterator[Runtime]:
    from quant_platform_kit.runtime import open_runtime  # not paid for by `qpk --help`

    with closing(open_runtime(load_settings(platform))) as runtime:
        yield runtime


def _version(wanted: bool) -> None:  # noqa: FBT001 (Typer's callback)
    if wanted:
        typer.echo(f"qpk {__version__}")
        raise typer.Exit


def _session(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a date such as 2020-03-31") from None


@app.callback()
def _qpk(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def profiles(
    *,
    platforms: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the platforms and their rollout lists; ./platforms when left out.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the installed profiles, and on which platform each is eligible and enabled."""
    from quant_platform_kit.strategy import load_catalog

    catalog = load_catalog()
    lists = _profiles.rollouts(catalog, platforms)
    if as_json:
        _answer(_profiles.plain(catalog, lists))
    else:
        _profiles.show(catalog, lists)


@app.command()
def run(
    *,
    platform: PlatformOption,
    slot: Annotated[
        str, typer.Option(help="A scheduled slot, or the name of a manual run.")
    ] = "close",
    session: Annotated[
        date | None,
        typer.Option(
            parser=_session,
            metavar="YYYY-MM-DD",
            help="Session meant; today's when left out. A replayed market moves to it.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but send orders; nothing is changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run one slot; a slot that has run already answers with its first report."""
    request = CycleRequest(slot=slot, session=session)
    with _runtime(platform) as runtime:
        result = runtime.run(request, dry_run=dry_run)
    if as_json:
        _answer({"repeated": result.repeated, "report": result.report})
    else:
        _runs.show(result.report, repeated=result.repeated)
    raise typer.Exit(of_report(result.report))


@app.command()
def show(
    run_key: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run's key, or `latest`; lists runs when left out."),
    ] = None,
    *,
    platform: PlatformOption,
    as_json: JsonOption = False,
) -> None:
    """Show what a run did, or list the latest runs."""
    with _runtime(platform) as runtime:
        if run_key is None:
            reports = runtime.reports(_LISTED_RUNS)
            _answer(reports) if as_json else _runs.show_list(reports)
            return
        latest = next(iter(runtime.reports(1)), None)
        report = latest if run_key == "latest" else runtime.report(run_key)
    if report is None:
        _end(ExitCode.NOT_FOUND, f"no report of a run {run_key!r}. `qpk show` lists the runs.")
    _answer(report) if as_json else _runs.show(report)


@app.command()
def explain(
    order: Annotated[
        str,
        typer.Argument(metavar="ORDER", help="The start of a client id, or a broker's order id."),
    ],
    *,
    platform: PlatformOption,
    as_json: JsonOption = False,
) -> None:
    """Explain an order, from its fills back to the inputs that led to it."""
    with _runtime(platform) as runtime:
        found = runtime.find_orders(order)
        report = runtime.report(found[0].run_key) if len(found) == 1 else None
    if not found:
        _end(ExitCode.NOT_FOUND, f"no order {order!r}. `qpk show RUN` lists a run's orders.")
    if len(found) > 1:
        _end(ExitCode.USAGE, f"{order!r} is the start of {len(found)} orders: add characters.")
    explanation = _explain.Explanation.of(found[0], report)
    _answer(explanation) if as_json else _explain.show(explanation)
