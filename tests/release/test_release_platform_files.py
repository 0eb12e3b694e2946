"""What is deployed of a platform: its image, its service, and when it is asked."""

from __future__ import annotations

import re
import runpy
import subprocess
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import yaml

from quant_platform_kit.market import SLOTS, window, xnys
from quant_platform_kit.release import load_layout, pin
from quant_platform_kit.settings import example, load_settings
from tests.desk import Desk

ROOT: Final = Path(__file__).parents[2]
PLATFORMS: Final = ("ibkr", "schwab", "longbridge")
DEFINITIONS: Final = sorted(ROOT.glob("platforms/*/service*.yaml"))
LONGEST_ATTEMPT_SECS: Final = 1_800  # Cloud Scheduler gives no more


def definition(path: Path) -> dict[str, Any]:
    """Return a service's definition, filled in."""
    text = re.sub(r"\$\{(\w+)\}", r"filled-in-\1", path.read_text())
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def template(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = definition(path)["spec"]["template"]
    return found


def variables(path: Path) -> dict[str, str]:
    (container,) = template(path)["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def schedule(platform: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (ROOT / "platforms" / platform / "scheduler.yaml").read_text()
    )
    return found


def gunicorn(platform: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "platforms" / platform / "gunicorn.conf.py"))


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_every_deadline_is_longer_than_the_one_inside_it(path: Path) -> None:
    platform = path.parent.name
    settings = load_settings(platform, {"STRATEGY_PROFILE": "any"})
    run = settings.strategy_timeout_secs + 2 * settings.fill_deadline_secs  # sells, then buys
    deadlines = [
        run,
        gunicorn(platform)["timeout"],
        template(path)["spec"]["timeoutSeconds"],
        schedule(platform)["attempt_deadline_secs"],
    ]
    assert all(inner < outer for inner, outer in pairwise(deadlines))
    assert deadlines[-1] <= LONGEST_ATTEMPT_SECS
    assert gunicorn(platform)["graceful_timeout"] >= run


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_service_writes_alone_and_starts_without_trading(path: Path) -> None:
    platform = path.parent.name
    assert template(path)["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "1"
    assert template(path)["spec"]["containerConcurrency"] == gunicorn(platform)["threads"]
    plain = {k: v for k, v in variables(path).items() if not k.endswith(("_SECRET", "_NAME"))}
    assert load_settings(platform, plain).execution_mode.value == "dry_run"
    known = set(re.findall(r"\b[A-Z][A-Z_]+[A-Z]\b", example(platform)))
    assert variables(path).keys() <= known
    layout = load_layout(ROOT)
    (enabled,) = (place for place in layout.platforms if place.name == platform)
    assert (
        f'"{variables(path)["STRATEGY_PROFILE"]}"' in (enabled.path / "platform.toml").read_text()
    )


def test_every_service_of_release_toml_is_defined_and_no_other() -> None:
    named = {(place.name, name) for place in load_layout(ROOT).platforms for name in place.services}
    defined = {(path.parent.name, definition(path)["metadata"]["name"]) for path in DEFINITIONS}
    assert named == defined


def test_hong_kong_and_singapore_are_two_services_of_one_source() -> None:
    regions = [variables(path)["ACCOUNT_REGION"] for path in DEFINITIONS if "-" in path.stem]
    assert regions == ["HK", "SG"]
    hong_kong, singapore = (path.read_text() for path in DEFINITIONS if "-" in path.stem)
    assert hong_kong.replace("HK", "SG").replace("-hk", "-sg") == singapore


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_session_is_asked_in_its_window_and_other_days_hardly_ever(platform: str) -> None:
    calendar, plan = xnys(), schedule(platform)
    zone = ZoneInfo(plan["time_zone"])
    sessions = set(calendar.sessions(date(2024, 1, 2), date(2027, 12, 31)))
    in_vain = 0
    for day in (date(2024, 1, 2) + timedelta(days=n) for n in range(4 * 365 - 2)):
        asked = [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
            for job in plan["jobs"].values()
            for hour, minute in asks(job["schedule"], day)
        ]
        if day not in sessions:
            continue
        open_now = window(calendar, SLOTS[plan["slot"]], day)
        assert sum(open_now.contains(instant) for instant in asked) == 1, day
        in_vain += sum(not open_now.contains(instant) for instant in asked)
    assert in_vain / 4 < 8  # noon on a full day, or half past three on a short one


def asks(cron: str, day: date) -> list[tuple[int, int]]:
    """Return when a line of cron fires on a day; with both days given, either one counts."""
    minute, hour, of_month, month, of_week = cron.split()
    dates = covers(of_month, day.day), covers(of_week, day.isoweekday())
    either = any(dates) if "*" not in (of_month, of_week) else all(dates)
    return [(int(hour), int(minute))] if either and covers(month, day.month) else []


def covers(field: str, value: int) -> bool:
    first, _, last = field.partition("-")
    return field == "*" or int(first) <= value <= int(last or first)


def test_the_platforms_share_one_image_one_schedule_and_one_way_of_serving() -> None:
    for name in ("Dockerfile", ".dockerignore", "scheduler.yaml", "gunicorn.conf.py"):
        assert len({(ROOT / "platforms" / each / name).read_text() for each in PLATFORMS}) == 1


def test_an_image_runs_as_nobody_and_keeps_no_tool_of_its_building() -> None:
    text = (ROOT / "platforms" / "ibkr" / "Dockerfile").read_text()
    final = text.rpartition("FROM ")[2]
    assert "\nUSER service\n" in final
    assert re.search(r"\b(apt-get|git|pip)\b", final) is None
    (copied,) = re.findall(r"^COPY (.*) \./$", final, flags=re.MULTILINE)
    allowed = (ROOT / "platforms" / "ibkr" / ".dockerignore").read_text()
    made = {"bundle.json"}  # by `pins`
    for name in copied.split():
        assert name in made or (ROOT / "platforms" / "ibkr" / name).exists()
        assert f"!{name}\n" in allowed


def test_the_steps_of_an_image_install_what_is_pinned_and_take_the_tools_away(
    house: Desk, tmp_path: Path
) -> None:
    house.release_both()
    pin(house.layout, {})
    service = tmp_path / "service"
    steps = building((ROOT / "platforms" / "ibkr" / "Dockerfile").read_text())
    script = "set -e\n" + "\n".join(steps).replace("/service/", f"{service}/")
    script = f"export PATH={service}/environment/bin:$PATH\n{script}"
    bare = house.root / house.git("ibkr", "config", "remote.origin.url")
    url = "https://git.invalid/desk.git"
    house.git("ibkr", "config", f"url.{bare}.insteadOf", url)
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{bare.as_uri()}"]\n\tinsteadOf = {url}\n')
    done = subprocess.run(
        ["/usr/bin/env", f"GIT_CONFIG_GLOBAL={config}", "bash", "-c", script],
        cwd=house.folder("ibkr"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = {path.name.partition("-")[0] for path in service.rglob("*.dist-info")}
    assert kept - {"setuptools"} == {"mini_kit", "mini_strategies", "tinylib", "tinysdk"}


def building(dockerfile: str) -> list[str]:
    """Return the commands of the first stage, without those that need to be root."""
    first = dockerfile.rpartition("\nFROM ")[0].replace("\\\n", " ")
    commands = re.findall(r"^RUN (.*)$", first, flags=re.MULTILINE)
    return [command for command in commands if "apt-get" not in command]
