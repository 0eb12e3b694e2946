"""A service starts only with a profile that its platform may run, and with nothing left over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quant_platform_kit.bundle import Bundle, Declared, running_python
from quant_platform_kit.errors import ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.service import create_app
from quant_platform_kit.strategy import load_catalog

if TYPE_CHECKING:
    from flask import Flask

PLATFORMS = Path(__file__).parents[3] / "platforms"
SNAPSHOT_PROFILE = "russell_1000_multi_factor_defensive"
Start = Callable[..., "Flask"]


@pytest.fixture
def rollout(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a rollout list and returns its path."""

    def write(*enabled: str, default: str | None = None) -> str:
        path = tmp_path / "platform.toml"
        more = "" if default is None else f"default = {json.dumps(default)}\n"
        path.write_text(f"[rollout]\nenabled = {json.dumps(enabled)}\n{more}")
        return str(path)

    return write


def refusal(start: Start, **variables: str) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        start(**variables)
    return error.value


# ── The rollout list ───────────────────────────────────────────────────────────────────


def test_an_enabled_profile_starts(make_app: Start, rollout: Callable[..., str]) -> None:
    client = make_app(QPK_ROLLOUT_PATH=rollout("spy_macd_vixy")).test_client()
    assert client.post("/run").get_json()["report"]["outcome"] == "TRADED"


def test_a_profile_that_is_not_on_the_list_does_not_start(
    make_app: Start, rollout: Callable[..., str]
) -> None:
    path = rollout("global_etf_rotation")
    error = refusal(make_app, QPK_ROLLOUT_PATH=path)
    assert error.code is ReasonCode.PROFILE_NOT_ROLLED_OUT
    assert error.message.startswith("spy_macd_vixy may not run on ibkr: it is not on the rollout")
    assert path in error.message


def test_a_profile_that_lacks_something_on_the_platform_does_not_start_whatever_the_list_says(
    environ: dict[str, str], rollout: Callable[..., str], tmp_path: Path
) -> None:
    module = (
        "from dataclasses import replace\n"
        "from us_equity_strategies.spy_macd_vixy import Config, decide\n"
        "from us_equity_strategies import spy_macd_vixy\n"
        "def manifest(config):\n"
        "    said = spy_macd_vixy.manifest(config)\n"
        "    return replace(said, profile='coins', aliases=(), domain='crypto')\n"
    )
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "coins.py").write_text(module)
    variables = environ | {
        "STRATEGY_PROFILE": "coins",
        "QPK_STRATEGIES_DIR": str(tmp_path / "drop"),
        "EXECUTION_MODE": "dry_run",
        "QPK_ROLLOUT_PATH": rollout("coins"),
    }
    error = refusal(lambda: create_app("ibkr", variables))
    assert error.code is ReasonCode.PROFILE_NOT_ROLLED_OUT
    assert "it is not eligible, since Interactive Brokers does not serve the domain crypto" in (
        error.message
    )


def test_a_profile_that_nobody_offers_stops_the_start_of_a_deployed_service(
    make_app: Start, rollout: Callable[..., str]
) -> None:
    with pytest.raises(RefuseRun, match="Did you mean spy_macd_vixy") as error:
        make_app(STRATEGY_PROFILE="spy_macd_vixi", QPK_ROLLOUT_PATH=rollout("spy_macd_vixi"))
    assert error.value.code is ReasonCode.PROFILE_UNKNOWN


@pytest.mark.parametrize("text", [None, "[rollout]\nenable = []\n"], ids=["missing", "malformed"])
def test_a_rollout_list_that_cannot_be_read_stops_the_start(
    make_app: Start, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "list.toml"
    if text is not None:
        path.write_text(text)
    assert "enabled" in refusal(make_app, QPK_ROLLOUT_PATH=str(path)).message


def test_an_alias_of_an_enabled_profile_starts(
    make_app: Start, rollout: Callable[..., str]
) -> None:
    variables = {"STRATEGY_PROFILE": "global_macro_etf_rotation", "IBKR_STRATEGY_CONFIG_PATH": ""}
    client = make_app(**variables, QPK_ROLLOUT_PATH=rollout("global_etf_rotation")).test_client()
    (profile,) = client.get("/profile").get_json()["profiles"]
    assert profile["profile"] == "global_etf_rotation"


@pytest.mark.parametrize("platform", ["ibkr", "schwab", "longbridge"])
def test_each_platform_starts_what_its_own_list_names_as_default_and_rollback(
    platform: str, environ: dict[str, str]
) -> None:
    listed = PLATFORMS / platform / "platform.toml"
    program = (
        "from quant_platform_kit.service import create_app; import tomllib, os\n"
        f"listed = tomllib.load(open({str(listed)!r}, 'rb'))['rollout']\n"
        "for each in (listed['default'], listed['rollback']):\n"
        "    os.environ['STRATEGY_PROFILE'] = each\n"
        f"    create_app({platform!r}).test_client().get('/profile').get_json()['profiles'][0]\n"
    )
    variables = {"PATH": environ["PATH"], "QPK_ROLLOUT_PATH": str(listed)}
    subprocess.run([sys.executable, "-c", program], env=variables, check=True, timeout=60)


# ── What a profile never reads (A25) ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        "FEATURE_SNAPSHOT_PATH",
        "IBKR_FEATURE_SNAPSHOT_PATH",
        "IBKR_FEATURE_SNAPSHOT_MANIFEST_PATH",
        "IBKR_RECONCILIATION_OUTPUT_PATH",
    ],
)
def test_a25_a_direct_profile_does_not_start_with_what_a_snapshot_backed_one_left(
    make_app: Start, name: str
) -> None:
    error = refusal(make_app, **{name: "/srv/mega"})
    assert error.code is ReasonCode.VARIABLE_STALE
    assert error.message.startswith(f"{name}: set, and never read by spy_macd_vixy.")
    assert error.message.endswith("or remove it")


def test_a25_every_stale_variable_is_named_with_the_command_that_removes_them(
    make_app: Start,
) -> None:
    names = ("IBKR_FEATURE_SNAPSHOT_PATH", "IBKR_FEATURE_SNAPSHOT_MANIFEST_PATH")
    error = refusal(make_app, K_SERVICE="rebalancer-ibkr", **dict.fromkeys(names, "/srv/mega"))
    removed = f"gcloud run services update rebalancer-ibkr --remove-env-vars={','.join(names)}"
    assert error.message.endswith(removed)


def test_a_snapshot_backed_profile_starts_with_them(make_app: Start) -> None:
    client = make_app(
        STRATEGY_PROFILE=SNAPSHOT_PROFILE,
        IBKR_STRATEGY_CONFIG_PATH="",
        IBKR_FEATURE_SNAPSHOT_PATH="/srv/russell",
        IBKR_RECONCILIATION_OUTPUT_PATH="/srv/out.json",
    ).test_client()
    (profile,) = client.get("/profile").get_json()["profiles"]
    assert profile["input_mode"] == "snapshot"


def test_a25_a_configuration_that_another_profile_left_does_not_run(make_app: Start) -> None:
    client = make_app(STRATEGY_PROFILE="global_etf_rotation").test_client()
    answer = client.post("/run")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["code"] == ReasonCode.CONFIG_INVALID


def test_a25_a_file_of_sleeves_names_no_snapshot_for_a_direct_profile(
    make_app: Start, tmp_path: Path
) -> None:
    path = tmp_path / "sleeves.toml"
    path.write_text('[[sleeve]]\nprofile = "spy_macd_vixy"\nsnapshot = "mega"\n')
    client = make_app(
        STRATEGY_PROFILE="", IBKR_STRATEGY_CONFIG_PATH="", QPK_SLEEVES_PATH=str(path)
    ).test_client()
    error = client.post("/run").get_json()["error"]
    assert error["code"] == ReasonCode.VARIABLE_STALE
    assert "names a snapshot for spy_macd_vixy" in error["message"]


# ── What it answers (REL-14) ───────────────────────────────────────────────────────────


def test_it_says_what_its_profile_is_on_the_platform_and_touches_nothing(
    make_app: Start, rollout: Callable[..., str], state: Path
) -> None:
    listed = rollout("spy_macd_vixy", "global_etf_rotation", default="spy_macd_vixy")
    client = make_app(K_SERVICE="rebalancer-ibkr", QPK_ROLLOUT_PATH=listed).test_client()
    answer = client.get("/profile").get_json()
    (profile,) = answer.pop("profiles")
    assert answer == {"platform": "ibkr", "service": "rebalancer-ibkr"}
    assert profile.pop("display_name")["en"]
    assert profile == {
        "profile": "spy_macd_vixy",
        "domain": "us_equity",
        "input_mode": "direct",
        "status": "runtime_enabled",
        "eligible": True,
        "reasons": [],
        "enabled": True,
        "default": True,
        "rollback": False,
    }
    assert not state.exists()


def test_a_desk_knows_of_no_list(make_app: Start) -> None:
    (profile,) = make_app().test_client().get("/profile").get_json()["profiles"]
    assert (profile["eligible"], profile["enabled"], profile["default"]) == (True, None, None)


# ── The bundle's word on the profile ───────────────────────────────────────────────────


@pytest.fixture
def bundled(tmp_path: Path) -> Callable[[str, Declared], str]:
    """Return a function that writes the bundle in which a profile declares something."""

    def write(profile: str, declared: Declared) -> str:
        bundle = Bundle(
            platform="ibkr",
            python=running_python(),
            pins=(),
            libraries={},
            lock_sha256="0" * 64,
            build_lock_sha256="1" * 64,
            config_sha256="2" * 64,
            profiles={profile: declared},
        )
        path = tmp_path / "bundle.json"
        path.write_text(json.dumps(bundle.document()))
        return str(path)

    return write


def declared_by(name: str) -> Declared:
    profile = load_catalog().find(name)
    strategy = profile.configured(profile.module.Config())
    return Declared.of(strategy.manifest, strategy.config_sha256)


def test_a_profile_that_declares_what_was_tested_runs_under_any_configuration(
    make_app: Start, bundled: Callable[[str, Declared], str]
) -> None:
    path = bundled("spy_macd_vixy", declared_by("spy_macd_vixy"))
    client = make_app(QPK_BUNDLE_PATH=path).test_client()
    assert client.post("/run").get_json()["report"]["outcome"] == "TRADED"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config_sha256": "0" * 64}, "declares another default configuration than"),
        ({"snapshot_contract": "russell.v9"}, "declares another snapshot than"),
        ({"columns_sha256": "0" * 64}, "declares another snapshot than"),
    ],
)
def test_a_profile_that_declares_something_else_than_was_tested_is_refused(
    make_app: Start,
    bundled: Callable[[str, Declared], str],
    rollout: Callable[..., str],
    change: dict[str, str],
    said: str,
) -> None:
    path = bundled(SNAPSHOT_PROFILE, replace(declared_by(SNAPSHOT_PROFILE), **change))
    error = refusal(
        make_app,
        STRATEGY_PROFILE=SNAPSHOT_PROFILE,
        IBKR_STRATEGY_CONFIG_PATH="",
        QPK_BUNDLE_PATH=path,
        QPK_ROLLOUT_PATH=rollout(SNAPSHOT_PROFILE),
    )
    assert error.code is ReasonCode.BUNDLE_MISMATCH
    assert said in error.message


def test_a_profile_of_which_the_bundle_says_nothing_is_not_compared(
    make_app: Start, bundled: Callable[[str, Declared], str]
) -> None:
    path = bundled("somebody_else_s", Declared("0" * 64))
    client = make_app(QPK_BUNDLE_PATH=path).test_client()
    assert client.post("/run").status_code == 200
