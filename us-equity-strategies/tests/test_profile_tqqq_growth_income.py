"""The index stands at 100 for 199 sessions, so that the last close alone tells the trend.

Its average is then (19,900 + close) / 200. Bars of a small spread leave the lines at their bounds
next to the average, which are 2 % away from it.
"""

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
from us_equity_strategies.tqqq_growth_income import (
    Config,
    State,
    Trend,
    decide,
    full_share,
    income_share,
    manifest,
    state_of,
    trend_of,
)

Make = Callable[..., BarFrame]
Answer = Callable[..., Decision]

SESSION = date(2020, 3, 18)
KNOWN_UNTIL = date(2020, 3, 17)
FLAT = [100.0] * 199
UP, BETWEEN, DOWN = 110.0, 99.0, 90.0  # above the entry line, above the exit line, below it

USD = st.decimals(Decimal("0.01"), Decimal(2_000_000), places=4)
CLOSES = st.floats(50.0, 200.0)


def sleeve_of(
    capital_usd: Decimal | int | str, *, is_held: bool = False, held_usd: str = "1000"
) -> SleeveView:
    if not is_held:
        return SleeveView(equity_usd=Decimal(capital_usd))
    return SleeveView(
        quantities={"TQQQ": Decimal(10)},
        values_usd={"TQQQ": Decimal(held_usd)},
        equity_usd=Decimal(capital_usd),
    )


@pytest.fixture(scope="session")
def answer(daily: Make, context_of: Callable[..., StrategyContext]) -> Answer:
    def make(
        capital_usd: Decimal | int | str,
        close: float,
        *,
        is_held: bool = False,
        spread: float = 0.1,
        config: Config | None = None,
        last: date = KNOWN_UNTIL,
    ) -> Decision:
        frame = daily("QQQ", [*FLAT, close], last, spread=spread)
        sleeve = sleeve_of(capital_usd, is_held=is_held)
        return decide(context_of(config or Config(), SESSION, [frame], sleeve=sleeve))

    return make


def dollars(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    assert decision.mode is TargetMode.VALUE
    return {target.symbol: target.amount for target in decision.targets}


def amounts(decision: Decision) -> list[str]:
    return [f"{amount:,.2f}" for amount in dollars(decision).values()]


# ── Vectors ────────────────────────────────────────────────────────────────────────────

FULL = [
    (20_000, ["18,333.33", "666.67", "0.00", "0.00"]),
    (50_000, ["38,750.00", "8,750.00", "0.00", "0.00"]),
    (120_000, ["64,536.69", "40,343.31", "4,800.00", "4,800.00"]),
    (500_000, ["100,000.00", "90,000.00", "150,000.00", "150,000.00"]),
]


@pytest.mark.parametrize(("capital_usd", "expected"), FULL)
@pytest.mark.parametrize(("is_held", "state"), [(True, "hold"), (False, "entry")])
def test_an_uptrend_holds_or_buys_the_full_share(
    answer: Answer, capital_usd: int, expected: list[str], is_held: bool, state: str
) -> None:
    decision = answer(capital_usd, UP, is_held=is_held)

    assert list(dollars(decision)) == ["TQQQ", "BOXX", "SPYI", "QQQI"]
    assert amounts(decision) == expected
    assert decision.diagnostics["state"] == state


@pytest.mark.parametrize(
    ("capital_usd", "expected"),
    [
        (20_000, ["6,050.00", "12,950.00", "0.00", "0.00"]),
        (50_000, ["12,787.50", "34,712.50", "0.00", "0.00"]),
        (120_000, ["21,297.11", "83,582.89", "4,800.00", "4,800.00"]),
        (500_000, ["33,000.00", "157,000.00", "150,000.00", "150,000.00"]),
    ],
)
def test_a_close_between_exit_line_and_average_keeps_a_third(
    answer: Answer, capital_usd: int, expected: list[str]
) -> None:
    decision = answer(capital_usd, BETWEEN, is_held=True)

    assert amounts(decision) == expected
    assert decision.diagnostics["state"] == "reduce"


@pytest.mark.parametrize(("close", "is_held", "state"), [(DOWN, True, "exit"), (99, False, "idle")])
@pytest.mark.parametrize(
    ("capital_usd", "expected"),
    [
        (20_000, ["0.00", "19,000.00", "0.00", "0.00"]),
        (120_000, ["0.00", "104,880.00", "4,800.00", "4,800.00"]),
        (500_000, ["0.00", "190,000.00", "150,000.00", "150,000.00"]),
    ],
)
def test_without_an_uptrend_the_safe_haven_holds_all_but_income_and_reserve(
    answer: Answer,
    close: float,
    is_held: bool,
    state: str,
    capital_usd: int,
    expected: list[str],
) -> None:
    decision = answer(capital_usd, close, is_held=is_held)

    assert amounts(decision) == expected
    assert decision.diagnostics["state"] == state


@pytest.mark.parametrize(
    ("capital_usd", "share"),
    [
        (0, "1"),
        (7_500, "0.975"),
        (15_000, "0.95"),
        (20_000, "0.916667"),
        (30_000, "0.85"),
        (50_000, "0.775"),
        (70_000, "0.7"),
        (110_400, "0.584571"),
        (140_000, "0.5"),
    ],
)
def test_the_full_share_falls_along_its_tiers(capital_usd: int, share: str) -> None:
    trend = trend_of(UP, 100.0, 1.0, Config())

    found = full_share(Decimal(capital_usd), trend, Config())

    assert round(found, 6) == Decimal(share)


# ── Beyond the tiers ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("price", "share"),
    [
        (125.0, "0.5"),  # (125 - 100) / 125 = 0.2: 0.3 / 0.6, which is the cap as well
        (160.0, "0.2666666667"),  # 0.375: 0.3 / 1.125
        (200.0, "0.2"),
        (101.0, "0.5"),  # 0.3 / 0.0297 is capped
        (100.0, "0"),
        (99.0, "0"),
    ],
)
def test_beyond_the_tiers_a_fall_to_the_exit_line_costs_the_loss_budget(
    price: float, share: str
) -> None:
    trend = Trend(price, average=104.0, exit_line=100.0, entry_line=107.0)

    found = full_share(Decimal("140000.01"), trend, Config())

    assert round(found, 10) == Decimal(share)


def test_an_index_next_to_its_exit_line_does_not_ask_for_an_endless_share() -> None:
    trend = Trend(100.1, average=104.0, exit_line=100.0, entry_line=107.0)
    config = Config(share_cap=Decimal(1), loss_budget=Decimal("0.005"))

    # 3 x 0.1 / 100.1 is less than the 0.01 it counts as.
    assert full_share(Decimal(150_000), trend, config) == Decimal("0.5")


def test_the_last_point_itself_belongs_to_the_tiers() -> None:
    below_the_line = Trend(99.0, average=104.0, exit_line=100.0, entry_line=107.0)

    assert full_share(Decimal(140_000), below_the_line, Config()) == Decimal("0.5")
    assert full_share(Decimal("140000.01"), below_the_line, Config()) == 0


def test_the_share_beyond_the_tiers_reaches_the_targets(answer: Answer) -> None:
    # True ranges of 0.2 and one of 50.1: 52.7 / 14 / 150 is 2.5095 %, and 100.25 less twice that
    # 95.2184. The fall to it is 36.521 %: 0.3 / (3 x 0.36521) of 200,000.
    decision = answer(500_000, 150.0, is_held=True)

    assert decision.diagnostics["exit_line"] == "95.22"
    assert dollars(decision)["TQQQ"] == pytest.approx(Decimal(54_763), abs=1)


# ── Income ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("capital_usd", "share"),
    [
        ("99999.99", "0"),
        ("100000", "0"),
        ("120000", "0.08"),
        ("150000", "0.2"),
        ("200000", "0.4"),
        ("200000.01", "0.6"),
        ("1000000", "0.6"),
    ],
)
def test_the_income_share_grows_with_the_capital(capital_usd: str, share: str) -> None:
    assert income_share(Decimal(capital_usd), Config()) == Decimal(share)


def test_the_income_share_may_bend() -> None:
    bent = Config.model_validate({"income_curve": [[100, 0], [200, 0.2], [400, 0.3]]})

    shares = [income_share(Decimal(usd), bent) for usd in (150, 200, 300, 400, 401)]

    assert shares == [Decimal(share) for share in ("0.1", "0.2", "0.25", "0.3", "0.6")]


def test_an_odd_cent_of_income_goes_to_one_fund_and_none_is_lost(answer: Answer) -> None:
    # 4.00014 % of 110,000.35 is 4,400.168, and half of that one 2,200.085.
    targets = dollars(answer("110000.35", DOWN))

    income = targets["SPYI"] + targets["QQQI"]
    assert income == Decimal("4400.17")
    assert targets["QQQI"] == Decimal("2200.09")
    assert targets["SPYI"] == Decimal("2200.08")


def test_the_income_funds_may_share_unequally(answer: Answer) -> None:
    targets = dollars(answer(120_000, UP, config=Config(qqqi_income_ratio=Decimal("0.25"))))

    assert (targets["QQQI"], targets["SPYI"]) == (Decimal(2400), Decimal(7200))


# ── The lines ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("true_range", "exit_line", "entry_line"),
    [
        (0.0, 98.0, 102.0),
        (0.5, 98.0, 102.0),
        (3.0, 94.0, 107.5),
        (3.5, 93.0, 108.0),
        (10.0, 92.0, 108.0),
    ],
)
def test_the_lines_move_with_the_true_range_within_their_bounds(
    true_range: float, exit_line: float, entry_line: float
) -> None:
    trend = trend_of(100.0, 100.0, true_range, Config())

    assert trend.exit_line == pytest.approx(exit_line)
    assert trend.entry_line == pytest.approx(entry_line)


def test_the_true_range_counts_relative_to_the_close() -> None:
    trend = trend_of(200.0, 100.0, 6.0, Config())

    assert trend.exit_line == pytest.approx(94.0)


def test_the_lines_of_a_decision_come_from_its_bars(answer: Answer) -> None:
    # Ranges of 3 for thirteen sessions, then 10 + 1.5 from the close before: 50.5 / 14 is 3.607
    # and 3.279 % of 110.
    notes = answer(20_000, UP, spread=1.5).diagnostics

    assert notes["price"] == "110.00"
    assert notes["average"] == "100.05"
    assert notes["exit_line"] == "93.49"
    assert notes["entry_line"] == "108.05"
    assert notes["full_share"] == "0.916667"


TREND = Trend(price=100.0, average=100.0, exit_line=95.0, entry_line=105.0)


@pytest.mark.parametrize(
    ("price", "held", "flat"),
    [
        (94.9, State.EXIT, State.IDLE),
        (95.0, State.REDUCE, State.IDLE),
        (99.9, State.REDUCE, State.IDLE),
        (100.0, State.HOLD, State.IDLE),
        (105.0, State.HOLD, State.IDLE),
        (105.1, State.HOLD, State.ENTRY),
    ],
)
def test_a_close_at_a_line_has_not_crossed_it(price: float, held: State, flat: State) -> None:
    trend = Trend(price, TREND.average, TREND.exit_line, TREND.entry_line)

    assert state_of(trend, is_held=True) is held
    assert state_of(trend, is_held=False) is flat


# ── Reserve ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("capital_usd", [1, 1_000, 14_999, 15_000])
def test_a_small_account_is_trimmed_to_what_the_reserve_leaves(
    answer: Answer, capital_usd: int
) -> None:
    targets = dollars(answer(capital_usd, UP))

    assert targets["TQQQ"] == Decimal(capital_usd) * Decimal("0.95")
    assert targets["BOXX"] == 0


def test_a_reserve_of_everything_buys_nothing_but_income(answer: Answer) -> None:
    targets = dollars(answer(120_000, UP, config=Config(cash_reserve=Decimal(1))))

    assert targets["TQQQ"] == targets["BOXX"] == 0
    assert targets["SPYI"] == targets["QQQI"] == 4800


def test_a_fraction_of_a_cent_is_never_allocated(answer: Answer) -> None:
    # 0.95 of 10.03, and not of 10.0399
    assert amounts(answer("10.0399", DOWN)) == ["0.00", "9.52", "0.00", "0.00"]


# ── Inputs ─────────────────────────────────────────────────────────────────────────────


def test_no_history_blocks(context_of: Callable[..., StrategyContext]) -> None:
    decision = decide(context_of(Config(), SESSION, sleeve=sleeve_of(20_000)))

    assert decision.code is ReasonCode.HISTORY_MISSING
    assert "QQQ" in decision.reason


def test_prices_that_stopped_block(answer: Answer) -> None:
    decision = answer(20_000, UP, last=date(2020, 3, 16))

    assert decision.code is ReasonCode.HISTORY_STALE


@pytest.mark.parametrize(
    ("changes", "needed"), [({}, 200), ({"trend_period": 5}, 15), ({"atr_period": 300}, 301)]
)
def test_one_close_fewer_than_declared_blocks(
    daily: Make, context_of: Callable[..., StrategyContext], changes: dict[str, int], needed: int
) -> None:
    config = Config.model_validate(changes)
    declared = manifest(config).history
    assert declared is not None
    assert declared.sessions == needed

    outcomes = [
        decide(
            context_of(
                config,
                SESSION,
                [daily("QQQ", [100.0] * count, KNOWN_UNTIL, spread=1.0)],
                sleeve=sleeve_of(20_000),
            )
        )
        for count in (needed - 1, needed)
    ]

    assert outcomes[0].code is ReasonCode.HISTORY_SHORT
    assert str(needed - 1) in outcomes[0].reason
    assert outcomes[1].outcome is DecisionOutcome.REBALANCE


@pytest.mark.parametrize("lacking", ["high", "low"])
def test_closes_without_highs_or_lows_block(
    daily: Make, context_of: Callable[..., StrategyContext], lacking: str
) -> None:
    whole = daily("QQQ", [*FLAT, UP], KNOWN_UNTIL, spread=1.0)
    columns = {"high": whole.high, "low": whole.low} | {lacking: None}
    frame = BarFrame(
        symbol="QQQ",
        sessions=whole.days,
        close=whole.close,
        adjustment=whole.adjustment,
        **columns,
    )

    decision = decide(context_of(Config(), SESSION, [frame], sleeve=sleeve_of(20_000)))

    assert decision.code is ReasonCode.HISTORY_MISSING
    assert "highs and lows" in decision.reason


def test_an_unknown_capital_blocks_instead_of_selling_everything(
    daily: Make, context_of: Callable[..., StrategyContext]
) -> None:
    frame = daily("QQQ", [*FLAT, UP], KNOWN_UNTIL, spread=1.0)

    decision = decide(context_of(Config(), SESSION, [frame]))

    assert decision.code is ReasonCode.CAPITAL_ZERO


@pytest.mark.parametrize("symbol", ["TQQQ", "BOXX", "SPYI", "QQQI"])
def test_a_holding_without_a_value_blocks(
    daily: Make, context_of: Callable[..., StrategyContext], symbol: str
) -> None:
    frame = daily("QQQ", [*FLAT, UP], KNOWN_UNTIL, spread=1.0)
    sleeve = SleeveView(quantities={symbol: Decimal(3)}, equity_usd=Decimal(20_000))

    decision = decide(context_of(Config(), SESSION, [frame], sleeve=sleeve))

    assert decision.code is ReasonCode.PRICE_MISSING
    assert symbol in decision.reason


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(capital_usd=USD, close=CLOSES, is_held=st.booleans(), spread=st.floats(0.0, 20.0))
def test_no_target_is_negative_and_their_sum_leaves_the_reserve(
    answer: Answer, capital_usd: Decimal, close: float, is_held: bool, spread: float
) -> None:
    targets = dollars(answer(capital_usd, close, is_held=is_held, spread=spread))

    income = targets["SPYI"] + targets["QQQI"]
    growth = targets["TQQQ"] + targets["BOXX"]
    assert set(targets) == set(manifest(Config()).managed)
    assert min(targets.values()) >= 0
    assert income + growth <= capital_usd
    assert growth <= (capital_usd - income) * Decimal("0.95")
    # Nothing but the reserve and fractions of cents is left over.
    assert income + growth >= (capital_usd - income) * Decimal("0.95") + income - Decimal("0.02")


@given(capital_usd=USD, close=CLOSES)
def test_the_share_is_capped_and_reducing_keeps_a_third_of_it(
    answer: Answer, capital_usd: Decimal, close: float
) -> None:
    trend = trend_of(close, 100.0, 1.0, Config())
    share = full_share(capital_usd, trend, Config())

    assert 0 <= share <= 1
    if capital_usd > 140_000:
        assert share <= Decimal("0.5")
        assert (share == 0) == (close <= trend.exit_line)


@given(amounts_usd=st.lists(USD.filter(lambda usd: usd <= 140_000), min_size=2, max_size=2))
def test_more_capital_never_has_a_larger_share_below_the_last_point(
    amounts_usd: list[Decimal],
) -> None:
    trend = trend_of(UP, 100.0, 1.0, Config())
    less, more = (full_share(usd, trend, Config()) for usd in sorted(amounts_usd))

    assert less >= more


@given(at=st.sampled_from([15_000, 30_000, 70_000]), step=st.decimals("0.0001", "1", places=4))
def test_the_tiers_meet_at_their_breakpoints(at: int, step: Decimal) -> None:
    trend = trend_of(UP, 100.0, 1.0, Config())
    below, above = (full_share(at + sign * step, trend, Config()) for sign in (-1, 1))

    assert abs(above - below) < step * Decimal("0.0001")


@given(closes=st.lists(CLOSES, min_size=200, max_size=200), power=st.integers(-6, 6))
def test_the_scale_of_the_index_changes_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], closes: list[float], power: int
) -> None:
    # A power of two scales floats without rounding.
    scaled = [close * 2.0**power for close in closes]
    decisions = [
        decide(
            context_of(
                Config(),
                SESSION,
                [daily("QQQ", values, KNOWN_UNTIL, spread=spread)],
                sleeve=sleeve_of(500_000, is_held=True),
            )
        )
        for values, spread in ((closes, 1.0), (scaled, 2.0**power))
    ]

    assert decisions[0].targets == decisions[1].targets


@given(
    older=st.lists(CLOSES, max_size=30),
    later=st.lists(CLOSES, max_size=5),
)
def test_only_the_declared_sessions_before_the_decision_count(
    daily: Make,
    context_of: Callable[..., StrategyContext],
    older: list[float],
    later: list[float],
) -> None:
    declared = [100.0 + day % 7 for day in range(200)]
    last = context_of(Config(), SESSION).calendar.offset(KNOWN_UNTIL, len(later))
    frames = [
        daily("QQQ", declared, KNOWN_UNTIL, spread=1.0),
        daily("QQQ", [*older, *declared, *later], last, spread=1.0),
    ]

    decisions = [
        decide(context_of(Config(), SESSION, [frame], sleeve=sleeve_of(500_000, is_held=True)))
        for frame in frames
    ]

    assert decisions[0] == decisions[1]


@given(data=st.data())
def test_the_order_of_the_inputs_changes_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], data: st.DataObject
) -> None:
    values = {"TQQQ": Decimal(9000), "BOXX": Decimal(8000), "SPYI": Decimal(7000)}
    frames = {s: daily(s, [*FLAT, UP], KNOWN_UNTIL, spread=1.0) for s in ("QQQ", "TQQQ", "BOXX")}

    def decided(order: Mapping[str, Decimal], history: Mapping[str, BarFrame]) -> Decision:
        sleeve = SleeveView(order, order, equity_usd=Decimal(120_000))
        return decide(context_of(Config(), SESSION, history, sleeve=sleeve))

    holdings = {s: values[s] for s in data.draw(st.permutations(list(values)))}
    history = {s: frames[s] for s in data.draw(st.permutations(list(frames)))}

    assert decided(holdings, history) == decided(values, frames)


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "tqqq_growth_income"
    assert declared.aliases == ("hybrid_growth_income", "qqq_tqqq_growth_income")
    assert declared.cadence is Cadence.DAILY
    assert declared.benchmark == "QQQ"
    assert declared.safe_haven == "BOXX"
    assert declared.target_mode is TargetMode.VALUE
    assert declared.input_mode is InputMode.DIRECT
    assert declared.reads_portfolio
    assert declared.role is Role.GROWTH
    assert declared.managed == ("TQQQ", "BOXX", "SPYI", "QQQI")
    assert declared.history is not None
    assert declared.history.symbols == ("QQQ",)
    assert set(declared.history.columns) == {"high", "low", "close"}
    assert declared.history.sessions == 200
    assert declared.hints.rebalance_threshold_ratio == Decimal("0.01")
    assert declared.hints.cash_reserve_ratio == 0  # the targets leave it already


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert config.qqqi_income_ratio == Decimal("0.5")
    assert config.cash_reserve == Decimal("0.05")
    assert config.rebalance_threshold == Decimal("0.01")
    assert [(int(usd), str(share)) for usd, share in config.share_curve] == [
        (0, "1"),
        (15_000, "0.95"),
        (30_000, "0.85"),
        (70_000, "0.7"),
        (140_000, "0.5"),
    ]
    assert (config.leverage, config.share_cap, config.loss_budget) == (
        3.0,
        Decimal("0.50"),
        Decimal("0.30"),
    )
    assert (config.atr_exit, config.atr_entry, config.atr_period) == (2.0, 2.5, 14)
    assert (config.exit_bounds, config.entry_bounds) == ((0.92, 0.98), (1.02, 1.08))


def test_other_funds_on_another_index_are_a_matter_of_configuration() -> None:
    config = Config(
        signal_symbol="SIM_I", risk_symbol="SIM_3X", safe_haven="SIM_C", benchmark="SIM_I"
    )
    declared = manifest(config)

    assert declared.managed == ("SIM_3X", "SIM_C", "SPYI", "QQQI")
    assert declared.history is not None
    assert declared.history.symbols == ("SIM_I",)
    assert declared.display_name["en"] == "SIM_3X Growth Income"
    assert "SIM_3X while SIM_I is in an uptrend, otherwise SIM_C" in declared.description["en"]
    assert "100,000 USD" in declared.description["en"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"safe_haven": "TQQQ"}, "each fund needs its own symbol, not TQQQ, TQQQ"),
        ({"exit_bounds": [0.98, 0.92]}, "0.98 is above 0.92"),
        ({"exit_bounds": [0.92, 1.03]}, "the lines could cross"),
        ({"share_curve": [[100, 1], [100, 0.5]]}, "amounts must ascend"),
        ({"share_curve": []}, "share_curve"),
        ({"share_curve": [[100, 1.5]]}, "share_curve.0.1"),
        ({"income_curve": [[-1, 0]]}, "income_curve.0.0"),
        ({"rebalance_threshold": 1}, "rebalance_threshold"),
        ({"leverage": 0}, "leverage"),
        ({"atr_exit": -1}, "atr_exit"),
        ({"trend_period": 0}, "trend_period"),
        ({"cash_reserv": 0}, "cash_reserv"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Config.model_validate(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"trend_period": 1, "atr_period": 1},
        {"atr_exit": 0, "atr_entry": 0},
        {"exit_bounds": [0.95, 0.95], "entry_bounds": [1.05, 1.05]},
        {"exit_bounds": [0.92, 1.0], "entry_bounds": [1.0, 1.08]},
        {"leverage": 0.5},
    ],
)
def test_a_limit_itself_is_allowed(changes: dict[str, object]) -> None:
    Config.model_validate(changes)
