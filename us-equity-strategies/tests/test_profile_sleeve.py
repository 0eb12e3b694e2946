"""What holds for every profile that decides on the sleeve's dollars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import ModuleType

import pytest

from quant_platform_kit.contracts import Decision, DecisionOutcome, StrategyManifest
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame
from quant_platform_kit.strategy import SleeveView, StrategyContext
from us_equity_strategies import (
    nasdaq_sp500_smart_dca,
    soxl_soxx_trend_income,
    tqqq_growth_income,
)

Answer = Callable[..., Decision]

SESSION = date(2020, 8, 25)  # the monthly purchase is due
KNOWN_UNTIL = date(2020, 8, 24)
NAN, ENDLESS, MINUS = Decimal("NaN"), Decimal("Infinity"), Decimal(-1)

PROFILES = (tqqq_growth_income, soxl_soxx_trend_income, nasdaq_sp500_smart_dca)


@pytest.fixture(params=PROFILES, ids=lambda module: module.__name__.rpartition(".")[2])
def profile(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


@pytest.fixture
def declared(profile: ModuleType) -> StrategyManifest:
    manifest: StrategyManifest = profile.manifest(profile.Config())
    return manifest


@pytest.fixture
def answer(
    profile: ModuleType,
    declared: StrategyManifest,
    daily: Callable[..., BarFrame],
    context_of: Callable[..., StrategyContext],
) -> Answer:
    """Decide on flat prices; `changed` replaces parts of a sound sleeve by what is in it."""
    need = declared.history
    assert need is not None
    history = [daily(s, [100.0] * need.sessions, KNOWN_UNTIL, spread=1.0) for s in need.symbols]
    sound: Mapping[str, object] = {
        "quantities": {declared.managed[0]: Decimal(10)},
        "values_usd": {declared.managed[0]: Decimal(1000)},
        "cash_usd": Decimal(4000),
        "equity_usd": Decimal(5000),
    }

    def make(changed: Mapping[str, object]) -> Decision:
        sleeve = SleeveView(**{**sound, **changed})  # type: ignore[arg-type]
        decision: Decision = profile.decide(
            context_of(profile.Config(), SESSION, history, sleeve=sleeve)
        )
        return decision

    return make


def test_a_sound_sleeve_is_decided_on(answer: Answer) -> None:
    assert answer({}).outcome is DecisionOutcome.REBALANCE


def test_the_manifest_says_that_the_portfolio_is_read(declared: StrategyManifest) -> None:
    assert declared.reads_portfolio


def test_nothing_known_about_the_sleeve_blocks(answer: Answer) -> None:
    decision = answer(
        {
            "quantities": {},
            "values_usd": {},
            "cash_usd": Decimal(0),
            "equity_usd": Decimal(0),
        }
    )

    assert decision.code is ReasonCode.CAPITAL_ZERO


@pytest.mark.parametrize(
    ("capital", "code"),
    [
        (Decimal(0), ReasonCode.CAPITAL_ZERO),
        (Decimal("0.0099"), ReasonCode.CAPITAL_ZERO),
        (NAN, ReasonCode.VALUE_MALFORMED),
        (ENDLESS, ReasonCode.VALUE_MALFORMED),
        (MINUS, ReasonCode.VALUE_MALFORMED),
    ],
)
def test_a_capital_base_that_is_none_blocks(
    answer: Answer, capital: Decimal, code: ReasonCode
) -> None:
    decision = answer({"equity_usd": capital})

    assert decision.code is code
    assert "capital base" in decision.reason


@pytest.mark.parametrize("cash", [NAN, ENDLESS])
def test_cash_that_is_not_finite_blocks(answer: Answer, cash: Decimal) -> None:
    decision = answer({"cash_usd": cash})

    assert decision.code is ReasonCode.VALUE_MALFORMED
    assert "cash" in decision.reason


def test_a_margin_debit_is_no_fault(answer: Answer) -> None:
    assert answer({"cash_usd": Decimal(-100)}).outcome is not DecisionOutcome.BLOCKED


@pytest.mark.parametrize("figure", [NAN, ENDLESS, MINUS])
@pytest.mark.parametrize("part", ["quantities", "values_usd"])
def test_a_holding_that_is_no_amount_blocks(
    answer: Answer, declared: StrategyManifest, part: str, figure: Decimal
) -> None:
    for symbol in declared.managed:
        decision = answer({"quantities": {}, "values_usd": {}} | {part: {symbol: figure}})

        assert decision.code is ReasonCode.VALUE_MALFORMED
        assert symbol in decision.reason


def test_a_holding_without_a_value_blocks(answer: Answer, declared: StrategyManifest) -> None:
    for symbol in declared.managed:
        decision = answer({"quantities": {symbol: Decimal(3)}, "values_usd": {}})

        assert decision.code is ReasonCode.PRICE_MISSING
        assert f"3 shares of {symbol}" in decision.reason


def test_a_symbol_that_is_not_held_needs_no_value(
    answer: Answer, declared: StrategyManifest
) -> None:
    none_held = dict.fromkeys(declared.managed, Decimal(0))

    decision = answer({"quantities": none_held, "values_usd": {}})

    assert decision.outcome is DecisionOutcome.REBALANCE


def test_a_holding_that_is_not_managed_is_nobodys_business(answer: Answer) -> None:
    with_gamestop = {"quantities": {"GME": NAN}, "values_usd": {}}

    assert answer(with_gamestop) == answer({"quantities": {}, "values_usd": {}})
