from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
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
from quant_platform_kit.strategy import SleeveView, StrategyContext
from us_equity_strategies.soxl_soxx_trend_income import (
    Config,
    Split,
    decide,
    deploy_ratio,
    manifest,
    split_capital,
)

Make = Callable[..., BarFrame]
Answer = Callable[..., Decision]

SESSION = date(2020, 3, 18)
KNOWN_UNTIL = date(2020, 3, 17)
FLAT = [100.0] * 149
UP, DOWN = 101.0, 99.0
FUNDS = ("SOXL", "SOXX", "BOXX", "QQQI", "SPYI")
NOTHING = Decimal(0)

USD = st.decimals(Decimal("0.01"), Decimal(3_000_000), places=4)
CLOSES = st.floats(10.0, 200.0)


@pytest.fixture(scope="session")
def answer(daily: Make, context_of: Callable[..., StrategyContext]) -> Answer:
    def make(
        capital_usd: Decimal | int | str,
        close: float = UP,
        *,
        income: Mapping[str, Decimal] | None = None,
        config: Config | None = None,
        without: str | None = None,
        last: date = KNOWN_UNTIL,
    ) -> Decision:
        frames = [daily("SOXL", [*FLAT, close], last), daily("SOXX", [50.0] * 150, last)]
        sleeve = SleeveView(
            quantities=dict.fromkeys(income or {}, Decimal(7)),
            values_usd=income or {},
            equity_usd=Decimal(capital_usd),
        )
        history = [frame for frame in frames if frame.symbol != without]
        return decide(context_of(config or Config(), SESSION, history, sleeve=sleeve))

    return make


def dollars(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    assert decision.mode is TargetMode.VALUE
    return {target.symbol: target.amount for target in decision.targets}


def amounts(decision: Decision) -> list[str]:
    return [f"{amount:,.2f}" for amount in dollars(decision).values()]


# ── Vectors ────────────────────────────────────────────────────────────────────────────

VECTORS = [
    (8_000, "4,800.00", "3,200.00", "0.00", "0.00"),
    (50_000, "29,142.86", "20,857.14", "0.00", "0.00"),
    (120_000, "65,040.00", "54,960.00", "0.00", "0.00"),
    (200_000, "94,821.54", "95,178.46", "7,000.00", "3,000.00"),
    (1_000_000, "402,079.02", "447,920.98", "105,000.00", "45,000.00"),
]


@pytest.mark.parametrize(("capital_usd", "risk", "haven", "qqqi", "spyi"), VECTORS)
def test_an_uptrend_holds_the_leveraged_fund(
    answer: Answer, capital_usd: int, risk: str, haven: str, qqqi: str, spyi: str
) -> None:
    decision = answer(capital_usd, UP)

    assert tuple(dollars(decision)) == FUNDS
    assert amounts(decision) == [risk, "0.00", haven, qqqi, spyi]
    assert decision.diagnostics == {"trend": "up", "price": "101.00", "average": "100.01"}


@pytest.mark.parametrize(("capital_usd", "risk", "haven", "qqqi", "spyi"), VECTORS)
def test_a_downtrend_holds_the_plain_fund_and_never_cash(
    answer: Answer, capital_usd: int, risk: str, haven: str, qqqi: str, spyi: str
) -> None:
    decision = answer(capital_usd, DOWN)

    assert amounts(decision) == ["0.00", risk, haven, qqqi, spyi]
    assert decision.diagnostics["trend"] == "down"


@pytest.mark.parametrize(
    ("qqqi", "spyi"), [("1400", "600"), ("2000", "0"), ("0", "2000"), ("1999.99", "0.01")]
)
def test_income_that_is_held_is_locked(answer: Answer, qqqi: str, spyi: str) -> None:
    held = {"QQQI": Decimal(qqqi), "SPYI": Decimal(spyi)}

    targets = dollars(answer(50_000, income=held))

    assert targets["SOXL"] == Decimal("28018.29")
    assert targets["BOXX"] == Decimal("19981.71")
    assert {symbol: targets[symbol] for symbol in held} == held


@pytest.mark.parametrize(
    ("core_usd", "ratio"),
    [
        (1, "0.6"),
        (10_000, "0.6"),
        (48_000, "0.583714"),
        (50_000, "0.582857"),
        (80_000, "0.57"),
        (120_000, "0.542"),
        (180_000, "0.5"),
        (190_000, "0.499061"),
        (850_000, "0.473034"),
        (1_800_000, "0.46"),
        (18_000_000, "0.42"),
    ],
)
def test_the_risk_asset_s_share_falls_with_the_dollars(core_usd: int, ratio: str) -> None:
    assert round(deploy_ratio(Decimal(core_usd), Config()), 6) == Decimal(ratio)


def test_the_share_never_falls_below_nothing() -> None:
    config = Config(deploy_decay=Decimal(1))

    assert deploy_ratio(Decimal(180_000) * 10, config) == 0


def test_a_close_at_its_average_is_not_above_it(answer: Answer) -> None:
    assert dollars(answer(50_000, 100.0))["SOXL"] == 0


# ── Income ─────────────────────────────────────────────────────────────────────────────


def test_only_what_is_missing_is_added_in_the_configured_parts() -> None:
    split = split_capital(Decimal(200_000), Decimal(1000), Decimal(3000), Config())

    # 10,000 are wanted, 4,000 are there: 0.7 and 0.3 of 6,000.
    assert (split.qqqi_usd, split.spyi_usd) == (Decimal(5200), Decimal(4800))
    assert split.risk_usd + split.haven_usd == 190_000


def test_an_odd_cent_of_income_is_not_lost() -> None:
    split = split_capital(Decimal("150001.30"), NOTHING, Decimal("0.02"), Config())

    # 0.15 x 1.30 / 150,000 of 150,001.30 is 0.195: 0.18 to add, 0.126 of it to the first.
    assert (split.qqqi_usd, split.spyi_usd) == (Decimal("0.13"), Decimal("0.07"))


@pytest.mark.parametrize(
    ("capital_usd", "income_usd"),
    [("150000", "0"), ("225000", "16875"), ("300000", "45000"), ("400000", "60000")],
)
def test_the_income_share_grows_to_its_maximum(capital_usd: str, income_usd: str) -> None:
    split = split_capital(Decimal(capital_usd), NOTHING, NOTHING, Config())

    assert split.qqqi_usd + split.spyi_usd == Decimal(income_usd)


def test_income_above_its_share_is_never_sold_down(answer: Answer) -> None:
    held = {"QQQI": Decimal(60_000), "SPYI": Decimal(20_000)}

    targets = dollars(answer(200_000, income=held))

    assert (targets["QQQI"], targets["SPYI"]) == (Decimal(60_000), Decimal(20_000))
    # 0.542 of the 120,000 that are left
    assert targets["SOXL"] == Decimal(65_040)


def test_a_holding_worth_a_fraction_of_a_cent_more_is_not_above_its_target(
    answer: Answer,
) -> None:
    held = {"QQQI": Decimal("1400.0001"), "SPYI": Decimal("600.0099")}

    targets = dollars(answer(50_000, income=held))

    assert targets["QQQI"] == Decimal("1400.01")
    assert targets["SPYI"] == Decimal("600.01")
    assert sum(targets.values()) == 50_000


def test_a_capital_limit_below_the_income_keeps_it_and_sells_the_rest(answer: Answer) -> None:
    held = {"QQQI": Decimal(9_000), "SPYI": Decimal(3_000)}

    assert amounts(answer(10_000, income=held)) == ["0.00", "0.00", "0.00", "9,000.00", "3,000.00"]


# ── Inputs ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("symbol", ["SOXL", "SOXX"])
def test_a_missing_risk_asset_blocks(answer: Answer, symbol: str) -> None:
    decision = answer(50_000, without=symbol)

    assert decision.code is ReasonCode.HISTORY_MISSING
    assert symbol in decision.reason


def test_prices_that_stopped_block(answer: Answer) -> None:
    assert answer(50_000, last=date(2020, 3, 16)).code is ReasonCode.HISTORY_STALE


@pytest.mark.parametrize("short", ["SOXL", "SOXX"])
def test_one_close_fewer_than_the_average_needs_blocks(
    daily: Make, context_of: Callable[..., StrategyContext], short: str
) -> None:
    history = [
        daily(symbol, [100.0] * (149 if symbol == short else 150), KNOWN_UNTIL)
        for symbol in ("SOXL", "SOXX")
    ]

    decision = decide(
        context_of(Config(), SESSION, history, sleeve=SleeveView(equity_usd=Decimal(50_000)))
    )

    assert decision.code is ReasonCode.HISTORY_SHORT
    assert decision.reason == f"{short} has 149 closes; 150 are needed"


def test_an_unknown_capital_blocks_instead_of_selling_everything(answer: Answer) -> None:
    assert answer(0).code is ReasonCode.CAPITAL_ZERO


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(
    capital_usd=USD,
    shares=st.tuples(*[st.decimals(Decimal(0), Decimal("0.5"), places=6)] * 2),
    close=CLOSES,
)
def test_targets_add_up_to_the_capital_and_income_never_shrinks(
    answer: Answer, capital_usd: Decimal, shares: tuple[Decimal, Decimal], close: float
) -> None:
    held = {s: capital_usd * r for s, r in zip(("QQQI", "SPYI"), shares, strict=True)}

    targets = dollars(answer(capital_usd, close, income=held))

    assert set(targets) == set(manifest(Config()).managed)
    assert min(targets.values()) >= 0
    assert min(targets["SOXL"], targets["SOXX"]) == 0
    assert all(targets[symbol] >= value for symbol, value in held.items())
    # Holdings count in whole cents, rounded up: two cents at most.
    assert abs(sum(targets.values()) - capital_usd) <= Decimal("0.02")
    core = targets["SOXL"] + targets["SOXX"] + targets["BOXX"]
    assert targets["SOXL"] + targets["SOXX"] <= core * Decimal("0.6") + Decimal("0.01")


@given(capital_usd=USD, close=CLOSES)
def test_without_income_held_the_sum_never_exceeds_the_capital(
    answer: Answer, capital_usd: Decimal, close: float
) -> None:
    total = sum(dollars(answer(capital_usd, close)).values())

    assert capital_usd - Decimal("0.01") < total <= capital_usd


@given(pair=st.lists(USD, min_size=2, max_size=2))
def test_more_dollars_never_have_a_larger_share_nor_a_smaller_amount_at_risk(
    pair: list[Decimal],
) -> None:
    less, more = sorted(pair)

    assert deploy_ratio(less, Config()) >= deploy_ratio(more, Config())
    assert less * deploy_ratio(less, Config()) <= more * deploy_ratio(more, Config())


@given(at=st.sampled_from([10_000, 80_000, 180_000]), step=st.decimals("0.0001", "1", places=4))
def test_the_share_is_continuous_at_its_breakpoints(at: int, step: Decimal) -> None:
    below, above = (deploy_ratio(at + sign * step, Config()) for sign in (-1, 1))

    assert abs(above - below) < step * Decimal("0.00001")


@given(capital_usd=USD, qqqi=USD, spyi=USD)
def test_a_split_that_was_carried_out_is_the_split_again(
    capital_usd: Decimal, qqqi: Decimal, spyi: Decimal
) -> None:
    capital_usd, qqqi, spyi = (round(usd, 2) for usd in (capital_usd, qqqi, spyi))
    first = split_capital(capital_usd, qqqi, spyi, Config())

    assert split_capital(capital_usd, first.qqqi_usd, first.spyi_usd, Config()) == first


@given(closes=st.lists(CLOSES, min_size=150, max_size=150), power=st.integers(-6, 6))
def test_the_scale_of_the_prices_changes_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], closes: list[float], power: int
) -> None:
    # A power of two scales floats without rounding.
    plain = daily("SOXX", [50.0] * 150, KNOWN_UNTIL)
    sleeve = SleeveView(equity_usd=Decimal(50_000))
    decisions = [
        decide(
            context_of(
                Config(), SESSION, [daily("SOXL", values, KNOWN_UNTIL), plain], sleeve=sleeve
            )
        )
        for values in (closes, [close * 2.0**power for close in closes])
    ]

    assert decisions[0].targets == decisions[1].targets


@given(older=st.lists(CLOSES, max_size=30), later=st.lists(CLOSES, max_size=5))
def test_only_the_declared_sessions_before_the_decision_count(
    daily: Make,
    context_of: Callable[..., StrategyContext],
    older: list[float],
    later: list[float],
) -> None:
    declared = [100.0 + day % 7 for day in range(150)]
    last = context_of(Config(), SESSION).calendar.offset(KNOWN_UNTIL, len(later))
    sleeve = SleeveView(equity_usd=Decimal(50_000))
    histories = (
        [daily(symbol, declared, KNOWN_UNTIL) for symbol in ("SOXL", "SOXX")],
        [daily(symbol, [*older, *declared, *later], last) for symbol in ("SOXL", "SOXX")],
    )

    decisions = [
        decide(context_of(Config(), SESSION, history, sleeve=sleeve)) for history in histories
    ]

    assert decisions[0] == decisions[1]


@given(data=st.data())
def test_the_order_of_the_inputs_changes_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], data: st.DataObject
) -> None:
    values = {"SOXL": Decimal(9000), "QQQI": Decimal(8000), "SPYI": Decimal(7000)}
    frames = {symbol: daily(symbol, [*FLAT, UP], KNOWN_UNTIL) for symbol in ("SOXL", "SOXX")}

    def decided(order: Mapping[str, Decimal], history: Mapping[str, BarFrame]) -> Decision:
        sleeve = SleeveView(order, order, equity_usd=Decimal(120_000))
        return decide(context_of(Config(), SESSION, history, sleeve=sleeve))

    holdings = {s: values[s] for s in data.draw(st.permutations(list(values)))}
    history = {s: frames[s] for s in data.draw(st.permutations(list(frames)))}

    assert decided(holdings, history) == decided(values, frames)


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "soxl_soxx_trend_income"
    assert declared.aliases == ("semiconductor_rotation_income", "semiconductor_trend_income")
    assert declared.cadence is Cadence.DAILY
    assert declared.benchmark == "SOXX"
    assert declared.safe_haven == "BOXX"
    assert declared.target_mode is TargetMode.VALUE
    assert declared.input_mode is InputMode.DIRECT
    assert declared.reads_portfolio
    assert declared.role is Role.GROWTH
    assert declared.managed == FUNDS
    assert declared.history is not None
    assert declared.history.symbols == ("SOXL", "SOXX")
    assert declared.history.sessions == 150


def test_the_planner_is_told_reserve_band_and_smallest_trade() -> None:
    hints = manifest(Config()).hints

    assert hints.cash_reserve_ratio == Decimal("0.03")
    assert hints.rebalance_threshold_ratio == Decimal("0.01")
    assert hints.min_trade_usd == 100
    assert not hints.buy_only


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert config.trend_period == 150
    assert config.qqqi_income_ratio == Decimal("0.70")
    assert config.deploy_decay == Decimal("0.04")
    assert [(int(usd), str(ratio)) for usd, ratio in config.deploy_curve] == [
        (10_000, "0.6"),
        (80_000, "0.57"),
        (180_000, "0.5"),
    ]
    assert [(int(usd), str(ratio)) for usd, ratio in config.income_curve] == [
        (150_000, "0"),
        (300_000, "0.15"),
    ]


def test_other_funds_are_a_matter_of_configuration() -> None:
    config = Config(leveraged_symbol="SIM_3X", plain_symbol="SIM_1X", trend_period=100)
    declared = manifest(config)

    assert declared.managed == ("SIM_3X", "SIM_1X", "BOXX", "QQQI", "SPYI")
    assert declared.history is not None
    assert declared.history.symbols == ("SIM_3X", "SIM_1X")
    assert declared.history.sessions == 100
    assert declared.display_name["en"] == "SIM_3X/SIM_1X Trend Income"
    assert "SIM_3X while it is above its 100-session average" in declared.description["en"]
    assert "above 150,000 USD" in declared.description["en"]


@pytest.mark.parametrize(
    "changes", [{"trend_period": 1}, {"cash_reserve": 0}, {"min_trade_usd": 0}]
)
def test_a_limit_itself_is_allowed(changes: dict[str, object]) -> None:
    Config.model_validate(changes)


def test_a_split_is_a_plain_value() -> None:
    assert split_capital(Decimal(8_000), NOTHING, NOTHING, Config()) == Split(
        Decimal("4800.00"), Decimal("3200.00"), NOTHING, NOTHING
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"plain_symbol": "SOXL"}, "each fund needs its own symbol, not SOXL, SOXL"),
        ({"deploy_curve": [[0, 0.5]]}, "deploy_curve ends at 0 USD"),
        ({"deploy_curve": [[10, 0.5], [5, 0.4]]}, "amounts must ascend"),
        ({"income_curve": []}, "income_curve"),
        ({"cash_reserve": 1}, "cash_reserve"),
        ({"rebalance_threshold": 1}, "rebalance_threshold"),
        ({"min_trade_usd": -1}, "min_trade_usd"),
        ({"trend_period": 0}, "trend_period"),
        ({"trend": 150}, "trend"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)
