"""Settings: read once, strict about every name and value, silent about secrets. Card A28."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import AccountKind, Impact
from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.settings import Platform, Settings, example, load_settings, reference

LEAST = {"STRATEGY_PROFILE": "spy_macd_vixy"}
ACCOUNT = "U" + "7654321"
TOKEN = "tok" + "en-abc"


def load(platform: str = "ibkr", **variables: str) -> Settings:
    return load_settings(platform, LEAST | variables)


def refused(platform: str = "ibkr", **variables: str) -> str:
    with pytest.raises(SettingsError) as error:
        load(platform, **variables)
    assert error.value.code is ReasonCode.SETTING_INVALID
    return error.value.message


def test_a_profile_is_all_a_service_must_be_told() -> None:
    settings = load()
    assert settings.platform is Platform.IBKR
    assert settings.strategy_profile == "spy_macd_vixy"
    assert settings.languages == ("en",)
    assert settings.notify_urls == ()
    assert settings.capital_limit_usd is None


def test_a28_nothing_said_about_the_mode_means_a_dry_run() -> None:
    assert load().execution_mode is ExecutionMode.DRY_RUN
    assert load(EXECUTION_MODE=" ").execution_mode is ExecutionMode.DRY_RUN


def test_every_value_arrives_as_what_it_is() -> None:
    settings = load(
        "schwab",
        EXECUTION_MODE="live",
        SCHWAB_STRATEGY_CONFIG_PATH="/etc/desk/macd.toml",
        QPK_STATE_DIR="/var/lib/desk",
        QPK_NOTIFY_URLS=" json://a/  json://b/ ",
        QPK_LANGUAGES="en, zh",
        QPK_CASH_FLOOR_USD="250.50",
        QPK_CAPITAL_LIMIT_USD="10000",
        QPK_FILL_DEADLINE_SECS="2.5",
        QPK_SIMULATED_START="2020-03-31",
    )
    assert settings.execution_mode is ExecutionMode.LIVE
    assert settings.strategy_config_path == Path("/etc/desk/macd.toml")
    assert settings.state_dir == Path("/var/lib/desk")
    assert settings.notify_urls == ("json://a/", "json://b/")
    assert settings.languages == ("en", "zh")
    assert settings.cash_floor_usd == Decimal("250.50")
    assert settings.capital_limit_usd == Decimal(10000)
    assert settings.fill_deadline_secs == 2.5
    assert settings.simulated_start == date(2020, 3, 31)


def test_an_unreadable_term_of_the_simulated_account_is_told_what_may_stand_there() -> None:
    assert "expected a ratio above 0, up to 1" in refused(QPK_SIMULATED_PARTICIPATION_RATIO="0")
    assert "expected margin or cash" in refused(QPK_SIMULATED_ACCOUNT_TYPE="Cash")
    assert "expected 0 or 1" in refused(QPK_SIMULATED_SETTLEMENT_SESSIONS="2")


@pytest.mark.parametrize("kind", AccountKind, ids=str)
@pytest.mark.parametrize("growth", Impact, ids=str)
def test_the_settings_know_every_term_that_the_simulated_broker_knows(
    kind: AccountKind, growth: Impact
) -> None:
    settings = load(QPK_SIMULATED_ACCOUNT_TYPE=kind, QPK_SIMULATED_IMPACT_GROWS=growth)
    assert settings.simulated_account_type == kind
    assert settings.simulated_impact_grows == growth


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load().execution_mode = ExecutionMode.LIVE  # type: ignore[misc] # on purpose


@pytest.mark.parametrize("profile", [{}, {"STRATEGY_PROFILE": ""}, {"STRATEGY_PROFILE": "  "}])
def test_a_missing_profile_is_named(profile: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="STRATEGY_PROFILE is not set"):
        load_settings("ibkr", profile)


def test_a_file_of_sleeves_stands_in_for_the_profile() -> None:
    settings = load_settings("ibkr", {"QPK_SLEEVES_PATH": "/etc/desk/sleeves.toml"})
    assert settings.sleeves_path == Path("/etc/desk/sleeves.toml")
    assert settings.strategy_profile == ""


@pytest.mark.parametrize(
    "name",
    [
        "STRATEGY_PROFILE",
        "STRATEGY_CONFIG_PATH",
        "FEATURE_SNAPSHOT_PATH",
        "FEATURE_SNAPSHOT_MANIFEST_PATH",
    ],
)
def test_what_a_file_of_sleeves_says_is_not_said_again(name: str) -> None:
    given = {"QPK_SLEEVES_PATH": "sleeves.toml", name: "something"}
    with pytest.raises(SettingsError, match=f"QPK_SLEEVES_PATH is set, and {name} too"):
        load_settings("ibkr", given)


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="ibkr, schwab, longbridge"):
        load_settings("futu", LEAST)


@pytest.mark.parametrize(
    "name", ["QPK_CASHFLOOR", "QPK_", "QPK_DRY_RUN", "IBKR_HOSTNAME", "IBKR_QPK_STATE_DIR"]
)
def test_a28_an_unknown_variable_stops_the_start_and_is_named(name: str) -> None:
    message = refused(**{name: "true"})
    assert message.startswith(f"Unknown setting {name}.")
    assert "true" not in message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("QPK_CASH_FLOOR", "QPK_CASH_FLOOR_USD"),
        ("QPK_NOTIFY_URL", "QPK_NOTIFY_URLS"),
        ("IBKR_STRATEGY_CONFIG", "IBKR_STRATEGY_CONFIG_PATH"),
        ("IBKR_FEATURE_SNAPSHOTS_PATH", "IBKR_FEATURE_SNAPSHOT_PATH"),
    ],
)
def test_a28_a_near_miss_is_told_what_was_probably_meant(written: str, meant: str) -> None:
    assert f"Did you mean {meant}?" in refused(**{written: "x"})


def test_variables_of_another_platform_or_program_are_none_of_ours() -> None:
    assert load(SCHWAB_HOST="x", LONGBRIDGE_REGION="x", PATH="/bin", QPKX="x") == load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("EXECUTION_MODE", v) for v in ("yes", "true", "1", "LIVE", "live!", "dry-run", "Paper")],
        *[("QPK_CASH_FLOOR_USD", v) for v in ("lots", "-1", "NaN", "inf", "1,000", "$5", "0x10")],
        *[("QPK_CAPITAL_LIMIT_USD", v) for v in ("none", "-0.01", "sNaN")],
        *[("QPK_SIMULATED_CASH_USD", v) for v in ("-5", "1.2.3")],
        *[("QPK_FILL_DEADLINE_SECS", v) for v in ("2m", "-1", "nan", "inf")],
        *[("QPK_STRATEGY_TIMEOUT_SECS", v) for v in ("soon", "1e999")],
        *[("QPK_SIMULATED_LATENCY_SECS", v) for v in ("fast", "-0.1")],
        *[("QPK_SIMULATED_ACCOUNT_TYPE", v) for v in ("Cash", "reg-t")],
        *[("QPK_SIMULATED_SETTLEMENT_SESSIONS", v) for v in ("2", "-1", "1.0", "T+1")],
        *[("QPK_SIMULATED_PARTICIPATION_RATIO", v) for v in ("0", "1.1", "-0.1", "10%", "nan")],
        *[("QPK_SIMULATED_HALF_SPREAD_RATIO", v) for v in ("1", "-0.1", "5bps", "inf")],
        *[("QPK_SIMULATED_IMPACT_RATIO", v) for v in ("1", "-0.1", "nan")],
        *[("QPK_SIMULATED_IMPACT_GROWS", v) for v in ("root", "square-root")],
        *[("QPK_SIMULATED_START", v) for v in ("today", "2020-02-30", "31.03.2020", "2020-3-31")],
        *[("QPK_LANGUAGES", v) for v in ("de", "en zh", "en,,zh", "EN")],
        *[("QPK_BROKER", v) for v in ("robinhood", "Simulated")],
    ],
)
def test_a28_an_unreadable_value_stops_the_start_and_never_becomes_a_default(
    name: str, value: str
) -> None:
    message = refused(**{name: value})
    assert message.startswith(f"{name} = {value!r}: expected ")


@pytest.mark.parametrize("platform", Platform, ids=str)
@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("STRATEGY_CONFIG_PATH", "strategy_config_path"),
        ("FEATURE_SNAPSHOT_PATH", "feature_snapshot_path"),
        ("FEATURE_SNAPSHOT_MANIFEST_PATH", "feature_snapshot_manifest_path"),
    ],
)
def test_a_platforms_variable_has_two_spellings_and_only_one_may_be_used(
    platform: str, variable: str, field: str
) -> None:
    own = f"{platform.upper()}_{variable}"
    assert getattr(load(platform, **{own: "/a"}), field) == Path("/a")
    assert getattr(load(platform, **{variable: "/a"}), field) == Path("/a")
    assert getattr(load(platform, **{variable: "/a", own: " "}), field) == Path("/a")
    message = refused(platform, **{variable: "/a", own: "/a"})
    assert own in message
    assert re.search(rf"\b{variable} are both set", message)


def test_a_snapshot_may_lie_in_a_bucket() -> None:
    address = "gs://bucket/snapshots"
    assert load(FEATURE_SNAPSHOT_PATH=address).feature_snapshot_path == address


def test_a29_secrets_are_shown_as_present_or_absent_only() -> None:
    settings = load(QPK_ACCOUNT_ID=ACCOUNT, QPK_NOTIFY_URLS=f"json://user:{TOKEN}@host/")
    assert (settings.account_id, settings.notify_urls) == (ACCOUNT, (f"json://user:{TOKEN}@host/",))
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert ACCOUNT not in shown
        assert TOKEN not in shown
        assert "account_id=***" in shown
        assert "notify_urls=***" in shown
        assert "strategy_profile='spy_macd_vixy'" in shown
    assert "notify_urls=()" in repr(load())


@pytest.mark.parametrize("wrong", [{"QPK_TYPO": "x"}, {"EXECUTION_MODE": "yes"}])
def test_a29_an_error_about_another_setting_holds_no_secret(wrong: dict[str, str]) -> None:
    secrets = {"QPK_ACCOUNT_ID": ACCOUNT, "QPK_NOTIFY_URLS": f"json://{TOKEN}/"}
    message = refused(**secrets | wrong)
    assert ACCOUNT not in message
    assert TOKEN not in message


def test_the_reference_lists_every_variable_that_is_accepted() -> None:
    rows = reference()
    names = [name.replace("<PLATFORM>", "IBKR") for name, _, _ in rows]
    assert len(set(names)) == len(names)
    for name, default, meaning in rows:
        assert meaning.endswith(".")
        own = name.replace("<PLATFORM>", "IBKR")
        if default and default != "required":
            assert load(**{own: default}) == load(), own


@pytest.mark.parametrize("platform", Platform, ids=str)
def test_the_example_of_a_platform_names_every_variable_and_changes_nothing(
    platform: Platform,
) -> None:
    lines = [line[1:] for line in example(platform).splitlines() if re.match("#[A-Z]", line)]
    given = dict(line.split("=", 1) for line in lines)
    assert len(given) == len(lines)
    own = {name.replace("<PLATFORM>", platform.upper()) for name, *_ in reference()}
    of_others = {
        name for other in Platform if other is not platform for name, *_ in reference(other)
    }
    assert given.keys() == own - of_others
    assert load(platform, **{name: value for name, value in given.items() if value}) == load(
        platform
    )


def test_the_process_environment_is_read_when_nothing_else_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STRATEGY_PROFILE", "global_etf_rotation")
    assert load_settings("longbridge").strategy_profile == "global_etf_rotation"


# ── What another platform's service was told (A25) ─────────────────────────────────────


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("ibkr", "SCHWAB_FEATURE_SNAPSHOT_PATH"),
        ("ibkr", "ACCOUNT_REGION"),
        ("schwab", "ACCOUNT_PREFIX"),
        ("schwab", "LONGPORT_SECRET_NAME"),
        ("longbridge", "IBKR_RECONCILIATION_OUTPUT_PATH"),
        ("longbridge", "SCHWAB_APP_SECRET"),
    ],
)
def test_a25_a_service_does_not_start_with_what_is_left_over_from_another_platform(
    platform: str, name: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(platform, K_SERVICE="rebalancer", **{name: TOKEN})
    assert refusal.value.code is ReasonCode.VARIABLE_STALE
    message = refusal.value.message
    assert message.startswith(f"{name}: set for rebalancer, a service of {platform}")
    assert f"gcloud run services update rebalancer --remove-env-vars={name}" in message
    assert TOKEN not in message


def test_a_desk_may_have_variables_of_several_platforms_and_says_which() -> None:
    settings = load(SCHWAB_APP_KEY=TOKEN, ACCOUNT_REGION="HK", LONGPORT_APP_KEY=" ")
    assert settings.stale_variables == ("ACCOUNT_REGION", "SCHWAB_APP_KEY")
    assert TOKEN not in repr(settings)


def test_what_belongs_to_the_platform_is_not_left_over() -> None:
    settings = load("longbridge", K_SERVICE="hk", ACCOUNT_PREFIX="HK", ACCOUNT_REGION="HK")
    assert (settings.service, settings.stale_variables) == ("hk", ())


def test_a28_a_misspelt_variable_of_longport_stops_the_start() -> None:
    assert "Did you mean LONGPORT_SECRET_NAME?" in refused("longbridge", LONGPORT_SECRETNAME="s")


def test_every_variable_is_known_by_the_name_under_which_it_was_set() -> None:
    settings = load(IBKR_FEATURE_SNAPSHOT_PATH="/a", RECONCILIATION_OUTPUT_PATH="/b")
    assert settings.spellings["feature_snapshot_path"] == "IBKR_FEATURE_SNAPSHOT_PATH"
    assert settings.spellings["reconciliation_output_path"] == "RECONCILIATION_OUTPUT_PATH"
    assert "strategy_config_path" not in settings.spellings


LONGBRIDGE = {
    "QPK_BROKER": "longbridge",
    "QPK_ACCOUNT_ID": ACCOUNT,
    "LONGPORT_APP_KEY": "k",
    "LONGPORT_APP_SECRET": "s",
    "LONGPORT_ACCESS_TOKEN": "t",
}


@pytest.mark.parametrize("region", ["HK", "SG"])
def test_a_service_of_longbridge_has_one_region(region: str) -> None:
    settings = load("longbridge", **LONGBRIDGE, ACCOUNT_PREFIX=region, ACCOUNT_REGION=region)
    assert (settings.login["prefix"], settings.login["region"]) == (region, region)


def test_a_region_that_a_switch_left_behind_is_refused() -> None:
    message = refused("longbridge", **LONGBRIDGE, ACCOUNT_PREFIX="HK", ACCOUNT_REGION="SG")
    assert message.startswith("ACCOUNT_PREFIX is HK, and ACCOUNT_REGION is SG: one account has one")


def test_a_region_that_there_is_none_of_is_refused() -> None:
    message = refused("longbridge", **LONGBRIDGE, ACCOUNT_REGION="US")
    assert message == "ACCOUNT_REGION = 'US': expected HK or SG."
