"""The operators' commands of risk: each does what it says, is audited, and works when it must."""

from __future__ import annotations

import getpass
import json
import os
import pwd
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import delete

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.store import AccountLease, Store, audit

Qpk = Callable[..., "CompletedProcess[str]"]
IBKR = ("--platform", "ibkr")
WHY = ("--why", "earnings", *IBKR)
PROFILE = "spy_macd_vixy"


@pytest.fixture
def limits_file(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Return a function that writes a limits file and returns the variable that names it."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "limits.yaml"
        path.write_text(text, encoding="utf-8")
        return {"QPK_RISK_LIMITS_PATH": str(path)}

    return write


def answer(done: CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == ExitCode.OK, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def refused(done: CompletedProcess[str], code: ExitCode, said: str) -> None:
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_halt_stops_the_next_run_and_a_resume_frees_it(qpk: Qpk) -> None:
    halted = qpk("halt", *WHY, "--who", "ann")
    assert halted.stdout == "gate: halted, since 2012-02-03 14:30 UTC, by ann: earnings\n"
    run = qpk("run", *IBKR)
    assert run.returncode == ExitCode.BLOCKED
    assert "ann: earnings" in run.stdout

    assert qpk("resume", *WHY, "--who", "ann").stdout.startswith("gate: active, since ")
    assert qpk("run", *IBKR).stdout.startswith("TRADED")


def test_a_halt_works_when_the_strategy_and_the_limits_do_not(
    qpk: Qpk, limits_file: Callable[[str], dict[str, str]]
) -> None:
    broken = limits_file("risk: {nonsense: 1}") | {"STRATEGY_PROFILE": "no_such_profile"}
    assert qpk("halt", *WHY, **broken).stdout.startswith("gate: halted")


def test_a_halt_does_not_wait_for_the_run_that_is_in_progress(qpk: Qpk, tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "state" / "paper.sqlite3")) as store:
        now = datetime(2012, 2, 3, tzinfo=UTC)
        with AccountLease(store, "another run", lambda: now).held():
            assert qpk("halt", *WHY).returncode == ExitCode.OK


def test_reducing_can_be_given_an_end_in_any_zone(qpk: Qpk) -> None:
    done = qpk("reduce", *WHY, "--who", "ann", "--until", "2012-02-03T16:00-05:00", "--json")
    assert answer(done) == {
        "gate": {
            "mode": "reducing",
            "since": "2012-02-03T14:30:00+00:00",
            "until": "2012-02-03T21:00:00+00:00",
            "who": "ann",
            "why": "earnings",
        }
    }
    shown = qpk("gate", *IBKR).stdout
    assert "gate: reducing, since 2012-02-03 14:30 UTC, until 2012-02-03 21:00 UTC" in shown


@pytest.mark.parametrize("until", ["soon", "2012-02-03", "2012-02-03T16:00"])
def test_an_end_without_a_zone_is_a_usage_error(qpk: Qpk, until: str) -> None:
    refused(qpk("reduce", *WHY, "--until", until), ExitCode.USAGE, "a time with its zone")


def test_an_end_that_is_past_is_a_usage_error(qpk: Qpk) -> None:
    done = qpk("resume", *WHY, "--until", "2012-02-03T14:30Z")
    refused(done, ExitCode.USAGE, "an instant to come")


@pytest.mark.parametrize(
    "command",
    ["halt", "resume", "reduce", f"pause {PROFILE}", f"unpause {PROFILE}", "set-bias 1"],
)
def test_a_command_without_a_reason_is_a_usage_error(qpk: Qpk, command: str) -> None:
    refused(qpk(*command.split(), *IBKR), ExitCode.USAGE, "--why")
    refused(qpk(*command.split(), *IBKR, "--why", " "), ExitCode.USAGE, "why is empty")


def test_who_is_the_systems_user_whatever_the_variables_say(
    qpk: Qpk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert getpass.getuser() == "somebody-else"
    qpk("halt", *WHY, USER="somebody-else", LOGNAME="somebody-else")
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert f"by {me}: earnings" in qpk("gate", *IBKR).stdout


def test_a_user_without_a_name_must_give_one(qpk: Qpk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    refused(qpk("halt", *WHY), ExitCode.USAGE, "give --who")
    assert qpk("halt", *WHY, "--who", "ann").returncode == ExitCode.OK


def test_a_pause_freezes_the_strategy_until_it_is_ended(qpk: Qpk) -> None:
    paused = qpk("pause", PROFILE, *WHY, "--who", "ann")
    assert paused.stdout == (f"{PROFILE}: paused by ann: earnings, since 2012-02-03 14:30 UTC\n")
    run = qpk("run", *IBKR)
    assert run.returncode == ExitCode.BLOCKED
    assert run.stdout.startswith("BLOCKED STRATEGY_PAUSED")
    assert f"{PROFILE}: paused by ann" in qpk("gate", *IBKR).stdout

    assert qpk("unpause", PROFILE, *WHY).stdout == "no strategy is paused\n"
    assert qpk("run", *IBKR).stdout.startswith("TRADED")


def test_a_pause_of_what_does_not_run_here_is_refused(qpk: Qpk) -> None:
    refused(qpk("pause", "spy_macd", *WHY), ExitCode.USAGE, f"expected one of {PROFILE}")
    refused(qpk("unpause", PROFILE, *WHY), ExitCode.USAGE, "one that is paused (none)")


def test_a_bias_is_set_shown_and_taken_away(qpk: Qpk) -> None:
    assert qpk("set-bias", "0.25", *WHY).stdout == "bias: 0.25\n"
    assert "bias: 0.25" in qpk("gate", *IBKR).stdout
    assert answer(qpk("limits", *IBKR, "--json"))["bias"] == {"alarm": "", "factor": "0.25"}

    assert answer(qpk("set-bias", "off", *WHY, "--json")) == {"bias": None}
    assert "bias: 1" in qpk("gate", *IBKR).stdout


@pytest.mark.parametrize("value", ["1.1", "-1", "lots", "NaN"])
def test_a_bias_that_is_none_is_a_usage_error(qpk: Qpk, value: str) -> None:
    done = qpk("set-bias", *WHY, "--", value)
    refused(done, ExitCode.USAGE, "a number from 0 to 1")


def test_a_run_keeps_to_the_limits_of_the_file(
    qpk: Qpk, limits_file: Callable[[str], dict[str, str]]
) -> None:
    written = limits_file("risk: {position: {max_shares_per_symbol: 100}}")
    assert qpk("run", *IBKR, **written).returncode == ExitCode.OK
    [order] = answer(qpk("show", "latest", *IBKR, "--json"))["orders"]  # type: ignore[misc, attr-defined]
    assert (order["quantity"], order["leg"]["limited_by"]) == ("100", "POSITION_LIMIT")  # type: ignore[index]


def test_limits_are_shown_with_what_the_bias_makes_of_them(
    qpk: Qpk, limits_file: Callable[[str], dict[str, str]]
) -> None:
    written = limits_file("risk: {loss: {daily_loss_limit: 2%}, portfolio: {max_positions: 7}}")
    qpk("set-bias", "0.5", *WHY)
    rows = {
        line.split()[0]: line.split()[1:3]
        for line in qpk("limits", *IBKR, **written).stdout.splitlines()
        if line.strip().startswith("risk.")
    }
    assert rows["risk.loss.daily_loss_limit"] == ["2%", "1.0%"]
    assert rows["risk.portfolio.max_positions"] == ["7", "3"]
    assert rows["risk.portfolio.max_exposure_pct"] == ["100", "50.0"]
    assert rows["risk.kill_switch.auto_trigger_on_daily_loss"] == ["false", "false"]
    assert rows["risk.position.max_shares_per_symbol"] == ["none", "none"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("risk: {loss: {daily_los_limit: 5}}", "Did you mean daily_loss_limit?"),
        ("risk: {loss: {strategies: {spy_macd: {}}}}", f"Did you mean {PROFILE}?"),
    ],
)
def test_a_limits_file_that_cannot_be_used_stops_the_start(
    qpk: Qpk, limits_file: Callable[[str], dict[str, str]], text: str, said: str
) -> None:
    refused(qpk("run", *IBKR, **limits_file(text)), ExitCode.SETTINGS, said)


def test_peaks_can_be_forgotten(qpk: Qpk) -> None:
    assert qpk("reset-peaks", *WHY).stdout.startswith("peaks: forgotten")
    assert answer(qpk("audit", *IBKR, "--json"))["entries"][0]["action"] == "reset-peaks"  # type: ignore[index]


def test_the_audit_log_lists_what_operators_did(qpk: Qpk) -> None:
    qpk("halt", *WHY, "--who", "ann")
    qpk("resume", *WHY, "--who", "ben")
    found = answer(qpk("audit", *IBKR, "--json"))
    assert [(e["seq"], e["who"], e["action"]) for e in found["entries"]] == [  # type: ignore[attr-defined]
        (2, "ben", "resume"),
        (1, "ann", "halt"),
    ]
    assert found["broken"] is None
    shown = qpk("audit", *IBKR, "--count", "1").stdout
    assert "why: earnings" in shown
    assert "ann" not in shown


def test_an_audit_log_that_was_changed_fails_the_command(qpk: Qpk, tmp_path: Path) -> None:
    for _ in range(3):
        qpk("halt", *WHY)
    with closing(Store.open(tmp_path / "state" / "paper.sqlite3")) as store, store.begin() as it:
        it.execute(delete(audit).where(audit.c.seq == 2))
    refused(qpk("audit", *IBKR), ExitCode.FAILED, "the audit log was changed: entry 2 missing")


@pytest.mark.parametrize("command", ["halt", f"pause {PROFILE}", "set-bias 1", "reset-peaks"])
def test_in_dry_run_there_is_nothing_to_steer(qpk: Qpk, command: str) -> None:
    done = qpk(*command.split(), *WHY, EXECUTION_MODE="dry_run")
    refused(done, ExitCode.SETTINGS, "EXECUTION_MODE is dry_run")


def test_in_dry_run_the_gate_that_trades_is_shown(qpk: Qpk) -> None:
    qpk("halt", *WHY)
    assert "gate: halted" in qpk("gate", *IBKR, EXECUTION_MODE="dry_run").stdout
