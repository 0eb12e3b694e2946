"""An operator's command reaches the account of a service as it is deployed, or nothing at all."""

from __future__ import annotations

import subprocess

from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import Desk
from tests.release.conftest import Command

SERVICE = "rebalancer-ibkr"


def halt(desk: Desk, qpk: Command, service: str) -> tuple[int, str]:
    done = qpk(desk, "at", "--root", str(desk.root), service, "halt", "--why", "a test")
    return done.returncode, done.stderr


def test_a_service_that_release_toml_does_not_name_is_refused(house: Desk, qpk: Command) -> None:
    code, said = halt(house, qpk, "rebalancer-ibrk")
    assert (code, "it has no service 'rebalancer-ibrk'" in said) == (9, True)


def test_a_service_that_is_not_deployed_has_no_account_to_reach(
    house: Desk, cloud: Cloud, qpk: Command
) -> None:
    del cloud
    code, said = halt(house, qpk, SERVICE)
    assert (code, "DEPLOY_MISMATCH" in said) == (9, True)


def test_without_an_answer_from_google_nothing_is_run(
    house: Desk, cloud: Cloud, qpk: Command
) -> None:
    cloud.add(SERVICE, {"QPK_STATE_DIR": "/nowhere"}, region="us-east4")
    cloud.deny(SERVICE)
    code, said = halt(house, qpk, SERVICE)
    assert (code, "RELEASE_TOOL" in said) == (9, True)


def test_a_memory_that_only_the_service_can_reach_is_not_mistaken_for_an_empty_one(
    house: Desk, cloud: Cloud, qpk: Command
) -> None:
    cloud.add(SERVICE, {"EXECUTION_MODE": "paper"}, region="us-east4")
    code, said = halt(house, qpk, SERVICE)
    assert (code, "keeps what it remembers on its own machine" in said) == (9, True)


def test_a_service_of_unknown_code_is_not_operated_with_other_code(
    house: Desk, cloud: Cloud, qpk: Command
) -> None:
    cloud.add(SERVICE, {"QPK_STATE_DIR": "/nowhere"}, region="us-east4")
    code, said = halt(house, qpk, SERVICE)
    assert (code, "PIN_MISSING" in said) == (9, True)


def test_it_is_told_when_what_was_deployed_last_does_not_serve(
    house: Desk, cloud: Cloud, qpk: Command
) -> None:
    cloud.add(SERVICE, {"QPK_STATE_DIR": "/nowhere"}, region="us-east4")
    cloud.fail(SERVICE)
    words = ("run", "services", "update", SERVICE, "--region=us-east4", "--update-env-vars=A=1")
    subprocess.run([cloud.path / "gcloud", *words], check=False, capture_output=True)
    _, said = halt(house, qpk, SERVICE)
    assert "what was deployed last does not serve" in said
