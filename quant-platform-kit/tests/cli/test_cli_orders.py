"""The operators' orders: they show, ask, do it once, and are explained like any order."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.store import AccountLease, Store

Qpk = Callable[..., "CompletedProcess[str]"]
IBKR = ("--platform", "ibkr")
WHY = ("--why", "a bad feeling", "--who", "ann", *IBKR)


@pytest.fixture
def invested(qpk: Qpk) -> Qpk:
    """Return `qpk` on an account that holds AAPL."""
    assert qpk("run", *IBKR).stdout.startswith("TRADED")
    return qpk


def held(qpk: Qpk) -> dict[str, str]:
    """Return what the latest report of a command that does nothing says is held."""
    report = json.loads(qpk("flatten", *WHY, "--yes", "--json").stdout)
    return {line["symbol"]: line["quantity"] for line in report["positions"]}


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    class _Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", _Terminal(typed))


def test_without_yes_and_without_a_terminal_it_only_says_what_it_would_do(invested: Qpk) -> None:
    done = invested("flatten", *WHY)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "sell 1,691 AAPL" in done.stderr
    assert "The gate is active: the next run may buy again." in done.stderr
    assert "nothing was done: add --yes" in done.stderr
    assert json.loads(invested("audit", *IBKR, "--json").stdout)["entries"] == []


@pytest.mark.parametrize(("typed", "code"), [("y\n", ExitCode.OK), ("n\n", ExitCode.USAGE)])
def test_at_a_terminal_it_asks(
    invested: Qpk, monkeypatch: pytest.MonkeyPatch, typed: str, code: ExitCode
) -> None:
    at_a_terminal(monkeypatch, typed)
    done = invested("close", "AAPL", *WHY)
    assert done.returncode == code
    assert "Do it?" in done.stderr
    assert done.stdout.startswith("TRADED") == (code is ExitCode.OK)


def test_a_closed_holding_is_sold_audited_and_explained(invested: Qpk) -> None:
    report = json.loads(invested("close", "AAPL", *WHY, "--yes", "--json").stdout)
    assert (report["outcome"], report["slot"]) == ("TRADED", "operator-1")
    assert report["notes"] == ["close AAPL by ann: a bad feeling"]
    [order] = report["orders"]
    assert (order["side"], order["quantity"], order["purpose"]) == ("sell", "1691", "close")

    [entry] = json.loads(invested("audit", *IBKR, "--json").stdout)["entries"]
    assert (entry["who"], entry["action"]) == ("ann", "close")
    assert entry["detail"]["run_key"] == report["run_key"]
    shown = invested("explain", order["client_id"], *IBKR).stdout
    assert "SELL 1,691 AAPL: 1,691 filled" in shown
    assert "command: close by ann: a bad feeling" in shown
    assert "evidence: the whole chain verifies" in shown
    assert invested("show", "latest", *IBKR).stdout.startswith("TRADED")


def test_typed_twice_it_sells_once(invested: Qpk) -> None:
    assert invested("flatten", *WHY, "--yes").returncode == ExitCode.OK
    again = invested("flatten", *WHY, "--yes")
    assert again.returncode == ExitCode.OK
    assert again.stdout.startswith("NO_ACTION NOTHING_TO_DO")
    assert held(invested) == {}


def test_a_halt_does_not_keep_a_person_in(invested: Qpk) -> None:
    invested("halt", *WHY)
    done = invested("flatten", *WHY)
    assert "buy again" not in done.stderr
    assert invested("flatten", *WHY, "--yes").stdout.startswith("TRADED")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("close", "MSFT"), ExitCode.BLOCKED, "MSFT is not managed here"),
        (("cancel", "nosuch"), ExitCode.NOT_FOUND, "no order 'nosuch'"),
    ],
)
def test_what_is_not_there_is_refused(
    invested: Qpk, arguments: tuple[str, ...], code: ExitCode, said: str
) -> None:
    for yes in ((), ("--yes",)):
        done = invested(*arguments, *WHY, *yes)
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_cancels_say_what_became_of_each_order(invested: Qpk) -> None:
    done = invested("cancel", "sim-000001", *WHY, "--yes")
    assert done.returncode == ExitCode.OK
    assert "buy 1691 AAPL, rebalance: filled" in done.stdout
    done = invested("cancel-all", *WHY)
    assert "nothing to do" in done.stderr
    assert invested("cancel-all", *WHY, "--yes").stdout.startswith("NO_ACTION OPERATOR_CANCEL")


def test_a_command_needs_a_reason(invested: Qpk) -> None:
    done = invested("flatten", *IBKR, "--why", " ", "--yes")
    assert done.returncode == ExitCode.USAGE
    assert "why" in done.stderr


def test_it_waits_for_no_run_that_is_in_progress(invested: Qpk, tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "state" / "paper.sqlite3")) as store:
        now = datetime(2012, 2, 3, tzinfo=UTC)
        with AccountLease(store, "another run", lambda: now).held():
            assert invested("flatten", *WHY, "--yes").returncode == ExitCode.BUSY


@pytest.mark.parametrize("command", ["flatten", "close AAPL", "cancel-all", "cancel qpk-"])
def test_in_dry_run_there_is_nothing_to_sell_or_cancel(qpk: Qpk, command: str) -> None:
    done = qpk(*command.split(), *WHY, "--yes", EXECUTION_MODE="dry_run")
    assert done.returncode == ExitCode.SETTINGS
    assert "EXECUTION_MODE is dry_run" in done.stderr
