"""What is live and what would be run side by side, and a switch goes by what came out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.market import SLOTS, window, xnys
from quant_platform_kit.release import Comparison, Service, Side, describe, environment, pin, shadow
from quant_platform_kit.release._shadow import next_opening, require_shadow
from quant_platform_kit.release._trial import NOT_STARTED, Setting
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import CONFIGS, PROFILE, Desk, config_of, git, make_desk, world
from tests.release.conftest import Command

SERVICE = "rebalancer-ibkr"
CONFIG = "IBKR_STRATEGY_CONFIG_PATH"
FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
NUMBER = "DU7654321"
DYING = '__import__("flask").request.path == "/run" and __import__("os")._exit(1) or None'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Iterator[Path]:
    """Return a folder with a desk and a project whose IBKR service runs what is pinned."""
    folder = tmp_path_factory.mktemp("shadow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world(wheelhouse).items():
            patch.setenv(name, value)
        desk = make_desk(folder / "desk", siblings=False)
        desk.release_both()
        pin(desk.layout, {})
        desk.commit_platforms()
        cloud = Cloud.make(folder / "cloud", region="us-east4")
        other = CONFIGS[PROFILE] | {"risk_symbol": "MSFT"}
        (folder / "other.json").write_text(json.dumps(other))
        cloud.add(
            SERVICE,
            {
                "STRATEGY_PROFILE": PROFILE,
                "EXECUTION_MODE": "paper",
                "QPK_ACCOUNT_ID": NUMBER,
                CONFIG: str(config_of(desk.root, PROFILE)),
            },
            secrets={"QPK_NOTIFY_URLS": "addresses:2"},
        )
        label = f"--update-labels=commit={desk.head('ibkr')}"
        words = ("run", "services", "update", SERVICE, "--region=us-east4", label)
        subprocess.run([cloud.path / "gcloud", *words], check=True, capture_output=True)
        yield folder


@pytest.fixture
def deployed(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return that desk, with `gcloud` on PATH and nothing compared yet."""
    monkeypatch.setenv("PATH", f"{place / 'cloud' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for path in shadows():
        path.unlink()
    return Desk(place / "desk", siblings=False)


def shadows() -> list[Path]:
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("shadows/*.json"))


def live(desk: Desk) -> Service:
    found = describe(desk.layout.platform("ibkr"), SERVICE)
    assert found is not None
    return found


def bundle(desk: Desk) -> str:
    return environment(desk.layout, desk.layout.platform("ibkr"), live(desk).commit).bundle.id


# ── Two runs ───────────────────────────────────────────────────────────────────────────


def test_a_switch_may_go_by_a_comparison_until_a_configuration_has_another_content(
    deployed: Desk,
) -> None:
    found = shadow(deployed.layout, SERVICE, now=FRIDAY)
    assert found.live == found.candidate
    assert (found.is_same_plan, found.refusal, found.input_differences) == (True, "", ())
    assert (found.live.profiles, found.live.outcome) == ((PROFILE,), "TRADED")
    assert found.live.orders.keys() == {"GOOG"}
    assert "to 2013-02-28" in found.live.inputs["daily bars"]
    service, made_of = live(deployed), bundle(deployed)
    assert require_shadow(service, made_of, service.environment, FRIDAY) == found
    config = config_of(deployed.root, PROFILE)
    whole = config.read_text()
    config.write_text(f"{whole}\n")  # under the same name
    with pytest.raises(ReleaseRefused) as refusal:
        require_shadow(service, made_of, service.environment, FRIDAY)
    config.write_text(whole)
    assert refusal.value.code is ReasonCode.SHADOW_MISSING


def test_the_account_and_the_service_are_left_as_they_are(deployed: Desk, place: Path) -> None:
    before = (place / "cloud" / "state.json").read_bytes()
    state = deployed.root.with_name("state")
    held = sorted(state.rglob("*")) if state.exists() else []
    shadow(deployed.layout, SERVICE, now=FRIDAY)
    assert (place / "cloud" / "state.json").read_bytes() == before
    assert (sorted(state.rglob("*")) if state.exists() else []) == held
    assert git(deployed.root, "status", "--porcelain") == ""


def test_another_configuration_is_another_plan_symbol_by_symbol(
    deployed: Desk, place: Path, qpk: Command
) -> None:
    other = str(place / "other.json")
    found = shadow(deployed.layout, SERVICE, now=FRIDAY, sets={CONFIG: other})
    assert (found.is_same_plan, found.refusal) == (False, "")
    assert [(line.symbol, line.differs) for line in found.lines] == [("GOOG", True), ("MSFT", True)]
    google, microsoft = found.lines
    assert (google.candidate_orders, microsoft.live_orders) == ("", "")
    assert microsoft.candidate_orders.startswith("BUY ")
    told = qpk(deployed, "shadow", "ibkr", "--set", f"{CONFIG}={other}")
    assert told.returncode == 0, told.stderr
    assert "≠" in told.stdout
    assert microsoft.candidate_orders in told.stdout
    assert "Another plan: read it before you switch." in told.stdout


def test_a_new_side_that_is_blocked_is_told_as_such_and_nothing_goes_by_it(
    deployed: Desk, qpk: Command
) -> None:
    told = qpk(deployed, "shadow", "ibkr", "--profile", "global_etf_rotation")
    assert told.returncode == 9
    assert "global_etf_rotation" in told.stdout
    assert "the new side ended as BLOCKED HISTORY_MISSING" in told.stdout
    assert shadows() == []


def test_a_new_side_that_cannot_run_is_no_comparison(deployed: Desk, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}}")
    found = shadow(deployed.layout, SERVICE, now=FRIDAY, sets={CONFIG: str(config)})
    assert "the new side did not start" in found.refusal
    assert str(config) in found.refusal
    assert shadows() == []


def test_a_new_side_that_dies_at_its_work_is_told_as_such(deployed: Desk) -> None:
    main = deployed.folder("ibkr") / "main.py"
    before = main.read_text()
    deployed.write("ibkr", "main.py", f"{before}\napp.before_request(lambda: {DYING})\n")
    found = shadow(deployed.layout, SERVICE, now=FRIDAY, commit=deployed.head("ibkr"))
    deployed.write("ibkr", "main.py", before)
    assert found.refusal.startswith("the new side ended as FAILED: its answer broke off")
    assert found.live.outcome == "TRADED"


def test_a_live_side_that_does_not_start_does_not_stop_a_way_out(deployed: Desk) -> None:
    service = live(deployed)
    where = ("run", "services", "update", SERVICE, "--region=us-east4")
    gcloud = deployed.root.with_name("cloud") / "bin" / "gcloud"
    subprocess.run([gcloud, *where, "--update-env-vars=QPK_LANGUAGES=xx"], check=True)
    try:
        found = shadow(deployed.layout, SERVICE, now=FRIDAY, removes=("QPK_LANGUAGES",))
        assert (found.live.outcome, found.refusal) == (NOT_STARTED, "")
        (kept,) = shadows()
        assert json.loads(kept.read_text())["live"]["reason"] == ""
        require_shadow(live(deployed), bundle(deployed), service.environment, FRIDAY)
    finally:
        subprocess.run([gcloud, *where, "--remove-env-vars=QPK_LANGUAGES"], check=True)


def test_the_pins_of_another_commit_are_compared_too(deployed: Desk, qpk: Command) -> None:
    deployed.release_both("0.2.0")
    pin(deployed.layout, {})
    deployed.commit_platforms()
    told = qpk(deployed, "shadow", "ibkr", "--commit", deployed.head("ibkr"), "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["live"]["commit"] == live(deployed).commit
    assert found["live"]["bundle"] != found["candidate"]["bundle"]
    assert found["live"]["orders"] == found["candidate"]["orders"]
    service = live(deployed)
    with pytest.raises(ReleaseRefused, match="nobody has compared"):  # it is not deployed
        require_shadow(service, bundle(deployed), service.environment, FRIDAY)


def test_no_value_of_a_variable_is_kept(deployed: Desk, place: Path) -> None:
    found = shadow(deployed.layout, SERVICE, now=FRIDAY)
    assert "QPK_ACCOUNT_ID" in found.live.variables
    (kept,) = shadows()
    text = kept.read_text()
    assert NUMBER not in text
    assert str(place) not in text


# ── What a comparison stands for ───────────────────────────────────────────────────────


def test_a_switch_asks_for_the_comparison_of_exactly_what_it_would_set(deployed: Desk) -> None:
    service = live(deployed)
    shadow(deployed.layout, SERVICE, now=FRIDAY)
    here = bundle(deployed)
    with pytest.raises(ReleaseRefused, match="nobody has compared") as refusal:
        require_shadow(service, here, {**service.environment, CONFIG: "other"}, FRIDAY)
    assert refusal.value.code is ReasonCode.SHADOW_MISSING
    with pytest.raises(ReleaseRefused):
        require_shadow(service, "another", service.environment, FRIDAY)
    with pytest.raises(ReleaseRefused):
        require_shadow(replace(service, name="another"), here, service.environment, FRIDAY)
    moved = {**service.environment, "EXECUTION_MODE": "live", "QPK_COMMIT": "f" * 40}
    require_shadow(service, here, moved, FRIDAY)  # neither changes what would be ordered


def test_a_comparison_holds_until_the_market_opens_again(deployed: Desk) -> None:
    service, here = live(deployed), bundle(deployed)
    shadow(deployed.layout, SERVICE, now=FRIDAY)
    monday = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    for later in (FRIDAY + timedelta(hours=8), monday - timedelta(seconds=1)):
        require_shadow(service, here, service.environment, later)
    for later in (monday, FRIDAY + timedelta(days=30)):
        with pytest.raises(ReleaseRefused, match="2026-11-20 15:00 UTC is of an earlier session"):
            require_shadow(service, here, service.environment, later)


def test_the_order_of_variables_does_not_matter_and_each_value_does() -> None:
    one = Setting(SERVICE, {"A": "1", "B": "2"}, {"C": "token:1"})
    assert Setting(SERVICE, {"B": "2", "A": "1"}, {"C": "token:1"}).id == one.id
    others = [
        Setting("another", one.plain, one.secrets),
        Setting(SERVICE, {"A": "1", "B": "3"}, one.secrets),
        Setting(SERVICE, {"A": "1"}, one.secrets),
        Setting(SERVICE, one.plain, {"C": "token:2"}),
        Setting(SERVICE, {**one.plain, "C": "token:1"}),
    ]
    assert len({one.id, *(each.id for each in others)}) == 6


def test_a_trial_trades_nothing_tells_nobody_and_asks_for_its_secrets_itself() -> None:
    plain = {"EXECUTION_MODE": "live", "QPK_NOTIFY_URLS": "x://y", "QPK_STATE_DIR": "/kept"}
    hidden = {"QPK_STORE_URL": "store:3", "QPK_NOTIFY_URLS_SECRET": "addresses:latest"}
    assert Setting(SERVICE, plain, hidden).for_trial("desk", "/scratch") == {
        "EXECUTION_MODE": "dry_run",
        "QPK_STATE_DIR": "/scratch",
        "K_SERVICE": SERVICE,
        "QPK_STORE_URL_SECRET": "projects/desk/secrets/store/versions/3",
    }


# ── When there is nothing to compare ───────────────────────────────────────────────────

SIDE = Side("c", "b", "s", (), session="2026-11-20", outcome="NO_ACTION", code="HOLD")


@pytest.mark.parametrize("code", ["MARKET_CLOSED", "OUTSIDE_WINDOW"])
def test_a_closed_market_is_no_comparison_and_says_when_to_ask_again(code: str) -> None:
    closed = replace(SIDE, code=code)
    saturday = datetime(2026, 11, 21, 17, tzinfo=UTC)
    for pair in ((closed, closed), (SIDE, closed), (closed, SIDE)):
        refusal = Comparison(SERVICE, saturday, *pair).refusal
        assert "ask again from 2026-11-23 14:30 to 20:20 UTC" in refusal


def test_two_sessions_are_no_comparison() -> None:
    found = Comparison(SERVICE, FRIDAY, SIDE, replace(SIDE, session="2026-11-23"))
    assert "2026-11-20 and 2026-11-23" in found.refusal


@pytest.mark.parametrize("minute", [20, 30, 54])
def test_the_broker_is_left_to_the_scheduled_run(minute: int, house: Desk, cloud: Cloud) -> None:
    cloud.add(SERVICE, {"QPK_BROKER": "ibkr"}, region="us-east4")
    now = datetime(2026, 11, 20, 20, minute, tzinfo=UTC)
    with pytest.raises(ReleaseRefused, match="ask again from 2026-11-23 14:30") as refusal:
        shadow(house.layout, SERVICE, now=now)
    assert refusal.value.code is ReasonCode.SHADOW_MISSING


@given(
    st.datetimes(
        datetime(2024, 1, 2),  # noqa: DTZ001 (Hypothesis adds the zone)
        datetime(2026, 12, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    )
)
def test_the_next_opening_is_one_in_which_a_service_runs(now: datetime) -> None:
    opens, closes = next_opening(now)
    calendar = xnys()
    session = calendar.current_session(opens)
    assert session is not None
    assert calendar.session_open(session) <= opens < closes
    assert opens >= now
    assert closes < window(calendar, SLOTS["close"], session).opens_at
