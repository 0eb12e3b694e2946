"""What services run is asked, compared with the pins, and never assumed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from quant_platform_kit.release import Weight, deployed, pin, plan
from tests.cloud import Cloud
from tests.desk import Desk

SERVICES = ("north-hk", "north-sg", "south-hk", "south-sg")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return a project in which every service was made by hand."""
    made = Cloud.make(tmp_path / "cloud")
    for name in SERVICES:
        made.add(name)
    monkeypatch.setenv("PATH", f"{made.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IMAGES", "images.invalid/desk")
    return made


@pytest.fixture
def pinned(house: Desk) -> Desk:
    """Return a desk whose pins are committed."""
    house.release_both()
    pin(house.layout, {})
    house.commit_platforms()
    return house


def deploy(desk: Desk, name: str) -> None:
    """Run the commands that the plan prints for a service."""
    (step,) = (s for s in plan(desk.layout, {}) if s.what.startswith(f"Deploy {name};"))
    for command in step.commands:
        subprocess.run(["/bin/bash", "-ec", command], cwd=desk.root, check=True)


def mismatches(desk: Desk) -> dict[str, str]:
    found = (finding for each in deployed(desk.layout) for finding in each.findings)
    return {each.place: each.text for each in found if each.weight is Weight.MISMATCH}


def test_services_deployed_by_the_plan_run_what_is_pinned_and_keep_their_variables(
    pinned: Desk, cloud: Cloud
) -> None:
    for name in SERVICES:
        deploy(pinned, name)
    assert mismatches(pinned) == {}
    head = pinned.head("north")
    assert cloud.environment("south-sg") == {"STRATEGY_PROFILE": "a,b=c", "QPK_COMMIT": head}


def test_a_commit_that_changes_no_platform_is_no_difference(pinned: Desk, cloud: Cloud) -> None:
    deploy(pinned, "north-hk")
    pinned.write("mini-kit", "README.md", "Later.\n")
    assert "north-hk" not in mismatches(pinned)


def test_a_service_that_runs_another_bundle_has_to_be_deployed_first(
    pinned: Desk, cloud: Cloud
) -> None:
    deploy(pinned, "north-hk")
    pinned.release_both("0.2.0")
    pin(pinned.layout, {})
    assert "deploy it before any switch" in mismatches(pinned)["north-hk"]


def test_a_service_without_the_label_of_its_commit_is_not_trusted(
    pinned: Desk, cloud: Cloud
) -> None:
    assert all("no label `commit`" in text for text in mismatches(pinned).values())
    assert mismatches(pinned).keys() == set(SERVICES)


def test_a_revision_that_never_became_ready_is_not_taken_for_what_serves(
    pinned: Desk, cloud: Cloud
) -> None:
    cloud.fail("north-hk")
    deploy(pinned, "north-hk")
    assert "not what serves" in mismatches(pinned)["north-hk"]


def test_a_permission_that_is_missing_is_a_mismatch_and_a_missing_service_is_none(
    pinned: Desk, cloud: Cloud
) -> None:
    cloud.deny("north-hk")
    (cloud.folder / "services" / "north-sg.json").unlink()
    found = mismatches(pinned)
    assert "PERMISSION_DENIED" in found["north-hk"]
    assert "north-sg" not in found


def test_a_commit_that_nobody_has_here_is_a_mismatch(pinned: Desk, cloud: Cloud) -> None:
    deploy(pinned, "north-hk")
    path = cloud.folder / "services" / "north-hk.json"
    path.write_text(path.read_text().replace(pinned.head("north"), "0" * 40))
    assert f"commit {'0' * 40} is not here" in mismatches(pinned)["north-hk"]
