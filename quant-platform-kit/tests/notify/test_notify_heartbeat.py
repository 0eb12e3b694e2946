"""The heartbeat tells an operator what happened, what is held and what it ran on."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    Environment,
    ExecutionMode,
    FrozenSleeve,
    Heartbeat,
    OrderLine,
    OrderStatus,
    Outcome,
    Purpose,
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


def cut_off(traded: CycleReport, *orders: OrderLine) -> CycleReport:
    """Return a run that lost its broker after these orders."""
    return replace(
        traded,
        outcome=Outcome.FAILED,
        code=ReasonCode.BROKER_UNAVAILABLE,
        reason="no answer",
        orders=orders,
        outdated=bool(orders),
    )


def test_a_run_that_lost_its_broker_says_what_became_of_its_orders_and_what_to_do(
    traded: CycleReport,
) -> None:
    filled = replace(traded.orders[0], status=OrderStatus.FILLED, code=None)
    filled = replace(filled, filled_quantity=filled.quantity)
    partly = replace(filled, status=OrderStatus.CANCELLED, filled_quantity=filled.quantity / 2)
    nothing = replace(filled, status=OrderStatus.EXPIRED, filled_quantity=Decimal(0))
    unsent = replace(nothing, status=OrderStatus.REJECTED, code=ReasonCode.NEVER_SENT)
    unknown = replace(nothing, status=OrderStatus.UNRESOLVED)
    report = cut_off(traded, filled, filled, partly, nothing, unsent, unknown)
    english = heartbeat(report, "en").body.splitlines()
    assert english[1] == "The broker cannot be reached; nothing more was sent."
    assert english[2].partition(": ")[2].split(" · ") == [
        "2 filled",
        "1 partly filled",
        "1 ended without a fill",
        "1 not sent",
        "1 whose end is not known yet",
    ]
    assert english[3] == "Why: no answer"
    assert english[4].startswith("What to do: Reconnect the broker and run the slot again: ")
    assert english[5] == "Money and positions shown here are from before these orders."
    chinese = heartbeat(report, "zh").body.splitlines()
    assert chinese[1] == "无法连接券商，未再发送任何订单。"
    assert chinese[2].partition("：")[2].split(" · ") == [
        "成交 2 笔",
        "部分成交 1 笔",
        "未成交即结束 1 笔",
        "未发送 1 笔",
        "结果尚不明确 1 笔",
    ]
    assert chinese[3] == "原因：no answer"
    assert chinese[4].startswith("处理办法：恢复与券商的连接后")
    assert chinese[5] == "此处的资金与持仓为下单之前的数据。"


def test_a_run_that_never_reached_its_broker_says_that_no_order_was_sent(
    traded: CycleReport,
) -> None:
    unsent = replace(
        traded.orders[0],
        status=OrderStatus.REJECTED,
        code=ReasonCode.NEVER_SENT,
        filled_quantity=Decimal(0),
        average_price_usd=None,
    )
    assert "\nNo order was sent.\n" in heartbeat(cut_off(traded), "en").body
    body = heartbeat(cut_off(traded, unsent), "en").body
    assert "\nNo order was sent.\n" in body
    assert "· not sent · NEVER_SENT" in body
    assert "rejected" not in body


def test_a_stop_that_waits_for_its_price_is_not_among_the_orders_to_look_up(
    traded: CycleReport,
) -> None:
    waiting = replace(
        traded.orders[0],
        status=OrderStatus.SUBMITTED,
        filled_quantity=Decimal(0),
        purpose=Purpose.STOP,
    )
    assert "No order was sent." in heartbeat(cut_off(traded, waiting), "en").body


@pytest.mark.parametrize(
    ("changes", "sign", "english", "chinese"),
    [
        ({}, "✅", "You need not do anything.", "您无需处理。"),
        (
            {"outcome": Outcome.NO_ACTION, "code": ReasonCode.NOTHING_TO_DO},
            "⚪",
            "You need not do anything.",
            "您无需处理。",
        ),
        (
            {"outcome": Outcome.BLOCKED, "code": ReasonCode.HISTORY_STALE},
            "🟠",
            "Look at it today · HISTORY_STALE",
            "请于今日内查看 · HISTORY_STALE",
        ),
        (
            {"outcome": Outcome.FAILED, "code": ReasonCode.NOT_FILLED},
            "🔴",
            "Act now · NOT_FILLED",
            "请立即处理 · NOT_FILLED",
        ),
        (
            {"notes": ("QUANTITY_MISMATCH: SIM_A: broker 1, ledger 2", "STOP_FILLED: SIM_A: sold")},
            "🟠",
            "Look at it today · QUANTITY_MISMATCH · STOP_FILLED",
            "请于今日内查看 · QUANTITY_MISMATCH · STOP_FILLED",
        ),
        (
            {"notes": ("BROKER_NOTICE: renew", "STOP_MISSING: SIM_A: no price")},
            "🔴",
            "Act now · STOP_MISSING · BROKER_NOTICE",
            "请立即处理 · STOP_MISSING · BROKER_NOTICE",
        ),
        (
            {
                "outcome": Outcome.BLOCKED,
                "code": ReasonCode.GATE_CLOSED,
                "notes": ("GATE_CLOSED: the platform halted trading.",),
            },
            "🟠",
            "Act now · GATE_CLOSED",
            "请立即处理 · GATE_CLOSED",
        ),
        (
            {"skipped": (Skipped("SIM_A", ReasonCode.FOREIGN_ORDER),)},
            "🟠",
            "Look at it today · FOREIGN_ORDER",
            "请于今日内查看 · FOREIGN_ORDER",
        ),
        (
            {"notes": ("interest booked: +0.50 USD",)},
            "✅",
            "You need not do anything.",
            "您无需处理。",
        ),
        (
            {
                "outcome": Outcome.FAILED,
                "code": ReasonCode.UNEXPECTED,
                "mode": ExecutionMode.DRY_RUN,
            },
            "🔴",
            "Look at it today · UNEXPECTED",
            "请于今日内查看 · UNEXPECTED",
        ),
    ],
    ids=[
        "traded",
        "quiet",
        "blocked",
        "failed",
        "traded with a lock",
        "traded without a stop",
        "halted by the platform",
        "traded beside a foreign order",
        "an ordinary note",
        "a dry run that failed",
    ],
)
def test_the_first_line_says_whether_somebody_has_to_act(
    traded: CycleReport, changes: dict[str, Any], sign: str, english: str, chinese: str
) -> None:
    report = replace(traded, **changes)
    for language, said in (("en", english), ("zh", chinese)):
        message = heartbeat(report, language)
        assert message.title.startswith(sign)
        assert message.body.splitlines()[0] == said


def test_a_rejected_order_among_filled_ones_is_to_be_looked_at(traded: CycleReport) -> None:
    first, *others = traded.orders
    refused = replace(first, status=OrderStatus.REJECTED, code=ReasonCode.ORDER_REJECTED)
    message = heartbeat(replace(traded, orders=(refused, *others)), "en")
    assert message.title.startswith("🟠")
    assert message.body.startswith("Look at it today · ORDER_REJECTED\n")


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


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Dividends received: 1,010.50 USD · unknown, VLUE"),
        ("zh", "收到股息：1,010.50 美元 · 未知, VLUE"),
    ],
)
def test_dividends_are_told_in_one_line_and_only_where_there_are_some(
    traded: CycleReport, language: str, line: str
) -> None:
    paid = replace(traded, dividends_usd={"VLUE": Decimal("12.25"), "": Decimal("998.25")})
    told = heartbeat(paid, language).body.splitlines()
    assert line in told
    assert [each for each in told if each != line] == heartbeat(traded, language).body.splitlines()


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
