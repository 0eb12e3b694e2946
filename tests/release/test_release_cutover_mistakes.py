"""Every row of the second table in docs/release.md: mistakes of a cutover, and what they meet.

Each is made at a desk whose services run what is pinned; none of them may change a service.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import (
    Switch,
    pin,
    plan_deployment,
    plan_rollback,
    plan_switch,
    read_service,
    shadow,
)
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import PROFILE, RANKED, Desk, git
from tests.release.conftest import NOW, PATIENCE

PAGE: Final = Path(__file__).parents[2] / "docs" / "release.md"
IBKR, HONG_KONG = "rebalancer-ibkr", "rebalancer-longbridge-hk"
OTHER: Final = "global_etf_rotation"

Act = Callable[[], object]
Mistake = Callable[[Desk, Cloud], Act]
"""Prepares a desk and its cloud, and returns what the mistaken person does next."""
MISTAKES: Final[dict[str, tuple[ReasonCode, Mistake]]] = {}


def mistake(told: str, code: ReasonCode) -> Callable[[Mistake], Mistake]:
    """Enter a mistake into the table."""

    def enter(made: Mistake) -> Mistake:
        MISTAKES[told] = code, made
        return made

    return enter


def deploy(desk: Desk, platform: str = "ibkr") -> object:
    found = plan_deployment(desk.layout, desk.layout.platform(platform))
    return found.make(why="", now=NOW, patience=PATIENCE)


def switch(desk: Desk, profile: str = OTHER, **given: str) -> Switch:
    return plan_switch(desk.layout, IBKR, profile, given=given)


def make(found: Switch, now: datetime = NOW) -> object:
    found.compared(now)
    return found.change.make(why="", now=now, patience=PATIENCE)


def rollback(desk: Desk) -> object:
    place = desk.layout.platform("ibkr")
    return plan_rollback(desk.layout, place, IBKR).make(why="", now=NOW, patience=PATIENCE)


def publish(desk: Desk, file: str = "README.md") -> None:
    """Commit a change of the platform, and push it."""
    desk.write("ibkr", file, "Changed.\n")
    git(desk.root, "push", "--quiet")


def change_by_hand(desk: Desk, service: str, *flags: str) -> None:
    """Change a service past the records."""
    region = desk.layout.service(service).region
    words = (
        "/usr/bin/env",
        "gcloud",
        "run",
        "services",
        "update",
        service,
        f"--region={region}",
        *flags,
    )
    subprocess.run(words, check=True, capture_output=True)


# ── Deploying ──────────────────────────────────────────────────────────────────────────


@mistake("A deployment of pins that nobody has built and started", ReasonCode.PIN_UNTRIED)
def _(desk: Desk, cloud: Cloud) -> Act:
    desk.write("ibkr", "platform.toml", '[rollout]\nenabled = ["global_etf_rotation"]\n')
    pin(desk.layout, {})
    publish(desk)
    return lambda: deploy(desk)


@mistake("A deployment with a file that is not committed", ReasonCode.DEPLOY_UNPUBLISHED)
def _(desk: Desk, cloud: Cloud) -> Act:
    desk.write("ibkr", "main.py", "raise SystemExit\n", commit=False)
    return lambda: deploy(desk)


@mistake("A deployment of a commit that was never pushed", ReasonCode.DEPLOY_UNPUBLISHED)
def _(desk: Desk, cloud: Cloud) -> Act:
    desk.write("ibkr", "README.md", "Changed.\n")
    return lambda: deploy(desk)


@mistake(
    "A deployment from a release.toml that names no place for images", ReasonCode.RELEASE_LAYOUT
)
def _(desk: Desk, cloud: Cloud) -> Act:
    path = desk.root / "release.toml"
    path.write_text(re.sub(r"(?m)^images = .*\n", "", path.read_text()))
    return lambda: deploy(desk)


@mistake("A deployment by somebody who may not", ReasonCode.RELEASE_TOOL)
def _(desk: Desk, cloud: Cloud) -> Act:
    publish(desk)
    cloud.deny(IBKR)
    return lambda: deploy(desk)


@mistake("A deployment of an image that cannot be built", ReasonCode.RELEASE_TOOL)
def _(desk: Desk, cloud: Cloud) -> Act:
    publish(desk)
    cloud.break_build()
    return lambda: deploy(desk)


@mistake("A deployment where gcloud is not installed", ReasonCode.RELEASE_TOOL)
def _(desk: Desk, cloud: Cloud) -> Act:
    (cloud.path / "gcloud").unlink()
    return lambda: deploy(desk)


# ── Switching ──────────────────────────────────────────────────────────────────────────


@mistake("A switch before the code is deployed", ReasonCode.DEPLOY_MISMATCH)
def _(desk: Desk, cloud: Cloud) -> Act:
    desk.write("ibkr", "platform.toml", '[rollout]\nenabled = ["global_etf_rotation"]\n')
    pin(desk.layout, {})
    publish(desk)
    return lambda: switch(desk)


@mistake("A switch of a service that somebody deployed by hand", ReasonCode.SERVICE_CHANGED)
def _(desk: Desk, cloud: Cloud) -> Act:
    change_by_hand(desk, IBKR, "--remove-labels=commit")
    return lambda: switch(desk)


@mistake("A switch while what was deployed last does not serve", ReasonCode.DEPLOY_MISMATCH)
def _(desk: Desk, cloud: Cloud) -> Act:
    cloud.fail(IBKR)
    with pytest.raises(subprocess.CalledProcessError):
        change_by_hand(desk, IBKR, "--update-env-vars=QPK_LANGUAGES=zh")
    return lambda: switch(desk)


@mistake("A switch of a service that is gone", ReasonCode.SERVICE_CHANGED)
def _(desk: Desk, cloud: Cloud) -> Act:
    cloud.remove(IBKR)
    return lambda: switch(desk)


@mistake("A switch of a service under a new name", ReasonCode.RELEASE_LAYOUT)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: plan_switch(desk.layout, f"{IBKR}-2", OTHER)


@mistake("A misspelt profile", ReasonCode.SWITCH_PROFILE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, "global_etf_rotations")


@mistake("A profile that is not on the platform's rollout list", ReasonCode.SWITCH_PROFILE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, "momentum")


@mistake("A mode that there is not", ReasonCode.SWITCH_PROFILE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: plan_switch(desk.layout, IBKR, OTHER, mode="LIVE")


@mistake(
    "A profile that reads snapshots, without a word where they are", ReasonCode.SWITCH_VARIABLE
)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, RANKED)


@mistake("A snapshot for a profile that reads none", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, IBKR_FEATURE_SNAPSHOT_PATH="gs://desk/features")


@mistake("A variable changed on the way that is not the profile's", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, QPK_CASH_FLOOR_USD="0")


@mistake("A variable of another platform", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, SCHWAB_STRATEGY_CONFIG_PATH="config.json")


@mistake("A blank variable, to have it gone", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: switch(desk, IBKR_STRATEGY_CONFIG_PATH=" ")


@mistake("A regional service with another region's account", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    change_by_hand(desk, HONG_KONG, "--update-env-vars=ACCOUNT_PREFIX=SG")
    return lambda: plan_switch(desk.layout, HONG_KONG, OTHER)


@mistake("A regional service that does not say whose account it is", ReasonCode.SWITCH_VARIABLE)
def _(desk: Desk, cloud: Cloud) -> Act:
    change_by_hand(desk, HONG_KONG, "--remove-env-vars=ACCOUNT_REGION")
    return lambda: plan_switch(desk.layout, HONG_KONG, OTHER)


@mistake("A switch that nobody has compared with what runs now", ReasonCode.SHADOW_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: make(switch(desk))


@mistake("A switch to other variables than were compared", ReasonCode.SHADOW_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    config = desk.root.with_name("configs") / f"{PROFILE}.json"
    shadow(desk.layout, IBKR, now=NOW, profile=PROFILE)
    return lambda: make(switch(desk, PROFILE, IBKR_STRATEGY_CONFIG_PATH=f"{config}.new"))


@mistake("A switch on a comparison of last week", ReasonCode.SHADOW_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    plain = plan_switch(desk.layout, IBKR, PROFILE, mode="paper")
    shadow(desk.layout, IBKR, now=NOW, profile=PROFILE)
    return lambda: make(plain, NOW + timedelta(days=7))


@mistake(
    "A profile that would be blocked, because its snapshot is not there", ReasonCode.SHADOW_MISSING
)
def _(desk: Desk, cloud: Cloud) -> Act:
    given = {"IBKR_FEATURE_SNAPSHOT_PATH": str(desk.root.with_name("nowhere"))}
    found = switch(desk, RANKED, **given)
    made = shadow(desk.layout, IBKR, now=NOW, profile=RANKED, sets=given)
    assert "SNAPSHOT_MISSING" in made.refusal
    return lambda: make(found)


@mistake("A switch of a service that somebody changes meanwhile", ReasonCode.SERVICE_CHANGED)
def _(desk: Desk, cloud: Cloud) -> Act:
    found = switch(desk)
    change_by_hand(desk, IBKR, "--update-env-vars=QPK_LANGUAGES=zh")
    return lambda: found.change.make(why="", now=NOW, patience=PATIENCE)


@mistake("A switch of a service that was changed past the records", ReasonCode.SERVICE_CHANGED)
def _(desk: Desk, cloud: Cloud) -> Act:
    cloud.change(IBKR, {"EXECUTION_MODE": "live"})
    return lambda: switch(desk)


@mistake("A saved description that is something else", ReasonCode.RELEASE_TOOL)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: read_service('{"kind": "Job"}')


# ── Going back ─────────────────────────────────────────────────────────────────────────


@mistake("A rollback of a service's first deployment", ReasonCode.RECORD_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    return lambda: rollback(desk)


@mistake("A rollback of a service without records", ReasonCode.RECORD_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    shutil.rmtree(desk.root / "records")
    return lambda: rollback(desk)


@mistake("A rollback by a record that was cut short", ReasonCode.RECORD_MISSING)
def _(desk: Desk, cloud: Cloud) -> Act:
    (path,) = (desk.root / "records" / IBKR).glob("*.json")
    path.write_text(path.read_text()[:200])
    return lambda: rollback(desk)


@mistake("A rollback of a service that was changed past the records", ReasonCode.SERVICE_CHANGED)
def _(desk: Desk, cloud: Cloud) -> Act:
    switch(desk).change.make(why="", now=NOW, patience=PATIENCE)
    change_by_hand(desk, IBKR, "--update-env-vars=STRATEGY_PROFILE=nasdaq_sp500_smart_dca")
    return lambda: rollback(desk)


def written(desk: Desk) -> dict[Path, str]:
    """Return the records of changes that took effect."""
    texts = {path: path.read_text() for path in sorted(desk.layout.records.rglob("*.json"))}
    return {path: text for path, text in texts.items() if '"ending": "nothing"' not in text}


@pytest.mark.parametrize("told", MISTAKES)
def test_a_mistake_is_refused_and_changes_no_service(
    told: str, running: tuple[Desk, Cloud]
) -> None:
    desk, cloud = running
    code, made = MISTAKES[told]
    act = made(desk, cloud)
    services, records = cloud.services(), written(desk)
    with pytest.raises(ReleaseRefused) as refusal:
        act()
    assert refusal.value.code is code, refusal.value.message
    assert re.search(r"[Nn]othing", refusal.value.message)
    assert cloud.services() == services
    assert written(desk) == records


def test_the_runbook_lists_every_mistake_of_a_cutover() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Mistakes in a cutover")[2]
    rows = re.findall(r"^\| ([^|]+?) \| `([A-Z_]+)` \|$", text, flags=re.MULTILINE)
    assert rows == [(told, code.value) for told, (code, _) in MISTAKES.items()]
