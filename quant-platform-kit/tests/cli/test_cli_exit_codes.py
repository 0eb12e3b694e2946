"""A script learns from the exit code alone how `qpk` ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.market import SystemClock
from quant_platform_kit.store import AccountLease, Store

Qpk = Callable[..., "CompletedProcess[str]"]
RUN = ("run", "--platform", "schwab")


def assert_ended(done: CompletedProcess[str], code: ExitCode, said: str) -> None:
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_run_that_traded_ends_ok_and_so_does_its_repetition(shell: Qpk) -> None:
    first, second = shell(*RUN), shell(*RUN)
    assert (first.returncode, second.returncode) == (ExitCode.OK, ExitCode.OK)
    assert first.stdout.startswith("TRADED\n")
    assert "this is its first report. Nothing was done." in second.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--platform", "nosuch"),
        (*RUN, "--session", "tomorrow"),
        (*RUN, "--slot", "two words"),
        ("nosuch",),
    ],
    ids=" ".join,
)
def test_a_malformed_argument_is_a_usage_error(qpk: Qpk, arguments: tuple[str, ...]) -> None:
    assert_ended(qpk(*arguments), ExitCode.USAGE, "")


def test_a_blocked_run_prints_its_report_and_says_so(qpk: Qpk) -> None:
    done = qpk(*RUN, STRATEGY_CONFIG_PATH="")  # its own symbols are not in this market
    assert done.returncode == ExitCode.BLOCKED
    assert done.stdout.startswith("BLOCKED HISTORY_MISSING")


def test_an_unknown_profile_refuses_the_run_with_the_nearest_name(
    shell: Qpk, environ: dict[str, str]
) -> None:
    environ["STRATEGY_PROFILE"] = "spy_macd"
    done = shell(*RUN)
    assert_ended(done, ExitCode.BLOCKED, "qpk: PROFILE_UNKNOWN: No installed package")
    assert "spy_macd_vixy" in done.stderr


def test_a_book_that_vanished_at_the_broker_fails_the_run(qpk: Qpk, tmp_path: Path) -> None:
    assert qpk(*RUN).returncode == ExitCode.OK
    (tmp_path / "state" / "simulated-broker.jsonl").unlink()
    done = qpk(*RUN, "--session", "2012-02-06")
    assert done.returncode == ExitCode.FAILED
    assert done.stdout.startswith("FAILED POSITIONS_VANISHED")


def test_a_run_beside_another_one_is_told_to_come_back(shell: Qpk, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "state" / "paper.sqlite3")
    with AccountLease(store, "another run", SystemClock().now).held():
        done = shell(*RUN)
    store.close()
    assert_ended(done, ExitCode.BUSY, "qpk: LEASE_HELD: Another run of this account")


@pytest.mark.parametrize("arguments", [("show", "nosuch"), ("show", "latest"), ("explain", "no")])
def test_an_unknown_run_or_order_is_not_found(qpk: Qpk, arguments: tuple[str, ...]) -> None:
    assert_ended(qpk(*arguments, "--platform", "schwab"), ExitCode.NOT_FOUND, "qpk: no ")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"QPK_STATE_DIRECTORY": "x"}, "Did you mean QPK_STATE_DIR?"),
        ({"EXECUTION_MODE": "yes"}, "EXECUTION_MODE = 'yes'"),
        ({"STRATEGY_CONFIG_PATH": "nosuch.json"}, "CONFIG_INVALID"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    qpk: Qpk, variables: dict[str, str], said: str
) -> None:
    assert_ended(qpk(*RUN, **variables), ExitCode.SETTINGS, said)


def test_help_and_the_documentation_list_every_exit_code(qpk: Qpk) -> None:
    help_text = " ".join(qpk("--help").stdout.split())
    documented = " ".join((ExitCode.__doc__ or "").split())
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in help_text
        assert f"{code.value} {code.name} {code.meaning}" in documented


def test_the_numbers_never_change() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "USAGE": 2,
        "BLOCKED": 3,
        "FAILED": 4,
        "BUSY": 5,
        "NOT_FOUND": 6,
        "SETTINGS": 7,
        "CARD_FAILED": 8,
        "RELEASE": 9,
        "OUTPUT": 10,
        "INTERRUPTED": 130,
    }
