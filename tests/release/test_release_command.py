"""`qpk release`: what people see, and what scripts learn from the exit code."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.release import Weight, load_layout, pin, plan, status
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import REGIONS, SERVICES, Desk, git

Command = Callable[..., "CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]


def test_a_release_by_hand_follows_the_commands_that_each_step_prints(
    house: Desk, qpk: Command
) -> None:
    asked = qpk(house, "kit", "0.1.0")
    assert asked.returncode == ExitCode.RELEASE
    assert "Begin" in asked.stderr
    reviewed = asked.stderr.split("--reviewed ")[1].split("`")[0]
    done = qpk(house, "kit", "0.1.0", "--reviewed", reviewed)
    assert done.returncode == ExitCode.OK, done.stderr
    subprocess.run(shlex.split(done.stdout.split("next: ")[1]), check=True, capture_output=True)
    qpk(house, "strategies", "0.1.0", "--reviewed", reviewed)
    unpublished = qpk(house, "pins")
    assert unpublished.returncode == ExitCode.RELEASE
    push = unpublished.stderr.split("Push it: `")[1].split("`")[0]
    subprocess.run(shlex.split(push), check=True, capture_output=True)
    assert qpk(house, "pins", "--kit", "0.1.0").returncode == ExitCode.OK
    tried = qpk(house, "verify-pins", "ibkr")
    assert tried.returncode == ExitCode.OK, tried.stderr
    assert "ibkr: starts from its pins, bundle" in tried.stdout


def test_status_is_ok_on_a_fresh_desk_and_not_once_platforms_differ(
    house: Desk, qpk: Command
) -> None:
    fresh = qpk(house, "status")
    assert fresh.returncode == ExitCode.OK
    assert "mini-kit: 0.1.0 has no tag yet" in fresh.stdout
    house.release_both()
    pin(house.layout, {})
    older = (house.folder("ibkr") / "bundle.json").read_text()
    pins = (house.folder("ibkr") / "requirements.txt").read_text()
    house.commit_platforms()
    house.release_both("0.2.0")
    pin(house.layout, {})
    house.write("ibkr", "bundle.json", older, commit=False)
    house.write("ibkr", "requirements.txt", pins, commit=False)
    found = qpk(house, "status")
    assert found.returncode == ExitCode.RELEASE
    assert "✕ mini-kit: platforms pin different versions: 0.1.0 on ibkr, 0.2.0 on longbridge" in (
        found.stdout
    )
    plain = json.loads(qpk(house, "status", "--json").stdout)
    assert plain["matches"] is False
    assert plain["platforms"]["ibkr"]["mini-kit"] == "0.1.0"
    assert plain["platforms"]["longbridge"]["mini-kit"] == "0.2.0"


def test_a_platform_without_pins_beside_one_with_them_is_a_mismatch(house: Desk) -> None:
    house.release_both()
    pin(house.layout, {})
    (house.folder("longbridge") / "bundle.json").unlink()
    found = [each for each in status(house.layout).findings if each.weight is Weight.MISMATCH]
    assert [each.text for each in found] == ["longbridge without pins, beside ibkr"]


def test_status_asks_cloud_run_where_it_is_told_to(house: Desk, qpk: Command, cloud: Cloud) -> None:
    assert "rebalancer-ibkr: it is not deployed yet" in qpk(house, "status", "--live").stdout
    cloud.add("rebalancer-ibkr", region=REGIONS["ibkr"])
    found = qpk(house, "status", "--live")
    assert found.returncode == ExitCode.RELEASE
    assert "✕ rebalancer-ibkr: it has no label `commit`" in found.stdout
    plain = json.loads(qpk(house, "status", "--live", "--json").stdout)
    assert plain["services"]["rebalancer-ibkr"] == {"commit": "", "bundle": None, "ready": True}


def test_status_is_shown_without_an_answer_of_the_remote_and_is_not_ok(
    house: Desk, qpk: Command
) -> None:
    house.git("ibkr", "remote", "set-url", "origin", "../gone.git")
    found = qpk(house, "status")
    assert found.returncode == ExitCode.RELEASE
    assert "✕ mini-kit: origin does not answer" in found.stdout
    assert "0.1.0" in found.stdout


def test_the_plan_of_a_new_kit_moves_strategies_pins_and_then_services(desk: Desk) -> None:
    desk.release_both()
    pin(desk.layout, {})
    desk.commit_platforms()
    before = desk.refs()
    steps = [step for step in plan(desk.layout, {"kit": "0.2.0"}) if not step.done]
    assert desk.refs() == before
    assert [step.what.split()[0] for step in steps[:6]] == [
        *("Release", "Publish", "Release", "Publish", "Pin", "Build")
    ]
    assert steps[2].commands == ("./release.sh strategies 0.2.0",)
    assert "its changelog says nothing about 0.2.0 yet" in steps[0].what
    assert steps[4].commands == ("./release.sh pins --kit 0.2.0 --strategies 0.2.0",)
    services = [step for step in steps if step.what.startswith("Deploy")]
    assert [step.commands[0] for step in services] == [
        f"./release.sh deploy {name}" for name in SERVICES
    ]
    for step, names in zip(services, SERVICES.values(), strict=True):
        assert all(name in step.what for name in names)


@pytest.mark.parametrize(
    ("remote", "pinned"),
    [
        ("git@git.invalid:desk/desk.git", "git+ssh://git@git.invalid/desk/desk.git@"),
        ("https://me:secret@git.invalid/desk.git", "git+https://git.invalid/desk.git@"),
    ],
)
def test_pins_name_the_remote_and_never_a_login_of_it(
    remote: str, pinned: str, house: Desk
) -> None:
    house.release_both()
    path = house.root / "release.toml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("url")))
    bare = house.root / git(house.root, "config", "remote.origin.url")
    git(house.root, "remote", "set-url", "origin", remote)
    git(house.root, "config", f"url.{bare}.insteadOf", remote)
    pin(house.layout, {})
    text = (house.folder("ibkr") / "requirements.txt").read_text()
    assert pinned in text
    assert "secret" not in text


def test_what_the_workspace_releases_is_there() -> None:
    layout = load_layout(ROOT)
    assert [package.role for package in layout.packages] == ["kit", "strategies", "pipelines"]
    assert {place.name for place in layout.platforms} == {"ibkr", "schwab", "longbridge"}


def test_the_front_door_takes_every_command() -> None:
    done = subprocess.run(
        [ROOT / "release.sh", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for verb in (
        "status",
        "plan",
        "kit",
        "strategies",
        "pipelines",
        "pins",
        "verify-pins",
        "shadow",
    ):
        assert f" {verb} " in done.stdout
