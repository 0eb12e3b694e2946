"""The five examples: what they decide, and that none of them can leave a dry run."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module

import pytest
from pydantic import ValidationError

from quant_platform_kit.contracts import (
    Decision,
    DecisionOutcome,
    ExecutionMode,
    ProfileStatus,
    Role,
    SignalAction,
)
from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.market import BarFrame, ExchangeCalendar
from quant_platform_kit.strategy import (
    SleeveView,
    StrategyContext,
    StrategyModule,
    require_allowed,
)
from us_equity_strategies.examples import (
    covered_call,
    gamma_scalper,
    mean_reversion,
    momentum,
    test_signal_generator,
)

Daily = Callable[..., BarFrame]
ContextOf = Callable[..., StrategyContext]

EXAMPLES = ("covered_call", "gamma_scalper", "mean_reversion", "momentum", "test_signal_generator")
SESSION = date(2021, 6, 15)
KNOWN_UNTIL = date(2021, 6, 14)


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> StrategyModule:
    found: StrategyModule = import_module(f"us_equity_strategies.examples.{request.param}")
    return found


def weights(decision: Decision) -> dict[str, Decimal]:
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    return {target.symbol: target.amount for target in decision.targets}


# ── All of them ────────────────────────────────────────────────────────────────────────


def test_an_example_says_what_it_is(example: StrategyModule) -> None:
    manifest = example.manifest(example.Config())

    assert manifest.profile in EXAMPLES
    assert manifest.status is ProfileStatus.RESEARCH
    assert manifest.role is Role.EXAMPLE


@pytest.mark.parametrize("mode", [ExecutionMode.PAPER, ExecutionMode.LIVE])
def test_an_example_never_runs_in_paper_or_live(
    example: StrategyModule, mode: ExecutionMode
) -> None:
    with pytest.raises(RefuseRun) as caught:
        require_allowed(example.manifest(example.Config()), mode)

    assert caught.value.code is ReasonCode.PROFILE_NOT_ENABLED


def test_an_example_may_run_dry(example: StrategyModule) -> None:
    require_allowed(example.manifest(example.Config()), ExecutionMode.DRY_RUN)


# ── Test signal generator ──────────────────────────────────────────────────────────────


@pytest.fixture
def generated(daily: Daily, context_of: ContextOf) -> Callable[[date], Decision]:
    config = test_signal_generator.Config()

    def make(session: date) -> Decision:
        context = context_of(config, session)
        frame = daily("SPY", [100.0], context.calendar.previous(session))
        return asyncio.run(test_signal_generator.decide(context_of(config, session, [frame])))

    return make


def test_the_generator_trades_and_signals_on_every_session(
    generated: Callable[[date], Decision], calendar: ExchangeCalendar
) -> None:
    sessions = calendar.sessions(date(2021, 6, 1), date(2021, 6, 30))

    decisions = [generated(session) for session in sessions]

    held = [weights(decision)["SPY"] for decision in decisions]
    actions = [decision.signals[0].action for decision in decisions]
    assert set(held[::2]) != set(held[1::2])
    assert set(held) == {Decimal(0), Decimal("0.1")}
    assert [action is SignalAction.BUY for action in actions] == [bool(weight) for weight in held]


def test_the_generator_is_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(test_signal_generator.decide)


# ── Momentum ───────────────────────────────────────────────────────────────────────────


def test_what_has_risen_over_the_lookback_is_held_in_equal_parts(
    daily: Daily, context_of: ContextOf
) -> None:
    config = momentum.Config(symbols=("UP", "DOWN", "SAME"), lookback=2)
    history = [
        daily("UP", [100.0, 50.0, 110.0], KNOWN_UNTIL),
        daily("DOWN", [100.0, 150.0, 95.0], KNOWN_UNTIL),
        daily("SAME", [100.0, 150.0, 100.0], KNOWN_UNTIL),
    ]

    decision = momentum.decide(context_of(config, SESSION, history))

    assert weights(decision) == {"UP": Decimal("0.3333333333")}
    up, down, same = decision.signals
    assert (up.action, up.confidence, up.trailing_stop_pct) == (
        SignalAction.BUY,
        Decimal("0.4000"),
        Decimal(12),
    )
    assert up.reasoning == "+10.0% over 2 sessions"
    assert (down.action, down.confidence, down.trailing_stop_pct) == (
        SignalAction.SELL,
        Decimal("0.2000"),
        None,
    )
    assert (same.action, same.confidence) == (SignalAction.SELL, Decimal("0.0000"))


def test_momentum_warms_up_over_two_hundred_sessions(daily: Daily, context_of: ContextOf) -> None:
    config = momentum.Config(symbols=("UP",))
    rising = [100.0 + day for day in range(201)]

    short, enough = (
        momentum.decide(context_of(config, SESSION, [daily("UP", closes, KNOWN_UNTIL)]))
        for closes in (rising[1:], rising)
    )

    assert (short.code, short.signals) == (ReasonCode.HISTORY_SHORT, ())
    assert weights(enough) == {"UP": Decimal(1)}


def test_confidence_in_momentum_is_never_more_than_whole(
    daily: Daily, context_of: ContextOf
) -> None:
    config = momentum.Config(symbols=("UP",), lookback=1)
    frame = daily("UP", [100.0, 300.0], KNOWN_UNTIL)

    decision = momentum.decide(context_of(config, SESSION, [frame]))

    assert decision.signals[0].confidence == 1


# ── Mean reversion ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def reverted(daily: Daily, context_of: ContextOf) -> Callable[..., Decision]:
    def make(closes: list[float], *, held: bool = False, entry: float = 2.0) -> Decision:
        config = mean_reversion.Config(symbols=("XYZ",), window=len(closes), entry=entry)
        frame = daily("XYZ", closes, KNOWN_UNTIL)
        context = context_of(config, SESSION, [frame], held=["XYZ"] if held else [])
        return mean_reversion.decide(context)

    return make


# Nine tens and a close below: the close lies exactly three deviations under the mean.
PLUNGED = [10.0] * 9 + [9.0]
RECOVERING = [10.0, 10.0, 8.0, 9.0]
RECOVERED = [10.0, 8.0, 8.0, 10.0]


def test_a_close_far_below_the_average_is_bought(reverted: Callable[..., Decision]) -> None:
    decision = reverted(PLUNGED)

    assert weights(decision) == {"XYZ": Decimal(1)}
    (signal,) = decision.signals
    assert (signal.action, signal.confidence) == (SignalAction.BUY, Decimal("0.7500"))
    assert signal.stop_loss_pct == 5
    assert signal.reasoning == "-3.00 deviations from its 10-session average"


def test_the_entry_line_itself_is_far_enough(reverted: Callable[..., Decision]) -> None:
    closes = [1.0, 1.0, 1.0, 1.0, 0.0625]  # four ones and a fifth: two deviations under the mean

    assert weights(reverted(closes, entry=1.99)) == {"XYZ": Decimal(1)}
    assert weights(reverted(closes, entry=2.01)) == {}


@pytest.mark.parametrize(
    ("held", "wanted"), [(True, {"XYZ": Decimal(1)}), (False, {})], ids=["held", "not held"]
)
def test_between_the_lines_what_is_held_is_kept_and_nothing_else_bought(
    reverted: Callable[..., Decision], held: bool, wanted: dict[str, Decimal]
) -> None:
    decision = reverted(RECOVERING, held=held)

    assert weights(decision) == wanted
    assert decision.signals[0].action is SignalAction.HOLD


def test_what_is_back_at_its_average_is_sold(reverted: Callable[..., Decision]) -> None:
    decision = reverted(RECOVERED, held=True)

    assert weights(decision) == {}
    assert decision.signals[0].action is SignalAction.SELL


def test_prices_that_stand_still_are_at_their_average(reverted: Callable[..., Decision]) -> None:
    assert weights(reverted([10.0] * 5)) == {}
    assert weights(reverted([10.0] * 5, held=True)) == {}


def test_an_average_of_too_few_closes_blocks(daily: Daily, context_of: ContextOf) -> None:
    config = mean_reversion.Config(symbols=("XYZ",))
    frame = daily("XYZ", [10.0] * 19, KNOWN_UNTIL)

    decision = mean_reversion.decide(context_of(config, SESSION, [frame]))

    assert decision.code is ReasonCode.HISTORY_SHORT


# ── Covered call ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("session", "after_days", "expiry"),
    [
        (date(2021, 6, 1), 5, date(2021, 6, 18)),
        (date(2021, 6, 11), 5, date(2021, 6, 18)),
        (date(2021, 6, 14), 5, date(2021, 7, 16)),
        (date(2021, 6, 17), 0, date(2021, 6, 18)),
        (date(2021, 6, 18), 0, date(2021, 7, 16)),
        (date(2021, 12, 31), 5, date(2022, 1, 21)),
        (date(2022, 4, 1), 5, date(2022, 4, 14)),  # the third Friday was Good Friday
    ],
)
def test_a_call_expires_on_the_third_friday_that_is_far_enough(
    calendar: ExchangeCalendar, session: date, after_days: int, expiry: date
) -> None:
    assert covered_call.monthly_expiry(calendar, session, after_days=after_days) == expiry


def test_a_call_is_struck_a_deviation_above_the_close(calendar: ExchangeCalendar) -> None:
    call = covered_call.call_to_write(
        100.0, 0.16, calendar, date(2021, 6, 18), covered_call.Config()
    )

    assert calendar.sessions_between(date(2021, 6, 18), call.expiry) == 19
    deviation = 0.16 * math.sqrt(19 / 252)
    assert call.strike_usd == math.ceil(100 * math.exp(deviation)) == 105
    assert call.chance_to_expire == pytest.approx(
        0.5 * (1 + math.erf(math.log(1.05) / deviation / math.sqrt(2)))
    )


def test_a_call_on_a_price_that_stands_still_is_struck_there(calendar: ExchangeCalendar) -> None:
    call = covered_call.call_to_write(100.0, 0.0, calendar, SESSION, covered_call.Config())

    assert (call.strike_usd, call.chance_to_expire) == (100, 1.0)


@pytest.mark.parametrize(("shares", "contracts"), [(0, 0), (99, 0), (100, 1), (399, 3)])
def test_a_call_is_named_for_every_hundred_shares(
    daily: Daily, calendar: ExchangeCalendar, shares: int, contracts: int
) -> None:
    frame = daily("SPY", [400.0] * 64, KNOWN_UNTIL)
    sleeve = SleeveView(quantities={"SPY": Decimal(shares)})
    config = covered_call.Config()
    context = StrategyContext(SESSION, calendar, {"SPY": frame}, None, sleeve, config)

    decision = covered_call.decide(context)

    assert weights(decision) == {"SPY": Decimal("0.95")}
    (signal,) = decision.signals
    assert (signal.action, signal.quantity) == (SignalAction.HOLD, contracts)
    assert signal.reasoning.startswith(f"write {contracts} calls struck at 400 USD")


# ── Gamma scalper ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("session", "leaves"),
    [
        (date(2021, 6, 15), datetime(2021, 6, 15, 19, 45, tzinfo=UTC)),  # 15:45 in summer time
        (date(2021, 12, 15), datetime(2021, 12, 15, 20, 45, tzinfo=UTC)),  # 15:45 in winter time
        (date(2021, 11, 26), datetime(2021, 11, 26, 17, 45, tzinfo=UTC)),  # closes at 13:00
    ],
)
def test_everything_is_closed_a_quarter_of_an_hour_before_the_close(
    calendar: ExchangeCalendar, session: date, leaves: datetime
) -> None:
    assert gamma_scalper.exit_at(calendar, session, gamma_scalper.Config()) == leaves


@pytest.mark.parametrize(
    ("delta", "trade"), [(0.15, 0.0), (-0.15, 0.0), (0.16, -0.16), (-0.4, 0.4), (0.0, 0.0)]
)
def test_a_delta_beyond_the_threshold_is_hedged_away(delta: float, trade: float) -> None:
    assert gamma_scalper.hedge(delta, gamma_scalper.Config()) == trade


@pytest.mark.parametrize(
    ("short", "long", "regime", "factor"),
    [(0.3, 0.2, "negative", "1.5"), (0.2, 0.3, "positive", "0.5"), (0.2, 0.2, "positive", "0.5")],
)
def test_the_regime_sets_the_size(short: float, long: float, regime: str, factor: str) -> None:
    found = gamma_scalper.regime_of(short, long)

    assert found == regime
    assert gamma_scalper.size_factor(found, gamma_scalper.Config()) == Decimal(factor)


def test_a_straddle_has_the_delta_of_its_model() -> None:
    # At the money with a deviation of 0.02: 2 N(0.01) - 1.
    assert gamma_scalper.straddle_delta(1.0, 0.02) == pytest.approx(math.erf(0.01 / math.sqrt(2)))
    assert gamma_scalper.straddle_delta(1.1, 0.01) == pytest.approx(1.0)
    assert gamma_scalper.straddle_delta(0.9, 0.01) == pytest.approx(-1.0)
    assert [gamma_scalper.straddle_delta(move, 0.0) for move in (0.9, 1.0, 1.1)] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("last", "action"),
    [(103.0, SignalAction.SELL), (97.0, SignalAction.BUY), (100.0, SignalAction.HOLD)],
)
def test_the_scalper_sells_rises_buys_falls_and_holds_nothing_over_night(
    daily: Daily, context_of: ContextOf, last: float, action: SignalAction
) -> None:
    swinging = [100.0 + day % 2 for day in range(21)]  # ends at 100
    frame = daily("SPY", [*swinging, last], KNOWN_UNTIL)

    decision = gamma_scalper.decide(context_of(gamma_scalper.Config(), SESSION, [frame]))

    assert weights(decision) == {}
    (signal,) = decision.signals
    assert signal.action is action
    assert (signal.quantity == 0) == (action is SignalAction.HOLD)
    assert decision.diagnostics["exit_at"] == "2021-06-15T19:45:00+00:00"


def test_windows_that_do_not_differ_are_refused() -> None:
    with pytest.raises(ValidationError, match="short_window = 21 must be below long_window = 21"):
        gamma_scalper.Config(short_window=21)
