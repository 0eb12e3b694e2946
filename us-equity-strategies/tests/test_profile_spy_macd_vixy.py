from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    DecisionOutcome,
    InputMode,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import StrategyContext
from us_equity_strategies.spy_macd_vixy import Config, decide, manifest

Make = Callable[..., BarFrame]
Answer = Callable[..., Decision]

SESSION = date(2020, 3, 18)
KNOWN_UNTIL = date(2020, 3, 17)
FLAT = [100.0] * 40
PRICES = st.lists(st.floats(50.0, 200.0), min_size=35, max_size=60)


@pytest.fixture(scope="session")
def answer(daily: Make, context_of: Callable[..., StrategyContext]) -> Answer:
    def make(
        closes: list[float], config: Config | None = None, *, last: date = KNOWN_UNTIL
    ) -> Decision:
        config = config or Config()
        declared = manifest(config).history
        assert declared is not None
        history = [daily(symbol, FLAT, last) for symbol in declared.symbols]
        history.append(daily(config.signal_symbol, closes, last))
        return decide(context_of(config, SESSION, history))

    return make


def weights(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    return {target.symbol: target.amount for target in decision.targets}


def average(values: list[float], span: int) -> list[float]:
    """Return the exponential average, from its weights instead of its recursion."""
    decay = 1 - 2 / (span + 1)
    return [
        decay**last * values[0]
        + (1 - decay) * sum(decay**age * values[last - age] for age in range(last))
        for last in range(len(values))
    ]


def test_a_line_above_its_signal_holds_the_risk_asset_alone(answer: Answer) -> None:
    decision = answer([*FLAT, 101.0])

    assert weights(decision) == {"SPY": Decimal(1)}
    assert decision.mode is TargetMode.WEIGHT
    assert decision.diagnostics["state"] == "up"
    # One step of 1 from flat: 2/13 - 2/27, and a fifth of it.
    assert decision.diagnostics["macd_line"] == "+0.0798"
    assert decision.diagnostics["macd_signal"] == "+0.0160"


def test_a_line_below_its_signal_holds_the_hedge_and_cash(answer: Answer) -> None:
    assert weights(answer([*FLAT, 99.0])) == {"VIXY": Decimal("0.25")}


def test_a_line_at_its_signal_is_not_above_it(answer: Answer) -> None:
    assert weights(answer(FLAT)) == {"VIXY": Decimal("0.25")}


def test_without_a_hedge_there_is_only_cash(answer: Answer) -> None:
    assert weights(answer([*FLAT, 99.0], Config(hedge_symbol=None))) == {}


def test_the_signal_may_come_from_an_index_that_is_never_held(answer: Answer) -> None:
    config = Config(signal_symbol="^SPX", risk_symbol="USMV", hedge_symbol="TLT")

    assert weights(answer([*FLAT, 101.0], config)) == {"USMV": Decimal(1)}
    declared = manifest(config)
    assert declared.managed == ("USMV", "TLT")
    assert declared.history is not None
    assert declared.history.symbols == ("^SPX", "USMV", "TLT")


def test_the_state_counts_and_not_the_crossing(answer: Answer) -> None:
    rising = [100.0 * 1.001**day for day in range(60)]

    states = {answer(rising[:length]).diagnostics["state"] for length in range(50, 61)}

    assert states == {"up"}


def test_fewer_closes_than_slow_and_signal_periods_block(answer: Answer) -> None:
    short, enough = answer([100.0] * 34), answer([100.0] * 35)

    assert short.code is ReasonCode.HISTORY_SHORT
    assert "34" in short.reason
    assert enough.outcome is DecisionOutcome.REBALANCE


def test_a_hedge_that_was_listed_yesterday_can_be_bought(
    daily: Make, context_of: Callable[..., StrategyContext]
) -> None:
    history = [daily("SPY", [*FLAT, 99.0], KNOWN_UNTIL), daily("VIXY", [20.0], KNOWN_UNTIL)]

    assert weights(decide(context_of(Config(), SESSION, history))) == {"VIXY": Decimal("0.25")}


@pytest.mark.parametrize("symbol", ["SPY", "VIXY"])
def test_a_missing_symbol_blocks(
    daily: Make, context_of: Callable[..., StrategyContext], symbol: str
) -> None:
    history = [daily(s, FLAT, KNOWN_UNTIL) for s in ("SPY", "VIXY") if s != symbol]

    decision = decide(context_of(Config(), SESSION, history))

    assert decision.code is ReasonCode.HISTORY_MISSING
    assert symbol in decision.reason


def test_prices_that_stopped_block(answer: Answer) -> None:
    decision = answer([*FLAT, 101.0], last=date(2020, 3, 16))

    assert decision.code is ReasonCode.HISTORY_STALE
    assert "2020-03-16" in decision.reason


@given(later=st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=5))
def test_prices_of_the_session_and_later_change_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], later: list[float]
) -> None:
    context = context_of(Config(), SESSION)
    last = context.calendar.offset(KNOWN_UNTIL, len(later))
    known = [*FLAT, 101.0]
    history = [daily("SPY", known + later, last), daily("VIXY", FLAT + later, last)]

    decision = decide(context_of(Config(), SESSION, history))

    assert decision.diagnostics["macd_line"] == "+0.0798"


@given(closes=PRICES)
def test_the_decision_follows_the_definition_of_the_averages(
    answer: Answer, closes: list[float]
) -> None:
    fast, slow = average(closes, 12), average(closes, 26)
    line = [a - b for a, b in zip(fast, slow, strict=True)]
    gap = line[-1] - average(line, 9)[-1]
    assume(not math.isclose(gap, 0.0, abs_tol=1e-9))

    assert list(weights(answer(closes))) == (["SPY"] if gap > 0 else ["VIXY"])


@given(closes=PRICES, power=st.integers(-8, 8))
def test_the_scale_of_the_prices_changes_nothing(
    answer: Answer, closes: list[float], power: int
) -> None:
    # A power of two scales floats without rounding.
    scaled = [close * 2.0**power for close in closes]

    assert weights(answer(closes)) == weights(answer(scaled))


@given(oldest=st.lists(st.floats(50.0, 200.0), min_size=1, max_size=20))
def test_history_beyond_the_declared_sessions_changes_next_to_nothing(
    answer: Answer, oldest: list[float]
) -> None:
    history = manifest(Config()).history
    assert history is not None
    declared = [100.0 + 5 * math.sin(day / 7) for day in range(history.sessions)]

    assert answer(declared) == answer(oldest + declared)


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "spy_macd_vixy"
    assert declared.aliases == ("spymacdvixy",)
    assert declared.cadence is Cadence.DAILY
    assert declared.role is Role.DEFENSIVE
    assert declared.benchmark == "SPY"
    assert declared.safe_haven is None
    assert declared.input_mode is InputMode.DIRECT
    assert declared.managed == ("SPY", "VIXY")
    assert declared.history is not None
    assert declared.history.symbols == ("SPY", "VIXY")
    assert declared.history.sessions == 208  # eight times the slow period


@pytest.mark.parametrize(
    ("config", "name_en", "name_zh"),
    [
        (Config(), "SPY MACD with VIXY Hedge", "SPY MACD 趋势与 VIXY 对冲"),
        (Config(hedge_symbol=None), "SPY MACD or Cash", "SPY MACD 趋势与现金"),
        (
            Config(signal_symbol="^SPX", hedge_symbol="TLT"),
            "^SPX MACD with TLT Hedge",
            "^SPX MACD 趋势与 TLT 对冲",
        ),
    ],
)
def test_the_name_tells_the_configured_hedge(config: Config, name_en: str, name_zh: str) -> None:
    assert manifest(config).display_name == {"en": name_en, "zh": name_zh}


def test_without_a_hedge_the_description_speaks_of_cash_alone() -> None:
    told, hedged = (manifest(c).description for c in (Config(hedge_symbol=None), Config()))

    assert told["en"].endswith("signal line, otherwise cash.")
    assert told["zh"].endswith("否则持有现金。")
    assert hedged["zh"].endswith("否则持有 25% 的 VIXY，其余为现金。")


@pytest.mark.parametrize(
    ("share", "text"), [("0.25", "25% VIXY"), ("0.125", "12.5% VIXY"), ("1", "100% VIXY")]
)
def test_the_description_tells_the_configured_hedge(share: str, text: str) -> None:
    assert text in manifest(Config(hedge_weight=Decimal(share))).description["en"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fast": 26}, "fast = 26 must be below slow = 26"),
        ({"hedge_symbol": "SPY"}, "both SPY"),
        ({"hedge_weight": "1.01"}, "hedge_weight"),
        ({"signal": 0}, "signal"),
        ({"signal_symbol": "spy"}, "upper-case"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)


def test_the_shortest_periods_are_allowed() -> None:
    Config(fast=1, slow=2, signal=1)
