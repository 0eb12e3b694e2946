"""The commands of `qpk`: they read arguments, ask the runtime, and print.

Standard output carries the answer alone: tables for people, or with ``--json`` one line of
canonical JSON. Everything else goes to standard error. How a command ends is told by its exit
code; the table is in `_exit`.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from quant_platform_kit import __version__
from quant_platform_kit.cli import (
    _commands,
    _conform,
    _explain,
    _orders,
    _profiles,
    _reconcile,
    _release,
    _risk,
    _runs,
    _simulate,
)
from quant_platform_kit.cli._exit import ExitCode, of_error, of_report
from quant_platform_kit.cli._options import JsonOption, PlatformOption, answer, end, runtime
from quant_platform_kit.cli._streams import standard_streams
from quant_platform_kit.contracts import CycleRequest
from quant_platform_kit.errors import PlatformError

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


def main() -> None:
    """Run `qpk`; an error of the platform ends it with one line and its own exit code."""
    with standard_streams():
        _require_text(sys.argv)
        try:
            app()
        except PlatformError as error:
            end(of_error(error), f"{error.code.value}: {error.message}")


def _require_text(arguments: list[str]) -> None:
    """Refuse bytes that are no text: no store, file or message could take them."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        end(ExitCode.USAGE, "an argument is not text in UTF-8. Nothing was done; type it again.")


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
        answer(_profiles.plain(catalog, lists))
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
    with runtime(platform) as opened:
        result = opened.run(request, dry_run=dry_run)
    if as_json:
        answer({"repeated": result.repeated, "report": result.report})
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
    with runtime(platform) as opened:
        if run_key is None:
            reports = opened.reports(_LISTED_RUNS)
            answer(reports) if as_json else _runs.show_list(reports)
            return
        latest = next(iter(opened.reports(1)), None)
        report = latest if run_key == "latest" else opened.report(run_key)
    if report is None:
        end(ExitCode.NOT_FOUND, f"no report of a run {run_key!r}. `qpk show` lists the runs.")
    answer(report) if as_json else _runs.show(report)


_explain.register(app)
_orders.register(app)
_risk.register(app)
_reconcile.register(app)
_simulate.register(app)
_conform.register(app)
_release.register(app)
_commands.register(app)
