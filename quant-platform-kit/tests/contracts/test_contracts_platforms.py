"""What a profile may do on a platform is derived from what both declare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    Capabilities,
    HistoryInput,
    InputMode,
    OrderType,
    ProfileStatus,
    Rollout,
    SnapshotInput,
    Standing,
    StrategyManifest,
    TargetMode,
    check_rollout,
    eligible,
    standing,
)
from quant_platform_kit.errors import ReasonCode, SettingsError

BROKER = Capabilities(
    platform="ibkr",
    display_name="The Broker",
    domains=("us_equity",),
    adjustments=(Adjustment.TOTAL_RETURN,),
    bar_columns=("close",),
    order_types=(OrderType.MARKET, OrderType.LIMIT),
    client_tag=None,
    settlement_sessions=1,
    extended_hours=False,
)
DIRECT = StrategyManifest(
    profile="direct",
    aliases=("former",),
    display_name={"en": "Direct", "zh": "直接"},
    description={"en": "Reads prices.", "zh": "读取价格。"},
    cadence=Cadence.DAILY,
    benchmark="SPY",
    target_mode=TargetMode.WEIGHT,
    status=ProfileStatus.RUNTIME_ENABLED,
    managed=("SPY",),
    history=HistoryInput(("SPY",), 20),
)
SNAPSHOT = replace(
    DIRECT,
    profile="published",
    aliases=(),
    history=None,
    snapshot=SnapshotInput("published.v1", ("symbol",), 5),
)
PROFILES = {each.profile: each for each in (DIRECT, SNAPSHOT)}


def test_a_profile_is_eligible_where_everything_it_declares_is_there() -> None:
    assert eligible(DIRECT, BROKER).ok
    assert eligible(SNAPSHOT, BROKER).ok


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ({"domains": ("hk_equity",)}, "The Broker does not serve the domain us_equity"),
        ({"target_modes": (TargetMode.VALUE,)}, "The Broker takes no targets by weight"),
        ({"input_modes": (InputMode.SNAPSHOT,)}, "The Broker takes no direct inputs"),
        ({"adjustments": (Adjustment.SPLIT,)}, "The Broker has no total_return daily bars"),
        (
            {"order_types": (OrderType.LIMIT,)},
            "The Broker takes no market orders, and rebalancing sends nothing else",
        ),
    ],
)
def test_what_a_platform_lacks_is_the_reason(lacking: dict[str, Any], reason: str) -> None:
    answer = eligible(DIRECT, replace(BROKER, **lacking))
    assert not answer.ok
    assert answer.reasons == (reason,)


def test_every_column_that_is_lacking_is_named() -> None:
    need = HistoryInput(("SPY",), 20, columns=("high", "low", "close"))
    assert eligible(replace(DIRECT, history=need), BROKER).reasons == (
        "daily bars of The Broker lack high, low",
    )


def test_a_profile_that_reads_no_prices_needs_no_bars() -> None:
    assert eligible(SNAPSHOT, replace(BROKER, adjustments=(), bar_columns=())).ok


def test_everything_that_is_lacking_is_told_at_once() -> None:
    bare = replace(BROKER, domains=(), adjustments=(), bar_columns=(), order_types=())
    assert len(eligible(DIRECT, bare).reasons) == 4


def test_enabled_is_eligible_and_on_the_list() -> None:
    rollout = Rollout("ibkr", ("direct",), default="direct")
    there, elsewhere = standing(DIRECT, BROKER, rollout), standing(SNAPSHOT, BROKER, rollout)
    assert (there.enabled, there.is_default, there.is_rollback) == (True, True, False)
    assert (elsewhere.enabled, elsewhere.is_default) == (False, False)


def test_a_listed_profile_that_is_not_eligible_is_not_enabled() -> None:
    bare = replace(BROKER, adjustments=())
    assert standing(DIRECT, bare, Rollout("ibkr", ("direct",))).enabled is False


def test_without_a_list_nothing_is_said_about_enabling() -> None:
    assert standing(DIRECT, BROKER, None) == Standing(eligible(DIRECT, BROKER))
    assert standing(DIRECT, BROKER, None).enabled is None


def test_a_rollout_is_read_from_its_table() -> None:
    text = '[rollout]\nenabled = ["direct", "published"]\ndefault = "direct"\n'
    assert Rollout.parse("ibkr", text) == Rollout("ibkr", ("direct", "published"), "direct", None)
    assert Rollout.parse("ibkr", "") == Rollout("ibkr")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rollout", "Expected ']'"),
        ("[rolout]", "rolout: expected one of rollout"),
        ("rollout = 1", "rollout = 1: expected a table"),
        ("[rollout]\nenable = []", "rollout.enable: expected one of enabled, default, rollback"),
        ('[rollout]\nenabled = "direct"', "rollout.enabled = 'direct': expected a list"),
        ("[rollout]\nenabled = [1]", "rollout.enabled = [1]: expected a list"),
        ("[rollout]\ndefault = 1", "rollout.default = 1: expected a profile name"),
        ('[rollout]\nrollback = "direct"', "Rollout.rollback = 'direct'"),
    ],
)
def test_a_list_that_cannot_be_read_enables_nothing(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"platform\.toml of schwab") as refused:
        Rollout.parse("schwab", text)
    assert said in refused.value.message
    assert refused.value.code is ReasonCode.SETTING_INVALID


def test_a_list_that_holds_is_accepted() -> None:
    check_rollout(Rollout("ibkr", ("direct", "published")), PROFILES, BROKER)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("drect", "Did you mean direct?"),
        ("former", "Did you mean direct?"),
        ("x", "offers it. Correct"),
    ],
    ids=["misspelt", "alias", "unlike"],
)
def test_an_unknown_entry_is_refused_by_name(entry: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"of ibkr enables '{entry}', but no installed") as no:
        check_rollout(Rollout("ibkr", ("published", entry)), PROFILES, BROKER)
    assert hint in no.value.message


def test_an_entry_that_is_not_eligible_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingsError, match=r"'direct'.*not eligible: The Broker has no total"):
        check_rollout(Rollout("ibkr", ("direct",)), PROFILES, replace(BROKER, adjustments=()))


@pytest.mark.parametrize("status", list(ProfileStatus))
def test_only_a_promoted_profile_may_be_on_a_list(status: ProfileStatus) -> None:
    profiles = {"direct": replace(DIRECT, status=status)}
    if status in (ProfileStatus.PAPER, ProfileStatus.RUNTIME_ENABLED):
        check_rollout(Rollout("ibkr", ("direct",)), profiles, BROKER)
    else:
        with pytest.raises(SettingsError, match=f"'direct', but its status is {status.value}"):
            check_rollout(Rollout("ibkr", ("direct",)), profiles, BROKER)
