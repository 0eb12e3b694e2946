"""What services run is asked, compared with the pins, and never assumed."""

from __future__ import annotations

import subprocess
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.release import Weight, deployed, pin
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import REGIONS, SERVICES, Desk

NAMES = [name for names in SERVICES.values() for name in names]
VARIABLES = {"STRATEGY_PROFILE": "global_etf_rotation", "LIST": "a,b=c"}


@pytest.fixture(autouse=True)
def _made_by_hand(cloud: Cloud) -> None:
    for platform, names in SERVICES.items():
        for name in names:
            cloud.add(name, VARIABLES, region=REGIONS[platform])


@pytest.fixture
def pinned(house: Desk) -> Desk:
    """Return a desk whose pins are committed."""
    house.release_both()
    pin(house.layout, {})
    house.commit_platforms()
    return house


def deploy(desk: Desk, name: str) -> CompletedProcess[str]:
    """Deploy what is committed, as somebody does who has only gcloud."""
    platform = next(platform for platform, names in SERVICES.items() if name in names)
    image, commit = f"images.invalid/{platform}", desk.head(platform)
    gcloud("builds", "submit", str(desk.folder(platform)), "--tag", image)
    label = f"--update-labels=commit={commit}"
    where = f"--region={REGIONS[platform]}"
    return gcloud("run", "services", "update", name, where, f"--image={image}", label)


def gcloud(*words: str) -> CompletedProcess[str]:
    return subprocess.run(("/usr/bin/env", "gcloud", *words), check=False, text=True)


def mismatches(desk: Desk) -> dict[str, str]:
    found = (finding for each in deployed(desk.layout) for finding in each.findings)
    return {each.place: each.text for each in found if each.weight is Weight.MISMATCH}


def test_services_that_were_deployed_run_what_is_pinned(pinned: Desk) -> None:
    for name in NAMES:
        deploy(pinned, name)
    assert mismatches(pinned) == {}


def test_a_commit_that_changes_no_platform_is_no_difference(pinned: Desk) -> None:
    deploy(pinned, "rebalancer-ibkr")
    pinned.write("mini-kit", "README.md", "Later.\n")
    assert "rebalancer-ibkr" not in mismatches(pinned)


def test_a_service_that_runs_another_bundle_has_to_be_deployed_first(
    pinned: Desk, cloud: Cloud
) -> None:
    deploy(pinned, "rebalancer-ibkr")
    pinned.release_both("0.2.0")
    pin(pinned.layout, {})
    assert "deploy it before any switch" in mismatches(pinned)["rebalancer-ibkr"]


def test_a_service_without_the_label_of_its_commit_is_not_trusted(
    pinned: Desk, cloud: Cloud
) -> None:
    assert all("no label `commit`" in text for text in mismatches(pinned).values())
    assert mismatches(pinned).keys() == set(NAMES)


def test_a_revision_that_never_became_ready_is_not_taken_for_what_serves(
    pinned: Desk, cloud: Cloud
) -> None:
    cloud.fail("rebalancer-ibkr")
    assert deploy(pinned, "rebalancer-ibkr").returncode == 1
    assert "not what serves" in mismatches(pinned)["rebalancer-ibkr"]


def test_a_permission_that_is_missing_is_a_mismatch_and_a_missing_service_is_none(
    pinned: Desk, cloud: Cloud
) -> None:
    cloud.deny("rebalancer-ibkr")
    cloud.remove("rebalancer-longbridge-hk")
    found = mismatches(pinned)
    assert "PERMISSION_DENIED" in found["rebalancer-ibkr"]
    assert "rebalancer-longbridge-hk" not in found


def test_a_commit_that_nobody_has_here_is_a_mismatch(pinned: Desk) -> None:
    deploy(pinned, "rebalancer-ibkr")
    where = ("rebalancer-ibkr", "--region=us-east4")
    gcloud("run", "services", "update", *where, f"--update-labels=commit={'0' * 40}")
    assert f"commit {'0' * 40} is not here" in mismatches(pinned)["rebalancer-ibkr"]
