from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable

import pytest

from quant_platform_kit.contracts import Decision, DecisionOutcome, TargetMode
from quant_platform_kit.errors import (
    CalendarError,
    ContractError,
    InputError,
    ReasonCode,
)
from quant_platform_kit.strategy import Strategy, StrategyContext, evaluate

MakeStrategy = Callable[..., Strategy]
PATIENT = 30.0


def test_decisions_come_back_in_the_order_of_the_jobs(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    first_may_answer = threading.Event()

    def slow(_: StrategyContext) -> Decision:
        assert first_may_answer.wait(PATIENT)
        return Decision.hold("slow")

    def quick(_: StrategyContext) -> Decision:
        first_may_answer.set()
        return Decision.hold("quick")

    answers = evaluate(
        [(make_strategy(slow), context), (make_strategy(quick), context)], timeout_secs=PATIENT
    )

    # The first one could only answer because the second one ran beside it.
    assert [answer.reason for answer in answers] == ["slow", "quick"]


def test_no_jobs_give_no_decisions() -> None:
    assert evaluate([], timeout_secs=1) == ()


def test_a_strategy_is_given_its_own_context(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    seen = []

    def decide(given: StrategyContext) -> Decision:
        seen.append(given)
        return Decision.weights({"SPY": 1.0})

    (decision,) = evaluate([(make_strategy(decide), context)], timeout_secs=PATIENT)

    assert seen == [context]
    assert decision == Decision.weights({"SPY": 1.0})


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ZeroDivisionError("by zero"), ReasonCode.STRATEGY_FAILED, "ZeroDivisionError: by zero"),
        (ValueError("two\n  lines"), ReasonCode.STRATEGY_FAILED, "ValueError: two lines"),
        (RuntimeError(), ReasonCode.STRATEGY_FAILED, "RuntimeError"),
        (SystemExit(3), ReasonCode.STRATEGY_FAILED, "SystemExit: 3"),
        (ContractError("no"), ReasonCode.STRATEGY_FAILED, "ContractError: no"),
        (
            InputError("short", code=ReasonCode.HISTORY_SHORT),
            ReasonCode.HISTORY_SHORT,
            "InputError: short",
        ),
        (CalendarError("2099"), ReasonCode.CALENDAR_UNREADABLE, "CalendarError: 2099"),
    ],
)
def test_a_strategy_that_raises_is_blocked_and_the_others_are_not(
    make_strategy: MakeStrategy,
    context: StrategyContext,
    error: BaseException,
    code: ReasonCode,
    text: str,
) -> None:
    def raising(_: StrategyContext) -> Decision:
        raise error

    sound = make_strategy(lambda _: Decision.weights({"SPY": 1.0}))
    failed, decided = evaluate(
        [(make_strategy(raising), context), (sound, context)], timeout_secs=PATIENT
    )

    assert failed == Decision.blocked(code, text)
    assert decided.outcome is DecisionOutcome.REBALANCE


def test_a_strategy_that_hangs_is_blocked_and_the_others_are_not(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    released = threading.Event()

    def hanging(_: StrategyContext) -> Decision:
        released.wait(PATIENT)
        return Decision.weights({"SPY": 1.0})

    sound = make_strategy(lambda _: Decision.hold("nothing new"))
    late, held = evaluate([(make_strategy(hanging), context), (sound, context)], timeout_secs=0.2)
    released.set()

    assert (late.outcome, late.code) == (DecisionOutcome.BLOCKED, ReasonCode.STRATEGY_TIMEOUT)
    assert "0.2 seconds" in late.reason
    assert held.outcome is DecisionOutcome.HOLD


def test_a_coroutine_that_hangs_is_blocked_and_cancelled(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    cancelled = threading.Event()

    async def hanging(_: StrategyContext) -> Decision:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Decision.hold("never")

    (late,) = evaluate([(make_strategy(hanging), context)], timeout_secs=0.2)

    assert late.code is ReasonCode.STRATEGY_TIMEOUT
    assert cancelled.wait(PATIENT)


@pytest.mark.parametrize("answer", [None, {"SPY": 1.0}, "REBALANCE"])
def test_an_answer_that_is_not_a_decision_is_blocked(
    make_strategy: MakeStrategy, context: StrategyContext, answer: object
) -> None:
    (decision,) = evaluate([(make_strategy(lambda _: answer), context)], timeout_secs=PATIENT)

    assert decision.code is ReasonCode.STRATEGY_FAILED
    assert type(answer).__name__ in decision.reason


def test_a_malformed_decision_is_blocked_with_the_field_it_got_wrong(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    heavy = make_strategy(lambda _: Decision.weights({"SPY": 0.7, "BIL": 0.7}))

    (decision,) = evaluate([(heavy, context)], timeout_secs=PATIENT)

    assert decision.code is ReasonCode.STRATEGY_FAILED
    assert "sum to at most 1" in decision.reason


def test_a_target_outside_the_managed_universe_is_blocked_with_its_symbol(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    stray = make_strategy(lambda _: Decision.weights({"SPY": 0.5, "TSLA": 0.2, "GME": 0.0}))

    (decision,) = evaluate([(stray, context)], timeout_secs=PATIENT)

    assert decision.code is ReasonCode.UNMANAGED_TARGET
    assert decision.reason.endswith("GME, TSLA")


def test_targets_in_another_unit_than_declared_are_blocked(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    dollars = make_strategy(lambda _: Decision.values({"SPY": 1000.0}))
    declared = make_strategy(
        lambda _: Decision.values({"SPY": 1000.0}), target_mode=TargetMode.VALUE
    )

    wrong, right = evaluate([(dollars, context), (declared, context)], timeout_secs=PATIENT)

    assert wrong.code is ReasonCode.STRATEGY_FAILED
    assert right.outcome is DecisionOutcome.REBALANCE


@pytest.mark.parametrize("timeout_secs", [0.0, -1.0, float("nan")])
def test_a_time_limit_that_is_not_above_zero_is_refused(timeout_secs: float) -> None:
    with pytest.raises(ContractError, match="timeout_secs"):
        evaluate([], timeout_secs=timeout_secs)


def test_a_hung_strategy_does_not_keep_the_process_from_exiting() -> None:
    program = textwrap.dedent(
        """
        import threading
        from datetime import date
        from quant_platform_kit.contracts import (
            Cadence, HistoryInput, ProfileStatus, StrategyManifest, TargetMode,
        )
        from quant_platform_kit.market import xnys
        from quant_platform_kit.strategy import (
            SleeveView, Strategy, StrategyConfig, StrategyContext, evaluate,
        )
        text = {"en": "Stuck", "zh": "卡住"}
        manifest = StrategyManifest(
            profile="stuck", display_name=text, description=text, cadence=Cadence.DAILY,
            benchmark="SPY", target_mode=TargetMode.WEIGHT, status=ProfileStatus.RESEARCH,
            managed=("SPY",), history=HistoryInput(("SPY",), 1),
        )
        config = StrategyConfig()
        stuck = Strategy("stuck", config, manifest, lambda _: threading.Event().wait())
        context = StrategyContext(date(2020, 3, 31), xnys(), {}, None, SleeveView(), config)
        print(evaluate([(stuck, context)], timeout_secs=0.1)[0].code)
        """
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "STRATEGY_TIMEOUT"), done.stderr
