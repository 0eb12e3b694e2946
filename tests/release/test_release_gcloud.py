"""What gcloud is told arrives as it was meant, and what it says is read or refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import plan_deployment, read_service
from quant_platform_kit.release._gcloud import update  # the words of one call
from quant_platform_kit.testing._gcloud._flags import pairs  # how gcloud splits them
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import Desk
from tests.release.conftest import NOW, PATIENCE, Command

SERVICE = "rebalancer-ibkr"
VALUES = st.text(
    st.characters(codec="ascii", exclude_categories=("C",), exclude_characters="%"), max_size=12
)
NAMES = st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_values_with_commas_and_signs_arrive_whole(
    one_desk: Desk, variables: dict[str, str]
) -> None:
    place = one_desk.layout.platform("ibkr")
    words = update(place, SERVICE, sets=variables).words
    assert pairs(words[words.index("--update-env-vars") + 1]) == variables


def test_values_that_hold_every_delimiter_are_refused(one_desk: Desk) -> None:
    place = one_desk.layout.platform("ibkr")
    with pytest.raises(ReleaseRefused, match="change one at a time"):
        update(place, SERVICE, sets={"A": ",;|#@!~:%/"})


def test_every_service_gets_the_jobs_of_its_platform(running: tuple[Desk, Cloud]) -> None:
    _, cloud = running
    jobs = cloud.jobs()
    assert {name for name in jobs if name.startswith(SERVICE)} == {
        f"{SERVICE}-{when}" for when in ("close", "early-july", "early-november", "early-december")
    }
    job = jobs["rebalancer-longbridge-sg-close"]
    url = cloud.service("rebalancer-longbridge-sg")["status"]["url"]
    assert (job["schedule"], job["timeZone"]) == ("35 15 * * 1-5", "America/New_York")
    assert job["httpTarget"]["uri"] == f"{url}/run"
    assert job["httpTarget"]["oidcToken"]["audience"] == url
    assert job["attemptDeadline"] == "1200s"


def test_a_second_deployment_moves_image_and_commit_and_nothing_else(
    running: tuple[Desk, Cloud],
) -> None:
    desk, cloud = running
    before, jobs = cloud.environment(SERVICE), cloud.jobs()
    desk.write("ibkr", "README.md", "Changed.\n")
    subprocess.run(("/usr/bin/env", "git", "push", "--quiet"), cwd=desk.root, check=True)
    found = plan_deployment(desk.layout, desk.layout.platform("ibkr"))
    (record,) = found.make(why="", now=NOW, patience=PATIENCE)
    head = desk.head("ibkr")
    assert cloud.environment(SERVICE) == before | {"QPK_COMMIT": head}
    assert (record.before.commit, record.after.commit) == (before["QPK_COMMIT"], head)
    assert cloud.jobs().keys() == jobs.keys()
    assert not plan_deployment(desk.layout, desk.layout.platform("ibkr")).changes


def test_a_switch_can_be_planned_from_a_saved_description(
    running: tuple[Desk, Cloud], qpk: Command, tmp_path: Path
) -> None:
    desk, cloud = running
    saved = tmp_path / "service.json"
    saved.write_text(json.dumps(cloud.service(SERVICE)))
    cloud.deny(SERVICE)
    shown = qpk(desk, "switch", "ibkr", "--profile", "global_etf_rotation", "--from", str(saved))
    assert shown.returncode == 0, shown.stderr
    assert "remove" in shown.stdout  # the configuration of the profile before
    refused = qpk(desk, "switch", "ibkr", "--from", str(saved), "--apply")
    assert refused.returncode == 2


@pytest.mark.parametrize("text", ["", "[]", '{"metadata": {}}', "not JSON"])
def test_a_description_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ReleaseRefused) as refusal:
        read_service(text)
    assert refusal.value.code is ReasonCode.RELEASE_TOOL
