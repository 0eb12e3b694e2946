"""The demo's front door: ``python -m demo``, or ``make demo`` and ``make up``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import FrameType

from rich.console import Console

from demo import _terminal as terminal
from demo._accounts import ACCOUNTS
from demo._checks import Check, examine
from demo._data import DemoMarket, month_ends, open_market
from demo._errors import DemoError
from demo._history import AccountHistory, histories
from demo._replay import replay
from demo._report import render
from demo._services import STOPPING_SIGNALS, Fleet
from demo._settings import (
    ENVIRONMENT_FILE,
    service_settings,
    snapshot_folder,
    source_commit,
    write_environment,
)
from demo._snapshots import Publisher
from demo._wires import simulators
from demo._workplace import workplace
from quant_platform_kit.errors import PlatformError
from quant_platform_kit.market import xnys

_MONTHS = 48
_OUTPUT = Path("demo-output")
_FAILED = 1
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 when every check passed.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line's when absent.
    """
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    for number in STOPPING_SIGNALS:
        signal.signal(number, _interrupt)  # so that services are stopped on the way out
    try:
        with workplace(options.output) as folder:
            return _run(console, folder, options)
    except (DemoError, PlatformError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("demo: stopped; no service is left running", file=sys.stderr)
        return _INTERRUPTED


def _run(console: Console, folder: Path, options: argparse.Namespace) -> int:
    market, calendar = open_market(), xnys()
    sessions = month_ends(market, calendar, options.months)
    homes = {account.platform: folder / account.platform for account in ACCOUNTS}
    for home in homes.values():
        home.mkdir()
    publishers = [
        Publisher.of(account, market, calendar, snapshot_folder(homes[account.platform]))
        for account in ACCOUNTS
        if account.reads_snapshot
    ]
    commit = source_commit()
    terminal.print_opening(console, ACCOUNTS, len(sessions))
    with ExitStack() as running:
        begins = calendar.session_open(sessions[0])
        logins = running.enter_context(simulators(ACCOUNTS, market, homes, begins))
        settings = {
            account.platform: service_settings(account, homes[account.platform].resolve(), commit)
            | logins[account.platform]
            for account in ACCOUNTS
        }
        for platform, home in homes.items():
            write_environment(settings[platform], home / ENVIRONMENT_FILE)
        fleet = running.enter_context(Fleet(ACCOUNTS, folder, settings))
        with terminal.ReplayDisplay(console, len(ACCOUNTS), len(sessions)) as display:
            runs = replay(fleet.services, sessions, publishers, display.show)
        fleet.kill_and_restart()
        repeats = [service.run(sessions[-1]) for service in fleet.services]
        accounts = histories(ACCOUNTS, runs, market)
        checks = examine(accounts, sessions, repeats)
        _publish(console, folder, accounts, checks, market)
        passed = all(check.passed for check in checks)
        if options.serve and passed:
            _serve(console, fleet, sessions[-1])
    if not passed:
        print("demo: a check failed; see above", file=sys.stderr)
    return 0 if passed else _FAILED


def _publish(
    console: Console,
    folder: Path,
    accounts: Sequence[AccountHistory],
    checks: Sequence[Check],
    market: DemoMarket,
) -> None:
    terminal.print_heartbeat(console, accounts[0])
    terminal.print_accounts(console, accounts)
    terminal.print_checks(console, checks)
    report = folder / "report.html"
    report.write_text(render(accounts, checks, market), encoding="utf-8")
    console.print(f"\nReport: [bold]{report}[/]", soft_wrap=True)
    first = folder / ACCOUNTS[0].platform / ENVIRONMENT_FILE
    console.print(
        f"By hand: set -a; . {first}; set +a; .venv/bin/qpk show --platform {ACCOUNTS[0].platform}",
        soft_wrap=True,
        markup=False,
    )


def _serve(console: Console, fleet: Fleet, last: date) -> None:
    terminal.print_serving(console, fleet.services, last)
    try:
        fleet.watch()
    except KeyboardInterrupt:
        console.print("\nStopping the services.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Replay month-ends on real prices through three services, and report.",
    )
    parser.add_argument(
        "--months", type=int, default=_MONTHS, help="month-ends to replay (default %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=_OUTPUT,
        help="folder to fill; emptied first (default %(default)s)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="leave the services serving until Ctrl-C"
    )
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
