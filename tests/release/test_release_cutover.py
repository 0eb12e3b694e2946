"""A service from its first deployment to another profile and back, by the runbook's commands."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import (
    Ending,
    Kind,
    Record,
    Records,
    environment,
    plan_rollback,
    plan_switch,
    verify_live,
)
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import PROFILE, RANKED, Desk, config_of
from tests.release.conftest import NOW, PATIENCE, Command

SERVICE = "rebalancer-ibkr"
OTHER = "global_etf_rotation"


@pytest.fixture
def ranked(running: tuple[Desk, Cloud]) -> tuple[str, ...]:
    """Return what is given for the ranked profile, of which a snapshot is published."""
    root = running[0].root
    folder = root.with_name("snapshots")
    universe = root.with_name("universe.csv")
    universe.write_text(
        "symbol,sector,start,end\nAAPL,Technology,2000-03-01,\nFB,Media,2012-05-18,\n"
        "GOOG,Media,2004-08-19,\n"
    )
    qpk = str(Path(sys.executable).with_name("qpk"))
    words = f"snapshot build {RANKED} --prices sample --as-of 2013-02-28 --to {folder}".split()
    words += ["--config", str(config_of(root, RANKED)), "--universe", str(universe)]
    subprocess.run((qpk, *words), check=True, capture_output=True)
    return (
        *("--profile", RANKED, "--set", f"IBKR_FEATURE_SNAPSHOT_PATH={folder}"),
        *("--set", f"IBKR_STRATEGY_CONFIG_PATH={config_of(root, RANKED)}"),
    )


def run(desk: Desk, cloud: Cloud) -> dict[str, Any]:
    """Let the service run its slot, as Cloud Scheduler does."""
    built = environment(desk.layout, desk.layout.platform("ibkr"), desk.head("ibkr"))
    report: dict[str, Any] = cloud.run(SERVICE, built.python, {"slot": "close"})["report"]
    return report


def test_a_service_goes_to_a_profile_with_snapshots_and_back(
    running: tuple[Desk, Cloud], qpk: Command, ranked: tuple[str, ...]
) -> None:
    desk, cloud = running
    before = cloud.environment(SERVICE)
    assert qpk(desk, "verify", "ibkr").returncode == 9  # it has not run yet
    assert run(desk, cloud)["strategies"][0]["profile"] == PROFILE
    assert qpk(desk, "verify", "ibkr").returncode == 0

    shown = qpk(desk, "switch", "ibkr", *ranked)
    assert shown.returncode == 0, shown.stderr
    assert cloud.environment(SERVICE) == before
    blind = qpk(desk, "switch", "ibkr", *ranked, "--apply")
    assert (blind.returncode, "SHADOW_MISSING" in blind.stderr) == (9, True)
    assert cloud.environment(SERVICE) == before
    assert qpk(desk, "shadow", "ibkr", *ranked).returncode == 0
    switched = qpk(desk, "switch", "ibkr", *ranked, "--apply", "--why", "the month ends")
    assert switched.returncode == 0, switched.stderr
    assert cloud.environment(SERVICE)["STRATEGY_PROFILE"] == RANKED

    unread = qpk(desk, "verify", "ibkr")  # the heartbeat of before says nothing of this
    assert (unread.returncode, "sent no heartbeat" in unread.stdout) == (9, True)
    report = run(desk, cloud)
    assert [each["side"] for each in report["orders"]] == ["buy", "buy"]
    verified = qpk(desk, "verify", "ibkr")
    assert verified.returncode == 0, verified.stdout

    assert qpk(desk, "rollback", "ibkr", "--apply").returncode == 0
    assert cloud.environment(SERVICE) == before
    run(desk, cloud)
    assert qpk(desk, "verify", "ibkr").returncode == 0

    deploy, switch, rollback = Records(desk.layout.records, SERVICE).all()
    assert [deploy.kind, switch.kind, rollback.kind] == [Kind.DEPLOY, Kind.SWITCH, Kind.ROLLBACK]
    assert {each.ending for each in (deploy, switch, rollback)} == {Ending.LANDED}
    assert switch.comparison.startswith("another plan, seen ")
    assert (switch.why, switch.heartbeat) == ("the month ends", report["run_key"])
    assert switch.before.variables["STRATEGY_PROFILE"] == PROFILE
    assert rollback.takes_back == switch.number
    assert rollback.removes == ("IBKR_FEATURE_SNAPSHOT_PATH",)


def switch(desk: Desk) -> Record:
    found = plan_switch(desk.layout, SERVICE, OTHER)
    return found.change.make(why="", now=NOW, patience=PATIENCE)


def rollback(desk: Desk) -> Record:
    place = desk.layout.platform("ibkr")
    return plan_rollback(desk.layout, place, SERVICE).make(why="", now=NOW, patience=PATIENCE)


def test_a_revision_that_does_not_start_is_told_and_taken_back(
    running: tuple[Desk, Cloud],
) -> None:
    desk, cloud = running
    before = cloud.environment(SERVICE)
    cloud.fail(SERVICE)
    with pytest.raises(ReleaseRefused, match="did not become what was meant") as refusal:
        switch(desk)
    assert refusal.value.code is ReasonCode.SERVICE_CHANGED
    assert cloud.environment(SERVICE) == before  # of what serves: runs go on as they were
    assert Records(desk.layout.records, SERVICE).all()[-1].ending is Ending.PARTIAL
    assert cloud.service(SERVICE)["status"]["conditions"][0]["status"] != "True"
    assert rollback(desk).ending is Ending.LANDED
    assert cloud.environment(SERVICE) == before


def test_a_change_whose_answer_was_lost_is_found_to_have_landed(
    running: tuple[Desk, Cloud],
) -> None:
    desk, cloud = running
    cloud.lose(SERVICE)
    assert switch(desk).ending is Ending.LANDED
    assert cloud.environment(SERVICE)["STRATEGY_PROFILE"] == OTHER


def test_a_change_that_was_cut_off_can_be_taken_back(running: tuple[Desk, Cloud]) -> None:
    desk, cloud = running
    before = cloud.environment(SERVICE)
    records = Records(desk.layout.records, SERVICE)
    records.write(replace(switch(desk), ending=Ending.BEGUN))
    assert rollback(desk).ending is Ending.LANDED
    assert cloud.environment(SERVICE) == before


def test_a_change_that_is_not_allowed_leaves_nothing_to_take_back(
    running: tuple[Desk, Cloud],
) -> None:
    desk, cloud = running
    found = plan_switch(desk.layout, SERVICE, OTHER)
    cloud.deny(SERVICE)
    with pytest.raises(ReleaseRefused):
        found.change.make(why="", now=NOW, patience=PATIENCE)
    assert [each.kind for each in Records(desk.layout.records, SERVICE).all()] == [Kind.DEPLOY]


@pytest.mark.parametrize(
    ("told", "flags"),
    [
        ("is still set: it is stale", ["--update-env-vars=IBKR_FEATURE_SNAPSHOT_PATH=gs://old"]),
        ("STRATEGY_PROFILE is", [f"--update-env-vars=STRATEGY_PROFILE={RANKED}"]),
        ("EXECUTION_MODE is", ["--update-env-vars=EXECUTION_MODE=live"]),
        ("has no label `commit`", ["--remove-labels=commit"]),
    ],
)
def test_what_somebody_changed_by_hand_fails_the_verification(
    running: tuple[Desk, Cloud], told: str, flags: list[str]
) -> None:
    desk, _ = running
    words = ("gcloud", "run", "services", "update", SERVICE, "--region=us-east4", *flags)
    subprocess.run(("/usr/bin/env", *words), check=True, capture_output=True)
    findings = verify_live(desk.layout, SERVICE, heartbeat="").findings
    assert any(told in finding.text for finding in findings)
