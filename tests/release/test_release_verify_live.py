"""What a service should be, what it is, and every way in which the two may differ. A25 to A27."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    Environment,
    ExecutionMode,
    InputMode,
    Outcome,
    SnapshotRef,
)
from quant_platform_kit.notify import Block, BlockSnapshot, BlockStrategy
from quant_platform_kit.release._gcloud import Service
from quant_platform_kit.release._status import Weight
from quant_platform_kit.release._verify_live import Expected, differences

COMMIT = "0123456789abcdef0123456789abcdef01234567"
AT = datetime(2026, 3, 31, 19, 45, tzinfo=UTC)
SNAPSHOTS = "IBKR_FEATURE_SNAPSHOT_PATH"
REF = SnapshotRef("mega_cap_leader_rotation", date(2026, 3, 30), "2026-03-30-1", "ab" * 32)

EXPECTED = Expected(
    service="rebalancer-ibkr",
    platform="ibkr",
    profile="mega_cap_leader_rotation",
    display_name="Mega Cap Leader Rotation",
    input_mode=InputMode.SNAPSHOT,
    mode=ExecutionMode.PAPER,
    commit=COMMIT,
    bundle="00aa11bb22cc",
    variables={"STRATEGY_PROFILE": "mega_cap_leader_rotation", SNAPSHOTS: "gs://desk/mega"},
    absent=("IBKR_STRATEGY_CONFIG_PATH",),
    snapshot=REF,
    versions={"quant-platform-kit": "0.2.0"},
    changed_at=AT - timedelta(hours=1),
)
SERVICE = Service(
    name="rebalancer-ibkr",
    commit=COMMIT,
    is_ready=True,
    environment={**EXPECTED.variables, "EXECUTION_MODE": "paper"},
)
STRATEGY = BlockStrategy(
    EXPECTED.profile,
    EXPECTED.display_name,
    InputMode.SNAPSHOT,
    BlockSnapshot(REF.as_of, REF.sha256[:12], REF.version),
)
BLOCK = Block(
    service="rebalancer-ibkr",
    platform="ibkr",
    environment=Environment.PAPER,
    mode=ExecutionMode.PAPER,
    session=date(2026, 3, 31),
    slot="close",
    outcome=Outcome.TRADED,
    code="",
    run_key="ibkr-0a1b2c:2026-03-31:close",
    finished_at=AT,
    strategies=(STRATEGY,),
    gate="active",
    exposure_ratio=Decimal("0.97"),
    commit=COMMIT[:12],
    bundle="00aa11bb22cc",
    versions={"quant-platform-kit": "0.2.0", "us-equity-strategies": "0.2.0"},
)


def found(
    service: Service = SERVICE, block: Block | None = BLOCK, expected: Expected = EXPECTED
) -> list[str]:
    findings = differences(expected, service, block)
    assert all(finding.weight is Weight.MISMATCH for finding in findings)
    assert all(finding.place == expected.service for finding in findings)
    return [finding.text for finding in findings]


def with_variable(name: str, value: str) -> Service:
    return replace(SERVICE, environment={**SERVICE.environment, name: value})


def test_a_service_that_is_as_it_should_be_has_no_differences() -> None:
    assert found() == []


def test_a_direct_profile_that_is_as_it_should_be_has_no_differences() -> None:
    expected = replace(EXPECTED, input_mode=InputMode.DIRECT, snapshot=None)
    direct = replace(STRATEGY, input_mode=InputMode.DIRECT, snapshot=None)
    assert found(block=replace(BLOCK, strategies=(direct,)), expected=expected) == []


def test_a_day_on_which_the_profile_holds_what_it_has_is_as_good_as_a_trade() -> None:
    assert found(block=replace(BLOCK, outcome=Outcome.NO_ACTION, code="HOLD")) == []


# ── The description ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (replace(SERVICE, name="rebalancer"), "the description is of rebalancer;"),
        (replace(SERVICE, is_ready=False), "what was deployed last is not what serves"),
        (replace(SERVICE, commit="f" * 40), f"it runs commit {'f' * 40} and not {COMMIT}"),
        (replace(SERVICE, commit=""), "it runs commit unknown"),
        (
            with_variable("STRATEGY_PROFILE", "spy_macd_vixy"),
            "STRATEGY_PROFILE is spy_macd_vixy and not mega_cap_leader_rotation",
        ),
        (
            replace(SERVICE, environment={"STRATEGY_PROFILE": EXPECTED.profile}),
            f"{SNAPSHOTS} is not set; expected gs://desk/mega",
        ),
        (
            with_variable("IBKR_STRATEGY_CONFIG_PATH", "/etc/old.toml"),
            "IBKR_STRATEGY_CONFIG_PATH is still set: it is stale",
        ),
        (
            replace(SERVICE, secrets={"IBKR_STRATEGY_CONFIG_PATH": "old"}),
            "IBKR_STRATEGY_CONFIG_PATH is still set: it is stale",
        ),
    ],
)
def test_a_description_that_differs_is_told(service: Service, said: str) -> None:
    (text,) = found(service)
    assert text.startswith(said)


def test_a_secret_that_is_named_where_a_variable_is_meant_is_as_good() -> None:
    wanted = {"LONGPORT_SECRET_NAME": "longport-hk"}
    kept = replace(SERVICE, secrets=wanted)
    assert found(kept, expected=replace(EXPECTED, variables=wanted)) == []


def test_what_somebody_wrote_in_place_of_a_secret_s_name_is_not_repeated() -> None:
    pasted = with_variable("LONGPORT_SECRET_NAME", "tok" + "en-abc")
    expected = replace(EXPECTED, variables={"LONGPORT_SECRET_NAME": "longport-hk"})
    assert found(pasted, expected=expected) == [
        "LONGPORT_SECRET_NAME is something else and not longport-hk"
    ]


# ── The heartbeat ──────────────────────────────────────────────────────────────────────


def test_a_service_that_was_never_heard_of_is_told() -> None:
    (text,) = found(block=None)
    assert text.startswith("it has sent no heartbeat")


def test_a_heartbeat_of_before_the_change_says_that_alone() -> None:
    before = replace(BLOCK, finished_at=EXPECTED.changed_at or AT, gate="halted", bundle="old")
    (text,) = found(block=before)
    assert text.startswith("its last heartbeat is of 2026-03-31 18:45 UTC, before the change;")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"service": "rebalancer-schwab"}, "the heartbeat is of rebalancer-schwab"),
        ({"service": ""}, "the heartbeat is of a service without a name"),
        ({"platform": "schwab"}, "it serves schwab and not ibkr"),
        ({"mode": ExecutionMode.DRY_RUN}, "its mode is dry_run and not paper"),
        ({"commit": "f" * 12}, "it says that it is of commit ffffffffffff"),
        ({"commit": ""}, "it says that it is of commit unknown"),
        ({"bundle": "ffff"}, "it is made of bundle ffff and not 00aa11bb22cc"),
        ({"bundle": ""}, "it is made of bundle none"),
        (
            {"versions": {"quant-platform-kit": "0.1.0"}},
            "quant-platform-kit is 0.1.0 and not 0.2.0",
        ),
        ({"versions": {}}, "quant-platform-kit is missing and not 0.2.0"),
        ({"strategies": ()}, "it runs no profile and not mega_cap_leader_rotation"),
        (
            {"strategies": (replace(STRATEGY, profile="spy_macd_vixy"),)},
            "it runs spy_macd_vixy and not mega_cap_leader_rotation",
        ),
        (
            {"strategies": (STRATEGY, replace(STRATEGY, profile="spy_macd_vixy"))},
            "it runs mega_cap_leader_rotation + spy_macd_vixy",
        ),
        (
            {"strategies": (replace(STRATEGY, display_name="Mega"),)},
            "it calls the profile 'Mega' and not 'Mega Cap Leader Rotation'",
        ),
        (
            {"strategies": (replace(STRATEGY, input_mode=InputMode.DIRECT),)},
            "its inputs are direct and not snapshot",
        ),
        (
            {"strategies": (replace(STRATEGY, snapshot=None),)},
            "it read no snapshot, and cannot decide without one",
        ),
        (
            {
                "strategies": (
                    replace(STRATEGY, snapshot=BlockSnapshot(date(2026, 2, 27), "cd" * 6, "old")),
                )
            },
            "it read the snapshot old of 2026-02-27 (cdcdcdcdcdcd), and not 2026-03-30-1",
        ),
        ({"stale_variables": ("IBKR_OLD",)}, "it was started with stale variables: IBKR_OLD"),
        ({"gate": "halted"}, "its trading gate is halted, and not active"),
        ({"gate": ""}, "its trading gate is not known"),
        ({"exposure_ratio": Decimal(0)}, "nothing that it holds bears risk"),
        ({"exposure_ratio": Decimal("0.0000")}, "nothing that it holds bears risk"),
        ({"exposure_ratio": None}, "what it holds is not known"),
        (
            {"outcome": Outcome.BLOCKED, "code": "HISTORY_STALE", "exposure_ratio": None},
            "its slot close ended BLOCKED HISTORY_STALE",
        ),
        ({"outcome": Outcome.FAILED, "code": "UNEXPECTED"}, "its slot close ended FAILED"),
        (
            {"outcome": Outcome.NO_ACTION, "code": "MARKET_CLOSED", "exposure_ratio": None},
            "its slot close asked no strategy (MARKET_CLOSED)",
        ),
    ],
)
def test_a_heartbeat_that_differs_is_told(changes: dict[str, object], said: str) -> None:
    (text,) = found(block=replace(BLOCK, **changes))  # type: ignore[arg-type] # checked by the block
    assert text.startswith(said)


def test_a_direct_profile_that_read_a_snapshot_is_told() -> None:
    expected = replace(EXPECTED, input_mode=InputMode.DIRECT, snapshot=None)
    odd = replace(BLOCK, strategies=(replace(STRATEGY, input_mode=InputMode.DIRECT),))
    (text,) = found(block=odd, expected=expected)
    assert text.startswith("it read the snapshot of 2026-03-30, which ")


def test_any_snapshot_will_do_where_none_is_named() -> None:
    assert found(expected=replace(EXPECTED, snapshot=None)) == []


def test_a_configured_profile_may_call_itself_as_it_likes() -> None:
    assert found(expected=replace(EXPECTED, display_name="")) == []


def test_every_difference_is_told_at_once() -> None:
    wrong = replace(BLOCK, gate="halted", bundle="ffff", exposure_ratio=Decimal(0))
    assert len(found(replace(SERVICE, is_ready=False), wrong)) == 4
