"""What every profile declares and accepts, held fast number by number.

The tests of each profile say what it decides. These hold what a decision rests on: the defaults
and the manifest, as a file that a review of any change sees, and the edges of each configuration.
A fault that the mutation score (`make mutation`) found unnoticed gets its test here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from pydantic import ValidationError

from quant_platform_kit.bundle import Declared
from quant_platform_kit.contracts import Decision, SignalAction, encode
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, ExchangeCalendar
from quant_platform_kit.strategy import (
    Catalog,
    SleeveView,
    StrategyConfig,
    StrategyContext,
    load_catalog,
)
from quant_platform_kit.testing import make_cases
from us_equity_strategies.examples import (
    covered_call,
    gamma_scalper,
    mean_reversion,
    momentum,
    test_signal_generator,
)

CheckGolden = Callable[[str, str], None]
ContextOf = Callable[..., StrategyContext]
Daily = Callable[..., BarFrame]

EXAMPLES = ("covered_call", "gamma_scalper", "mean_reversion", "momentum", "test_signal_generator")
SESSION = date(2021, 6, 15)
KNOWN_UNTIL = date(2021, 6, 14)

# Other configurations, so that every text and every symbol of a manifest shows both its sides.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "global_etf_rotation": [
        {"safe_haven": None, "rebalance_months": list(range(1, 13)), "sma_period": 301},
    ],
    "mega_cap_leader_rotation": [{"universe": ["AAA", "BBB"], "safe_haven": None}],
    "nasdaq_sp500_smart_dca": [{"sizing": "smart", "signal_symbols": ["AAA"]}],
    "qqq_tech_enhancement": [{"universe": ["AAA", "BBB"], "safe_haven": None}],
    "russell_1000_multi_factor_defensive": [{"universe": ["AAA", "BBB"], "safe_haven": None}],
    "soxl_soxx_trend_income": [{"trend_period": 20}],
    "spy_macd_vixy": [{"hedge_symbol": None, "fast": 3, "slow": 10, "signal": 20}],
    "tqqq_growth_income": [{"trend_period": 10, "atr_period": 20}],
}

# Module, key, values on the edge that are accepted, values beyond it that are refused. A value
# that is accepted alone stands where another key's rule would refuse the neighbour.
EDGES: list[tuple[str, str, list[Any], list[Any]]] = [
    ("global_etf_rotation", "pool", [["AAA", "BBB"]], [[]]),  # top_n is 2
    ("global_etf_rotation", "canary", [["AAA", "BBB", "CCC", "DDD"]], [[]]),  # all must be bad
    ("global_etf_rotation", "top_n", [1, 22], [0, 23]),
    ("global_etf_rotation", "hold_bonus", [0], [-0.01]),
    ("global_etf_rotation", "canary_bad_threshold", [1, 4], [0, 5]),
    ("global_etf_rotation", "rebalance_months", [[1], [12]], [[], [0], [13]]),
    ("global_etf_rotation", "sma_period", [1], [0]),
    ("spy_macd_vixy", "hedge_weight", [0, 1], [-0.01, 1.01]),
    ("spy_macd_vixy", "fast", [1, 25], [0, 26]),
    ("spy_macd_vixy", "slow", [13], [12]),
    ("spy_macd_vixy", "signal", [1], [0]),
    ("tqqq_growth_income", "trend_period", [1], [0]),
    ("tqqq_growth_income", "atr_period", [1], [0]),
    ("tqqq_growth_income", "atr_exit", [0], [-0.1]),
    ("tqqq_growth_income", "atr_entry", [0], [-0.1]),
    ("tqqq_growth_income", "rebalance_threshold", [0, 0.99], [-0.01, 1]),
    ("tqqq_growth_income", "leverage", [0.1], [0]),
    ("soxl_soxx_trend_income", "trend_period", [1], [0]),
    ("soxl_soxx_trend_income", "cash_reserve", [0, 0.99], [-0.01, 1]),
    ("soxl_soxx_trend_income", "rebalance_threshold", [0, 0.99], [-0.01, 1]),
    ("nasdaq_sp500_smart_dca", "signal_symbols", [["AAA"]], [[]]),
    ("nasdaq_sp500_smart_dca", "buy_symbols", [["AAA"]], [[]]),
    ("nasdaq_sp500_smart_dca", "cash_reserve_usd", [0], [-1]),
    ("nasdaq_sp500_smart_dca", "window_day", [1, 28], [0, 29]),
    ("nasdaq_sp500_smart_dca", "window_days", [1, 28], [0, 29]),
    ("qqq_tech_enhancement", "sectors", [["AAA"]], [[]]),
    ("qqq_tech_enhancement", "execution_window_sessions", [1], [0]),
    ("mega_cap_leader_rotation", "hold_buffer", [0], [-1]),
    ("mega_cap_leader_rotation", "min_position_usd", [0], [-1]),
    *[
        (profile, key, accepted, refused)
        for profile in (
            "mega_cap_leader_rotation",
            "qqq_tech_enhancement",
            "russell_1000_multi_factor_defensive",
        )
        for key, accepted, refused in (
            ("holdings", [1], [0]),
            ("name_cap", [0, 1], [-0.01, 1.01]),
            ("hold_bonus", [0], [-0.01]),
            ("exposure_risk_on", [0, 1], [-0.01, 1.01]),
            ("exposure_soft", [0, 1], [-0.01, 1.01]),
            ("exposure_hard", [0, 1], [-0.01, 1.01]),
            ("breadth_soft", [0.35, 1], [0.34, 1.01]),
            ("breadth_hard", [0, 0.55], [-0.01, 0.56]),
            ("max_snapshot_age_sessions", [1], [0]),
            ("rebalance_threshold", [0, 0.99], [-0.01, 1]),
        )
    ],
    *[
        (profile, key, [0], [-1])
        for profile in ("mega_cap_leader_rotation", "qqq_tech_enhancement")
        for key in ("min_close_usd", "min_adv20_usd")
    ],
    *[
        (profile, "min_history_days", [1], [0])
        for profile in ("mega_cap_leader_rotation", "qqq_tech_enhancement")
    ],
    ("examples.covered_call", "deviations", [0], [-0.1]),
    ("examples.covered_call", "volatility_window", [2], [1]),
    ("examples.covered_call", "roll_days", [0], [-1]),
    ("examples.gamma_scalper", "straddles", [1], [0]),
    ("examples.gamma_scalper", "delta_threshold", [0.01, 1], [0, 1.01]),
    ("examples.gamma_scalper", "exit_before_close_mins", [1], [0]),
    ("examples.gamma_scalper", "positive_gamma_factor", [0], [-0.1]),
    ("examples.gamma_scalper", "negative_gamma_factor", [0], [-0.1]),
    ("examples.gamma_scalper", "short_window", [2], [1]),
    ("examples.mean_reversion", "symbols", [["AAA"]], [[]]),
    ("examples.mean_reversion", "window", [2], [1]),
    ("examples.mean_reversion", "entry", [0.1], [0]),
    ("examples.mean_reversion", "stop_loss_pct", [0.1, 99.9], [0, 100]),
    ("examples.momentum", "symbols", [["AAA"]], [[]]),
    ("examples.momentum", "lookback", [1], [0]),
    ("examples.momentum", "certain_return", [0.1], [0]),
    ("examples.momentum", "trailing_stop_pct", [0.1, 99.9], [0, 100]),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def config_of(module: str, **values: object) -> StrategyConfig:
    kind: type[StrategyConfig] = import_module(f"us_equity_strategies.{module}").Config
    return kind.model_validate(values)


def answered(answer: Decision | Awaitable[Decision]) -> Decision:
    async def wait(waiting: Awaitable[Decision]) -> Decision:
        return await waiting

    return answer if isinstance(answer, Decision) else asyncio.run(wait(answer))


def declarations(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for name, profile in catalog.profiles.items():
        if not profile.module_name.startswith("us_equity_strategies."):
            continue
        for values in ({}, *VARIANTS.get(name, [])):
            config = profile.module.Config.model_validate(values)
            strategy = profile.configured(config)
            said = {
                "profile": name,
                "config": values or config.model_dump(mode="json"),
                "manifest": encode(strategy.manifest),
            }
            if not values:  # a release puts this into the bundles of services
                said["declared"] = encode(Declared.of(strategy.manifest, strategy.config_sha256))
            yield said


def test_every_profile_declares_what_was_reviewed(
    catalog: Catalog, check_golden: CheckGolden
) -> None:
    # Beside the package's metadata: a release reads it out of the tag, without running anything.
    said = json.dumps(list(declarations(catalog)), ensure_ascii=False, indent=1, sort_keys=True)
    check_golden("../../declarations.json", f"{said}\n")


@pytest.mark.parametrize(
    ("module", "key", "value"),
    [(module, key, value) for module, key, accepted, _ in EDGES for value in accepted],
)
def test_a_value_on_the_edge_is_accepted(module: str, key: str, value: object) -> None:
    assert key in config_of(module, **{key: value}).model_fields_set


@pytest.mark.parametrize(
    ("module", "key", "value"),
    [(module, key, value) for module, key, _, refused in EDGES for value in refused],
)
def test_a_value_beyond_the_edge_is_refused(module: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        config_of(module, **{key: value})
    assert key in str(error.value)


@pytest.mark.parametrize(
    ("module", "values"),
    [
        ("global_etf_rotation", {"pool": ["AAA"], "top_n": 1}),
        ("global_etf_rotation", {"canary": ["AAA"], "canary_bad_threshold": 1}),
        ("spy_macd_vixy", {"fast": 1, "slow": 2}),
        ("examples.gamma_scalper", {"short_window": 2, "long_window": 3}),
    ],
)
def test_the_smallest_configuration_is_accepted(module: str, values: dict[str, Any]) -> None:
    config = config_of(module, **values)
    assert config.model_fields_set == set(values)


# ── Examples ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_it_lacks(name: str, context_of: ContextOf) -> None:
    module = import_module(f"us_equity_strategies.examples.{name}")
    decision = answered(module.decide(context_of(module.Config(), SESSION)))
    assert decision.code is ReasonCode.HISTORY_MISSING


@pytest.mark.parametrize(("session", "is_even"), [(SESSION, False), (date(2021, 6, 16), True)])
def test_the_generator_buys_on_even_sessions_of_the_calendar(
    session: date, is_even: bool, daily: Daily, context_of: ContextOf, calendar: ExchangeCalendar
) -> None:
    number = len(calendar.sessions(calendar.first_day, session))
    assert (number % 2 == 0) is is_even
    frame = daily("SPY", [100.0], calendar.previous(session))
    config = test_signal_generator.Config()
    decision = answered(test_signal_generator.decide(context_of(config, session, [frame])))
    (signal,) = decision.signals
    assert decision.targets[0].amount == (Decimal("0.1") if is_even else 0)
    assert signal.action is (SignalAction.BUY if is_even else SignalAction.SELL)
    assert signal.confidence == 1
    assert signal.reasoning.startswith(f"session {number} ")
    assert signal.reasoning.endswith("is even" if is_even else "is odd")


def test_a_call_is_struck_from_the_last_close_and_covers_whole_hundreds(
    daily: Daily, context_of: ContextOf
) -> None:
    closes = [100.0 + (place % 2) for place in range(63)] + [300.0]
    frame = daily("SPY", closes, KNOWN_UNTIL)
    config = covered_call.Config(deviations=0)
    without = covered_call.decide(context_of(config, SESSION, [frame]))
    (signal,) = without.signals
    assert signal.quantity == 0
    assert "struck at 300 USD, expiring 2021-07-16: 0 shares" in signal.reasoning
    assert signal.confidence == Decimal("0.5000")
    context = context_of(config, SESSION, [frame])
    sleeve = SleeveView(quantities={"SPY": Decimal(250)})
    (signal,) = covered_call.decide(replace(context, sleeve=sleeve)).signals
    assert signal.quantity == 2


def test_a_gamma_hedge_is_counted_in_shares_of_the_fund(
    daily: Daily, context_of: ContextOf
) -> None:
    # Quiet for a month, then a fall: moves grow, so the size is half as much again.
    closes = [100.0 + 0.1 * (place % 2) for place in range(21)] + [95.0]
    decision = gamma_scalper.decide(
        context_of(gamma_scalper.Config(), SESSION, [daily("SPY", closes, KNOWN_UNTIL)])
    )
    (signal,) = decision.signals
    assert decision.diagnostics["gamma"] == "negative"
    assert decision.diagnostics["straddles"] == "15.0"
    assert decision.diagnostics["delta"] == "-1.0000"
    assert signal.action is SignalAction.BUY
    assert signal.quantity == pytest.approx(1500, abs=1)


def test_a_rise_above_the_threshold_is_sold_against(daily: Daily, context_of: ContextOf) -> None:
    closes = [100.0 + (place % 2) for place in range(21)] + [100.5]
    decision = gamma_scalper.decide(
        context_of(gamma_scalper.Config(), SESSION, [daily("SPY", closes, KNOWN_UNTIL)])
    )
    (signal,) = decision.signals
    delta = float(decision.diagnostics["delta"])
    assert signal.action is (SignalAction.BUY if delta < 0 else SignalAction.SELL)
    assert signal.quantity is not None
    assert float(signal.quantity) == pytest.approx(abs(delta) * 5 * 100, abs=1)
    assert decision.diagnostics["straddles"] == "5.0"


def reverting(closes: Mapping[str, list[float]], daily: Daily) -> list[BarFrame]:
    return [daily(symbol, levels, KNOWN_UNTIL) for symbol, levels in closes.items()]


def test_each_symbol_that_reverts_has_an_equal_part(daily: Daily, context_of: ContextOf) -> None:
    fallen, level = [100.0] * 19 + [90.0], [100.0] * 20
    config = mean_reversion.Config(symbols=("AAA", "BBB"))
    frames = reverting({"AAA": fallen, "BBB": level}, daily)
    decision = mean_reversion.decide(context_of(config, SESSION, frames))
    assert [(t.symbol, t.amount) for t in decision.targets] == [("AAA", Decimal("0.5"))]
    bought, kept = decision.signals
    assert (bought.action, bought.stop_loss_pct) == (SignalAction.BUY, Decimal(5))
    assert bought.confidence == 1
    assert (kept.action, kept.stop_loss_pct) == (SignalAction.HOLD, None)


def test_a_score_at_the_entry_enters(daily: Daily, context_of: ContextOf) -> None:
    # Two levels, half of the sessions each: the last close lies exactly one deviation below.
    config = mean_reversion.Config(symbols=("AAA",), entry=1.0)
    frames = reverting({"AAA": [110.0, 90.0] * 10}, daily)
    decision = mean_reversion.decide(context_of(config, SESSION, frames))
    assert [target.symbol for target in decision.targets] == ["AAA"]
    assert decision.signals[0].action is SignalAction.BUY
    assert decision.signals[0].confidence == Decimal("0.5000")


@pytest.mark.parametrize(
    ("held", "action"), [(("AAA",), SignalAction.SELL), ((), SignalAction.HOLD)]
)
def test_a_symbol_at_its_average_is_sold_by_its_holder_only(
    held: tuple[str, ...], action: SignalAction, daily: Daily, context_of: ContextOf
) -> None:
    config = mean_reversion.Config(symbols=("AAA",))
    frames = reverting({"AAA": [100.0] * 20}, daily)  # a score of exactly zero
    decision = mean_reversion.decide(context_of(config, SESSION, frames, held=held))
    assert decision.targets == ()
    assert decision.signals[0].action is action


def test_a_return_of_nothing_is_no_rise(daily: Daily, context_of: ContextOf) -> None:
    config = momentum.Config(symbols=("AAA",))
    frame = daily("AAA", [100.0] * 201, KNOWN_UNTIL)
    decision = momentum.decide(context_of(config, SESSION, [frame]))
    assert decision.targets == ()
    assert decision.signals[0].action is SignalAction.SELL
    assert decision.signals[0].trailing_stop_pct is None


def test_a_straddle_is_struck_at_the_close_before_the_last_one(
    daily: Daily, context_of: ContextOf
) -> None:
    closes = [100.0 + (place % 2) for place in range(22)] + [101.0]  # as the one before it
    decision = gamma_scalper.decide(
        context_of(gamma_scalper.Config(), SESSION, [daily("SPY", closes, KNOWN_UNTIL)])
    )
    (signal,) = decision.signals
    assert 0 < float(decision.diagnostics["delta"]) < 0.01
    assert (signal.action, signal.quantity) == (SignalAction.HOLD, Decimal(0))


# ── Portfolios ─────────────────────────────────────────────────────────────────────────


def test_a_single_stock_takes_the_whole_exposure(catalog: Catalog) -> None:
    values = {"universe": ["AAA", "BBB"], "holdings": 1, "name_cap": 1, "sector_cap": 1}
    config = config_of("russell_1000_multi_factor_defensive", safe_haven=None, **values)
    strategy = catalog.find("russell_1000_multi_factor_defensive").configured(config)
    weights = [
        [target.amount for target in decision.targets]
        for case in make_cases(strategy)
        for decision in [answered(strategy.decide(case.context))]
        if decision.diagnostics.get("regime") == "risk_on"
    ]
    assert weights
    assert all(each == [1] for each in weights)
