"""A service that is not what its bundle says does not start; one that is says so everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from flask import Flask

from quant_platform_kit.bundle import Bundle, Pin, differences, running_python
from quant_platform_kit.errors import ReasonCode, SettingsError

App = Callable[..., Flask]
INSTALLED = Bundle(
    platform="ibkr",
    python=running_python(),
    pins=(),
    libraries={"flask": version("flask")},
    lock_sha256="0" * 64,
    build_lock_sha256="1" * 64,
    config_sha256="2" * 64,
)


@pytest.fixture
def start(make_app: App, tmp_path: Path) -> Callable[[Bundle], Flask]:
    """Return a function that starts a service which was built from a bundle."""
    path = tmp_path / "bundle.json"

    def started(bundle: Bundle) -> Flask:
        path.write_text(json.dumps(bundle.document()))
        return make_app(QPK_BUNDLE_PATH=str(path))

    return started


def test_health_report_and_heartbeat_carry_the_bundle(start: Callable[[Bundle], Flask]) -> None:
    client = start(INSTALLED).test_client()
    assert client.get("/health").get_json()["bundle"] == INSTALLED.id
    body = client.post("/run").get_json()
    assert body["report"]["bundle"] == INSTALLED.id
    assert f"Bundle: {INSTALLED.id}" in body["heartbeats"][0]["body"]


@pytest.mark.parametrize(
    ("name", "installed_as", "said"),
    [
        ("flask", "0.1", f"flask is {version('flask')} and not 0.1"),
        ("nothing-of-this-name", "1.0", "nothing-of-this-name 1.0 is missing"),
    ],
)
def test_another_library_than_was_tested_stops_the_start(
    name: str, installed_as: str, said: str, start: Callable[[Bundle], Flask]
) -> None:
    with pytest.raises(SettingsError, match=said) as refusal:
        start(replace(INSTALLED, libraries={name: installed_as}))
    assert refusal.value.code is ReasonCode.BUNDLE_MISMATCH


def test_a_package_that_was_not_installed_from_its_tag_stops_the_start(
    start: Callable[[Bundle], Flask],
) -> None:
    kit = "quant-platform-kit"
    pin = Pin(kit, version(kit), f"{kit}-v{version(kit)}", "a" * 40)
    with pytest.raises(SettingsError, match="was not installed from its tag") as refusal:
        start(replace(INSTALLED, pins=(pin,)))
    assert refusal.value.code is ReasonCode.BUNDLE_MISMATCH


def test_a_bundle_that_is_not_there_stops_the_start(make_app: App, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file") as refusal:
        make_app(QPK_BUNDLE_PATH=str(tmp_path / "bundle.json"))
    assert refusal.value.code is ReasonCode.BUNDLE_UNREADABLE


def test_every_difference_is_named_and_none_where_there_is_none() -> None:
    assert list(differences(INSTALLED)) == []
    assert len(list(differences(replace(INSTALLED, libraries={"a": "1", "b": "2"})))) == 2
    (found,) = differences(replace(INSTALLED, python="2.7"))
    assert found == f"Python is {running_python()} and not 2.7"


def test_the_id_of_a_bundle_stands_for_all_of_it() -> None:
    other = replace(INSTALLED, config_sha256="3" * 64)
    assert (len(INSTALLED.id), INSTALLED.id == other.id) == (12, False)
