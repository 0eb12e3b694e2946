"""The bench of decisions measures decisions, and its floor is what they compute."""

from __future__ import annotations

import pytest

from bench.decisions import indicator_calls, rebalances
from quant_platform_kit.contracts import Decision, DecisionOutcome
from quant_platform_kit.market import indicators
from quant_platform_kit.strategy import Strategy, load_catalog
from tools.profiles._stand_ins import on_stand_ins
from us_equity_strategies.global_etf_rotation import Config


@pytest.fixture(scope="module")
def rotation() -> Strategy:
    return on_stand_ins(load_catalog().find("global_etf_rotation"))


def test_every_measured_decision_does_the_whole_work(rotation: Strategy) -> None:
    contexts = rebalances(rotation)
    for context in contexts:
        decision = rotation.decide(context)
        assert isinstance(decision, Decision)
        assert decision.outcome is DecisionOutcome.REBALANCE


def test_the_floor_is_every_indicator_call_from_outside_and_nothing_is_left_behind(
    rotation: Strategy,
) -> None:
    original = indicators.momentum_13612w
    (context,) = rebalances(rotation)[:1]
    calls = indicator_calls(rotation, [context])
    assert indicators.momentum_13612w is original
    heard = [call.func for call in calls]
    assert heard.count(original) >= len(Config().canary)
    assert indicators.month_end_closes not in heard
    assert calls[0]() == original(*calls[0].args)
