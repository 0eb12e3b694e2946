"""A change in the kit reaches every service, in both layouts, by the commands of the runbook."""

from __future__ import annotations

import json

from quant_platform_kit.release import pin, plan, status, verify_pins
from tests.desk import Desk


def test_two_releases_in_a_row_reach_services_that_say_so(desk: Desk) -> None:
    for version in ("0.1.0", "0.2.0"):
        desk.release_both(version)
        bundles = pin(desk.layout, {})
        desk.commit_platforms()
    for place, bundle in zip(desk.layout.platforms, bundles, strict=True):
        done = verify_pins(desk.layout, place)
        assert done.health["bundle"] == bundle.id
        assert done.health["commit"] == desk.head(place.name)
        assert {pin.version for pin in bundle.pins} == {"0.2.0"}
    found = status(desk.layout)
    assert (found.matches, found.findings) == (True, ())
    following = next(step for step in plan(desk.layout, {}) if not step.done)
    assert following.commands == ("./release.sh verify-pins",)


def test_the_strategies_take_the_range_of_the_kit_they_were_released_on(desk: Desk) -> None:
    desk.release("kit", "0.1.0")
    desk.announce("kit", "0.3.0")
    desk.release("kit", "0.3.0")
    done = desk.release("strategies", "0.1.0")
    assert {name: str(version) for name, version in done.needs.items()} == {"mini-kit": "0.3.0"}
    text = (desk.folder("mini-strategies") / "pyproject.toml").read_text()
    assert '"mini-kit>=0.3.0,<0.4"' in text


def test_a_lock_takes_what_the_tests_ran_with_and_names_no_index(house: Desk) -> None:
    house.release_both()
    pin(house.layout, {})
    lock = (house.folder("ibkr") / "requirements.lock").read_text()
    assert "tinylib==1.0" in lock  # 1.1 is there too
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    assert "tinysdk" in lock
    assert "tinysdk" not in (house.folder("longbridge") / "requirements.lock").read_text()
    bundle = json.loads((house.folder("ibkr") / "bundle.json").read_text())
    assert bundle["libraries"] == {"tinylib": "1.0", "tinysdk": "1.0"}
