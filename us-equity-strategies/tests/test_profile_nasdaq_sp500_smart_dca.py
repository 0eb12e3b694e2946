"""Signal closes are `high` for 52 sessions, then `level` for 199, then the last close.

The high lies before the 200 sessions of the average, so a level that does not end in a jump is a
fall of ``1 - level / high`` at a gap of zero and a strength index of 50.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Adjustment,
    Cadence,
    Decision,
    DecisionOutcome,
    InputMode,
    Role,
    TargetMode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, ExchangeCalendar
from quant_platform_kit.strategy import SleeveView, StrategyContext
from us_equity_strategies.nasdaq_sp500_smart_dca import (
    Config,
    Level,
    Market,
    Sizing,
    decide,
    level_of,
    manifest,
    market_of,
    window_start,
)

Make = Callable[..., BarFrame]
Answer = Callable[..., Decision]

SESSION = date(2020, 8, 25)
SMART = Config(sizing=Sizing.SMART)
CALM = [100.0] * 252
CLOSES = st.lists(st.floats(50.0, 200.0), min_size=252, max_size=252)
USD = st.decimals(Decimal(0), Decimal(100_000), places=4)


def fallen(high: float, level: float, last: float | None = None) -> list[float]:
    return [high] * 52 + [level] * 199 + [level if last is None else last]


def sleeve_of(
    cash_usd: Decimal | int | str, values_usd: Mapping[str, Decimal] | None = None
) -> SleeveView:
    values = values_usd or {}
    return SleeveView(
        quantities=dict.fromkeys(values, Decimal(3)),
        values_usd=values,
        cash_usd=Decimal(cash_usd),
        equity_usd=Decimal(cash_usd) + sum(values.values(), Decimal(0)),
    )


@pytest.fixture(scope="session")
def answer(
    calendar: ExchangeCalendar, daily: Make, context_of: Callable[..., StrategyContext]
) -> Answer:
    def make(
        qqq: list[float] = CALM,
        spy: list[float] | None = None,
        *,
        config: Config = SMART,
        sleeve: SleeveView | None = None,
        session: date = SESSION,
    ) -> Decision:
        last = calendar.previous(session)
        history = [daily("QQQ", qqq, last), daily("SPY", spy or qqq, last)]
        return decide(context_of(config, session, history, sleeve=sleeve or sleeve_of(10_000)))

    return make


def dollars(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    assert decision.mode is TargetMode.VALUE
    return {target.symbol: target.amount for target in decision.targets}


# ── When ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("session", "reason"),
    [
        (date(2020, 8, 24), "outside_purchase_window"),
        (date(2020, 8, 25), ""),  # a Tuesday
        (date(2020, 8, 26), "purchase_session_passed"),
        (date(2020, 8, 28), "purchase_session_passed"),
        (date(2020, 8, 31), "outside_purchase_window"),
        (date(2020, 9, 1), "outside_purchase_window"),
        (date(2020, 7, 24), "outside_purchase_window"),
        (date(2020, 7, 27), ""),  # the 25th was a Saturday
        (date(2020, 7, 28), "purchase_session_passed"),
        (date(2020, 12, 28), ""),  # Christmas was a Friday
        (date(2020, 12, 30), "outside_purchase_window"),
        (date(2021, 1, 4), "outside_purchase_window"),
        (date(2020, 5, 26), ""),  # Memorial Day was the 25th
        (date(2023, 2, 27), ""),
    ],
)
def test_the_first_session_of_the_window_buys(answer: Answer, session: date, reason: str) -> None:
    decision = answer(session=session)

    assert decision.reason == reason
    assert (decision.outcome is DecisionOutcome.REBALANCE) == (not reason)


def test_every_month_has_exactly_one_purchase(
    calendar: ExchangeCalendar, context_of: Callable[..., StrategyContext]
) -> None:
    known = calendar.sessions(date(2000, 1, 3), date(2027, 12, 31))
    history = [
        BarFrame(
            symbol=symbol,
            sessions=known,
            close=[100.0] * len(known),
            adjustment=Adjustment.TOTAL_RETURN,
        )
        for symbol in ("QQQ", "SPY")
    ]
    sleeve = sleeve_of(10_000)

    bought = [
        (session.year, session.month)
        for session in calendar.sessions(date(2001, 2, 1), date(2027, 12, 31))
        if decide(context_of(SMART, session, history, sleeve=sleeve)).targets
    ]

    assert bought == [
        (year, month)
        for year in range(2001, 2028)
        for month in range(1, 13)
        if (year, month) > (2001, 1)
    ]


@pytest.mark.parametrize(
    ("day", "window_day", "start"),
    [
        (date(2020, 8, 25), 25, date(2020, 8, 25)),
        (date(2020, 8, 24), 25, date(2020, 7, 25)),
        (date(2020, 1, 3), 28, date(2019, 12, 28)),
        (date(2020, 3, 1), 28, date(2020, 2, 28)),
        (date(2020, 3, 1), 1, date(2020, 3, 1)),
    ],
)
def test_a_window_opened_at_most_a_month_ago(day: date, window_day: int, start: date) -> None:
    assert window_start(day, window_day) == start


@given(
    day=st.dates(date(2000, 2, 1), date(2027, 12, 31)),
    window_day=st.integers(1, 28),
)
def test_a_window_start_is_the_latest_such_day(day: date, window_day: int) -> None:
    expected = next(
        earlier for age in range(31) if (earlier := day - timedelta(days=age)).day == window_day
    )

    assert window_start(day, window_day) == expected


def test_a_window_may_reach_into_the_next_month(answer: Answer) -> None:
    config = Config(window_day=28, window_days=5)

    # 28 February 2021 was a Sunday.
    assert answer(config=config, session=date(2021, 3, 1)).targets
    assert not answer(config=config, session=date(2021, 3, 2)).targets


# ── How much ───────────────────────────────────────────────────────────────────────────


def test_the_fixed_amount_is_halved_between_the_funds(answer: Answer) -> None:
    decision = answer(config=Config())

    assert dollars(decision) == {"QQQM": Decimal(500), "SPLG": Decimal(500)}
    assert decision.diagnostics == {"sizing": "fixed", "purchase_usd": "1000.00"}


def test_the_fixed_amount_does_not_look_at_the_market(answer: Answer) -> None:
    assert answer(fallen(100.0, 60.0), config=Config()) == answer(config=Config())


@pytest.mark.parametrize(
    ("closes", "level", "amount"),
    [
        (fallen(100.0, 75.0), "severe", 2000),
        (fallen(100.0, 75.1), "deep", 1500),
        (fallen(100.0, 85.0), "deep", 1500),
        (fallen(100.0, 85.1), "mild", 1250),
        (fallen(100.0, 92.0), "mild", 1250),
        (fallen(100.0, 92.1), "normal", 1000),
        (fallen(100.0, 100.0), "normal", 1000),
        # A last close 10.1 % below the others is 10.05 % below an average that holds it too.
        (fallen(100.0, 100.0, 89.9), "deep", 1500),
        (fallen(100.0, 100.0, 94.9), "mild", 1250),
        (fallen(100.0, 100.0, 113.0), "expensive", 500),
    ],
)
def test_the_smart_amount_follows_the_market(
    answer: Answer, closes: list[float], level: str, amount: int
) -> None:
    decision = answer(closes)

    assert decision.diagnostics["level"] == level
    assert dollars(decision) == dict.fromkeys(("QQQM", "SPLG"), Decimal(amount) / 2)


def test_far_above_the_average_nothing_is_bought(answer: Answer) -> None:
    rally = fallen(100.0, 100.0, 125.0)  # one rise and no fall: an index of 100

    decision = answer(rally)

    assert decision.outcome is DecisionOutcome.HOLD
    assert decision.reason == "very_expensive"
    assert decision.diagnostics["rsi"] == "100.0"


def test_the_amount_follows_the_average_of_the_symbols(answer: Answer) -> None:
    # Falls of 30 % and none are 15 % on average.
    decision = answer(fallen(100.0, 70.0), CALM)

    assert decision.diagnostics["level"] == "deep"
    assert decision.diagnostics["drawdown"] == "0.1500"


def test_one_symbol_that_is_not_overbought_is_enough_to_buy_half(
    daily: Make, answer: Answer
) -> None:
    rally = fallen(100.0, 100.0, 125.0)
    choppy = [*rally[:-3], 100.0, 80.0, 125.0]  # gains of 45, losses of 20: 69.2

    decision = answer(rally, choppy)

    assert decision.diagnostics["level"] == "expensive"
    assert decision.diagnostics["rsi"] == "69.2"
    market = market_of([daily("QQQ", rally, SESSION), daily("SPY", choppy, SESSION)])
    assert market.rsi == pytest.approx(100 * 45 / 65)
    assert market.drawdown == 0.0


@pytest.mark.parametrize(
    ("drawdown", "gap", "rsi", "level"),
    [
        (0.25, 0.0, 50.0, Level.SEVERE),
        (0.25, 0.3, 100.0, Level.SEVERE),
        (0.2499, -0.5, 50.0, Level.DEEP),
        (0.15, 0.0, 50.0, Level.DEEP),
        (0.0, -0.10, 50.0, Level.DEEP),
        (0.1499, -0.0999, 50.0, Level.MILD),
        (0.08, 0.0, 50.0, Level.MILD),
        (0.0, -0.05, 50.0, Level.MILD),
        (0.0799, -0.0499, 50.0, Level.NORMAL),
        (0.03, 0.20, 70.0, Level.VERY_EXPENSIVE),
        (0.0301, 0.20, 70.0, Level.NORMAL),
        (0.03, 0.1999, 70.0, Level.EXPENSIVE),
        (0.03, 0.20, 69.99, Level.EXPENSIVE),
        (0.03, 0.12, 0.0, Level.EXPENSIVE),
        (0.0301, 0.12, 0.0, Level.NORMAL),
        (0.03, 0.1199, 100.0, Level.NORMAL),
        (0.0, 0.0, 50.0, Level.NORMAL),
    ],
)
def test_the_first_rule_that_holds_decides(
    drawdown: float, gap: float, rsi: float, level: Level
) -> None:
    assert level_of(Market(drawdown, gap, rsi)) is level


def test_the_maximum_limits_what_a_fall_asks_for(answer: Answer) -> None:
    config = SMART.model_copy(update={"base_usd": Decimal(1500)})

    assert sum(dollars(answer(fallen(100.0, 70.0), config=config)).values()) == 2000


def test_a_severe_fall_doubles_the_base(answer: Answer) -> None:
    config = SMART.model_copy(update={"max_usd": Decimal(5000)})

    assert sum(dollars(answer(fallen(100.0, 70.0), config=config)).values()) == 2000


# ── Cash ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cash_usd", "bought"),
    [
        ("1050", "1000"),
        ("1049.99", "999.98"),  # 999.99 does not halve
        ("500", "450"),
        ("250", "200"),
        ("249.99", "0"),
        ("20", "0"),
        ("0.01", "0"),
    ],
)
def test_cash_above_the_reserve_limits_the_purchase(
    answer: Answer, cash_usd: str, bought: str
) -> None:
    decision = answer(sleeve=sleeve_of(cash_usd))

    if bought == "0":
        assert decision.outcome is DecisionOutcome.HOLD
        assert decision.reason == "insufficient_cash"
        assert decision.diagnostics["usable_cash_usd"] == f"{Decimal(cash_usd):.2f}"
    else:
        assert sum(dollars(decision).values()) == Decimal(bought)
        assert decision.diagnostics["purchase_usd"] == f"{Decimal(bought):.2f}"


def test_cash_below_the_floor_of_the_account_is_not_spent(answer: Answer) -> None:
    held = {"QQQM": Decimal(3000), "SPLG": Decimal(2000)}
    # 9,000 of cash, and a capital base that counts 600 of it.
    sleeve = SleeveView(
        quantities=dict.fromkeys(held, Decimal(3)),
        values_usd=held,
        cash_usd=Decimal(9000),
        equity_usd=Decimal(5600),
    )

    assert dollars(answer(sleeve=sleeve)) == {"QQQM": Decimal(3275), "SPLG": Decimal(2275)}


def test_a_capital_limit_that_is_reached_buys_nothing_more(answer: Answer) -> None:
    sleeve = SleeveView(
        quantities={"QQQM": Decimal(3)},
        values_usd={"QQQM": Decimal(3000)},
        cash_usd=Decimal(9000),
        equity_usd=Decimal(2500),
    )

    assert answer(sleeve=sleeve).reason == "insufficient_cash"


@pytest.mark.parametrize(
    ("spent", "bought"),
    [("997.40", "0"), ("800.01", "0"), ("800", "200"), ("450", "550"), ("0", "1000")],
)
def test_a_second_slot_of_the_session_buys_what_the_first_left(
    answer: Answer, spent: str, bought: str
) -> None:
    paid = {"QQQM": Decimal(spent) / 2, "SPLG": Decimal(spent) / 2, "TQQQ": Decimal(700)}

    decision = answer(sleeve=replace(sleeve_of(10_000), bought_usd=paid))

    if bought == "0":
        assert (decision.outcome, decision.reason) == (DecisionOutcome.HOLD, "purchase_made")
        assert decision.diagnostics["bought_today_usd"] == f"{Decimal(spent):.2f}"
    else:
        assert sum(dollars(decision).values()) == Decimal(bought)


def test_a_second_slot_buys_of_each_fund_what_the_first_did_not(answer: Answer) -> None:
    held = {"QQQM": Decimal(500)}
    sleeve = replace(sleeve_of(10_000, held), bought_usd=held)

    assert dollars(answer(sleeve=sleeve)) == {"QQQM": Decimal(500), "SPLG": Decimal(500)}


# ── What ───────────────────────────────────────────────────────────────────────────────


def test_a_target_is_what_is_held_and_its_part_of_the_purchase(answer: Answer) -> None:
    held = {"QQQM": Decimal("3000.25"), "SPLG": Decimal("0.5")}

    targets = dollars(answer(sleeve=sleeve_of(10_000, held)))

    assert targets == {"QQQM": Decimal("3500.25"), "SPLG": Decimal("500.50")}


def test_other_funds_share_equally_too(answer: Answer) -> None:
    config = Config(buy_symbols=("SIM_A", "SIM_B", "SIM_C"))

    targets = dollars(answer(config=config))

    assert targets == dict.fromkeys(("SIM_A", "SIM_B", "SIM_C"), Decimal("333.33"))
    assert manifest(config).managed == ("SIM_A", "SIM_B", "SIM_C")


# ── Inputs ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", [Config(), SMART], ids=["fixed", "smart"])
@pytest.mark.parametrize("session", [SESSION, date(2020, 8, 12)])
@pytest.mark.parametrize("symbol", ["QQQ", "SPY"])
def test_a_signal_symbol_that_is_missing_short_or_stale_blocks_on_every_session(
    calendar: ExchangeCalendar,
    daily: Make,
    context_of: Callable[..., StrategyContext],
    config: Config,
    session: date,
    symbol: str,
) -> None:
    last = calendar.previous(session)
    sound = {name: daily(name, CALM, last) for name in ("QQQ", "SPY")}
    changes = {
        ReasonCode.HISTORY_MISSING: {},
        ReasonCode.HISTORY_SHORT: {symbol: daily(symbol, CALM[1:], last)},
        ReasonCode.HISTORY_STALE: {symbol: daily(symbol, CALM, calendar.previous(last))},
    }

    for code, change in changes.items():
        others = {name: frame for name, frame in sound.items() if name != symbol}
        context = context_of(config, session, others | change, sleeve=sleeve_of(10_000))

        decision = decide(context)

        assert decision.code is code
        assert symbol in decision.reason


def test_an_unknown_capital_blocks(answer: Answer) -> None:
    assert answer(sleeve=SleeveView()).code is ReasonCode.CAPITAL_ZERO


# ── Invariants ─────────────────────────────────────────────────────────────────────────


@given(cash_usd=USD, qqqm=USD, splg=USD, closes=CLOSES)
def test_a_purchase_never_sells_and_never_spends_the_reserve(
    answer: Answer, cash_usd: Decimal, qqqm: Decimal, splg: Decimal, closes: list[float]
) -> None:
    held = {"QQQM": qqqm, "SPLG": splg}
    sleeve = sleeve_of(cash_usd + 1, held)

    decision = answer(closes, sleeve=sleeve)

    targets = {target.symbol: target.amount for target in decision.targets}
    if targets:
        bought = {symbol: targets[symbol] - value for symbol, value in held.items()}
        # Targets are whole cents, rounded down.
        assert all(amount > 99 for amount in bought.values())
        assert 199 < sum(bought.values()) <= min(Decimal(2000), sleeve.cash_usd - 50)
        assert sum(targets.values()) <= sleeve.equity_usd


@given(falls=st.lists(st.floats(0.0, 0.5), min_size=2, max_size=2), rsi=st.floats(0.0, 100.0))
def test_a_deeper_fall_never_buys_less(falls: list[float], rsi: float) -> None:
    order = list(Level)
    less, more = (order.index(level_of(Market(fall, 0.1, rsi))) for fall in sorted(falls))

    assert more <= less


@given(gaps=st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=2), rsi=st.floats(0.0, 100.0))
def test_a_wider_gap_never_buys_more(gaps: list[float], rsi: float) -> None:
    order = list(Level)
    less, more = (order.index(level_of(Market(0.0, gap, rsi))) for gap in sorted(gaps))

    assert less <= more


@given(closes=CLOSES, power=st.integers(-6, 6))
def test_the_scale_of_a_symbol_s_prices_changes_nothing(
    answer: Answer, closes: list[float], power: int
) -> None:
    # A power of two scales floats without rounding.
    scaled = [close * 2.0**power for close in closes]

    assert answer(closes, CALM) == answer(scaled, CALM)


@given(tails=st.lists(st.lists(st.floats(50.0, 200.0), min_size=20, max_size=20), min_size=3))
def test_the_order_of_the_signal_symbols_changes_nothing(
    daily: Make, context_of: Callable[..., StrategyContext], tails: list[list[float]]
) -> None:
    symbols = tuple(f"SIM_{index}" for index in range(len(tails)))
    known_until = context_of(SMART, SESSION).calendar.previous(SESSION)
    history = [
        daily(symbol, CALM[:-20] + tail, known_until)
        for symbol, tail in zip(symbols, tails, strict=True)
    ]
    orders = (symbols, symbols[::-1])

    decisions = [
        decide(
            context_of(
                SMART.model_copy(update={"signal_symbols": order}),
                SESSION,
                history,
                sleeve=sleeve_of(10_000),
            )
        )
        for order in orders
    ]

    assert decisions[0] == decisions[1]


@given(closes=CLOSES)
def test_the_market_is_what_its_definitions_say(daily: Make, closes: list[float]) -> None:
    market = market_of([daily("QQQ", closes, SESSION)])

    changes = [new - old for old, new in zip(closes[-15:-1], closes[-14:], strict=True)]
    gains = math.fsum(change for change in changes if change > 0)
    losses = -math.fsum(change for change in changes if change < 0)
    assert market.drawdown == pytest.approx(1 - closes[-1] / max(closes), abs=1e-9)
    assert market.gap == pytest.approx(closes[-1] / (math.fsum(closes[-200:]) / 200) - 1, abs=1e-9)
    expected = 100 - 100 / (1 + gains / losses) if losses else 100.0 if gains else 50.0
    assert market.rsi == pytest.approx(expected, abs=1e-6)


@given(
    older=st.lists(st.floats(50.0, 500.0), max_size=30),
    later=st.lists(st.floats(50.0, 500.0), max_size=5),
)
def test_only_the_declared_sessions_before_the_decision_count(
    calendar: ExchangeCalendar,
    daily: Make,
    context_of: Callable[..., StrategyContext],
    older: list[float],
    later: list[float],
) -> None:
    declared = [100.0 + day % 7 for day in range(252)]
    known_until = calendar.previous(SESSION)
    last = calendar.offset(known_until, len(later))
    histories = (
        [daily(symbol, declared, known_until) for symbol in ("QQQ", "SPY")],
        [daily(symbol, [*older, *declared, *later], last) for symbol in ("QQQ", "SPY")],
    )

    decisions = [
        decide(context_of(SMART, SESSION, history, sleeve=sleeve_of(10_000)))
        for history in histories
    ]

    assert decisions[0] == decisions[1]


# ── Declaration ────────────────────────────────────────────────────────────────────────


def test_the_default_manifest_declares_what_the_catalog_page_says() -> None:
    declared = manifest(Config())

    assert declared.profile == "nasdaq_sp500_smart_dca"
    assert declared.aliases == ()
    assert declared.cadence is Cadence.MONTHLY
    assert declared.benchmark == "VOO"
    assert declared.safe_haven is None
    assert declared.target_mode is TargetMode.VALUE
    assert declared.input_mode is InputMode.DIRECT
    assert declared.reads_portfolio
    assert declared.role is Role.ACCUMULATION
    assert declared.managed == ("QQQM", "SPLG")
    assert declared.history is not None
    assert declared.history.symbols == ("QQQ", "SPY")
    assert declared.history.sessions == 252


def test_the_planner_is_told_never_to_sell() -> None:
    hints = manifest(Config()).hints

    assert hints.buy_only
    assert hints.min_trade_usd == 0  # the minimum is that of the whole purchase


def test_the_default_numbers_are_those_of_the_catalog_page() -> None:
    config = Config()

    assert (config.base_usd, config.max_usd) == (Decimal(1000), Decimal(2000))
    assert (config.cash_reserve_usd, config.min_order_usd) == (Decimal(50), Decimal(200))
    assert (config.window_day, config.window_days) == (25, 5)
    assert config.sizing is Sizing.FIXED


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(), "Buys 1,000 USD of QQQM and SPLG once a month, from day 25 on"),
        (SMART, "Buys up to 2,000 USD, more after a fall of QQQ and SPY"),
    ],
)
def test_the_description_tells_the_configured_purchase(config: Config, words: str) -> None:
    declared = manifest(config)

    assert words in declared.description["en"]
    assert (
        f"{config.base_usd if config is not SMART else config.max_usd:,f} 美元"
        in (declared.description["zh"])
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"base_usd": 3000}, "base_usd = 3000 is above max_usd = 2000"),
        ({"min_order_usd": 1001}, "min_order_usd = 1001 is above a purchase of 1000"),
        ({"min_order_usd": 501, "sizing": "smart"}, "above a purchase of 500.0"),
        ({"base_usd": 0, "min_order_usd": 0}, "base_usd = 0"),
        ({"sizing": "clever"}, "sizing"),
        ({"window_day": 29}, "window_day"),
        ({"window_day": 0}, "window_day"),
        ({"window_days": 0}, "window_days"),
        ({"window_days": 29}, "window_days"),
        ({"buy_symbols": []}, "buy_symbols"),
        ({"signal_symbols": []}, "signal_symbols"),
        ({"signal_symbols": ["QQQ", "QQQ"]}, "QQQ stands more than once"),
        ({"cash_reserve_usd": -1}, "cash_reserve_usd"),
        ({"base": 1000}, "base"),
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
        {"min_order_usd": 1000},
        {"min_order_usd": 500, "sizing": "smart"},
        {"base_usd": 2000},
        {"base_usd": "0.01", "min_order_usd": 0},
        {"window_day": 1, "window_days": 28},
        {"window_days": 1},
        {"signal_symbols": ["QQQ"], "buy_symbols": ["QQQM"]},
    ],
)
def test_a_limit_itself_is_allowed(changes: dict[str, object]) -> None:
    Config.model_validate(changes)
