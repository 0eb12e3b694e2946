"""The heartbeat tells an operator what happened, what is held and what it ran on."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    Environment,
    ExecutionMode,
    FrozenSleeve,
    Heartbeat,
    Outcome,
    Skipped,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.notify import heartbeat, log_heartbeat

GOLDEN = Path(__file__).parent / "golden"


def written(message: Heartbeat) -> str:
    return f"{message.title}\n\n{message.body}\n"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", ["traded", "blocked"])
def test_the_message_is_the_golden_one_to_the_character(
    case: str, language: str, request: pytest.FixtureRequest
) -> None:
    report: CycleReport = request.getfixturevalue(case)
    golden = (GOLDEN / f"heartbeat_{case}_{language}.txt").read_text(encoding="utf-8")
    assert written(heartbeat(report, language)) == golden


def test_the_mode_is_what_the_connected_broker_says_and_not_the_request(
    traded: CycleReport,
) -> None:
    asked_live = replace(traded, mode=ExecutionMode.LIVE, environment=Environment.PAPER)
    body = heartbeat(asked_live, "en").body
    assert "Mode: paper account" in body
    assert "LIVE" not in body


def test_a_dry_run_on_a_live_account_says_both(traded: CycleReport) -> None:
    report = replace(traded, mode=ExecutionMode.DRY_RUN, environment=Environment.LIVE)
    assert "Mode: LIVE account · dry run, no order leaves" in heartbeat(report, "en").body


def test_a_quiet_day_gives_its_reason_once(traded: CycleReport) -> None:
    reason = "no session of a rebalance month"
    sleeve = replace(traded.decisions[0], decision=Decision.hold(reason))
    report = replace(
        traded,
        outcome=Outcome.NO_ACTION,
        code=ReasonCode.HOLD,
        reason=reason,
        decisions=(sleeve,),
        frozen=(FrozenSleeve(sleeve.profile, ReasonCode.HOLD, reason),),
        orders=(),
    )
    message = heartbeat(report, "en")
    assert message.title == "⚪ SCHWAB · Global ETF Rotation · NO ACTION HOLD"
    assert message.body.count(reason) == 1
    assert "Frozen" not in message.body


def test_every_outcome_has_its_own_sign(traded: CycleReport) -> None:
    titles = {heartbeat(replace(traded, outcome=outcome), "en").title[0] for outcome in Outcome}
    assert len(titles) == len(Outcome)


def test_a_universe_of_a_thousand_fits_one_screen(traded: CycleReport) -> None:
    skipped = tuple(Skipped(f"S{number}", ReasonCode.AT_TARGET) for number in range(1000))
    body = heartbeat(replace(traded, skipped=skipped), "en").body
    assert "  AT_TARGET: 1000\n" in body
    assert "S999" not in body


def test_a_fractional_price_keeps_its_decimals_and_a_whole_one_its_cents(
    traded: CycleReport,
) -> None:
    body = heartbeat(traded, "en").body
    assert "VLUE @ 61.125 " in body
    assert "QUAL @ 85.00 " in body


def test_money_is_rounded_to_cents_with_separators(traded: CycleReport) -> None:
    report = replace(traded, equity_usd=Decimal("1234567.891"))
    assert "Equity: 1,234,567.89 USD" in heartbeat(report, "en").body


def test_the_same_report_gives_the_same_message_whatever_order_its_maps_have(
    traded: CycleReport,
) -> None:
    turned = dict(sorted(traded.versions.items(), reverse=True))
    assert heartbeat(replace(traded, versions=turned), "zh") == heartbeat(traded, "zh")


def test_an_unknown_language_is_refused(traded: CycleReport) -> None:
    with pytest.raises(ContractError, match="'de'"):
        heartbeat(traded, "de")


def test_the_log_gets_the_whole_message_as_one_record(
    traded: CycleReport, caplog: pytest.LogCaptureFixture
) -> None:
    message = heartbeat(traded, "en")
    with caplog.at_level(logging.INFO, logger="quant_platform_kit.heartbeat"):
        log_heartbeat(message)
    assert [record.getMessage() for record in caplog.records] == [
        f"{message.title}\n{message.body}"
    ]
