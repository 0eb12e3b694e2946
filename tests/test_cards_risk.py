"""Acceptance cards A12 and A14 to A16: the gate, limits, losses and the bias, on whole cycles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from quant_platform_kit.brokers import Fault, FaultSwitch, FrameMarket
from quant_platform_kit.contracts import (
    Adjustment,
    CheckStatus,
    CycleReport,
    Decision,
    LegVerdict,
    OrderRequest,
    OrderStatus,
    Outcome,
    Side,
    Submission,
    VerdictKind,
)
from quant_platform_kit.cycle import SleevePart
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, xnys
from quant_platform_kit.notify import heartbeat
from quant_platform_kit.risk import (
    PLATFORM,
    Bias,
    GateMode,
    GateState,
    Limits,
    Pauses,
    Peaks,
    TradingGate,
    load_limits,
    verify,
)
from quant_platform_kit.store import bias
from quant_platform_kit.strategy import Strategy, StrategyConfig
from tests.house import FREE, MONDAY, TUESDAY, House, Script, always, by_session, manifest

WEDNESDAY = date(2020, 3, 4)
THURSDAY = date(2020, 3, 5)
WHO = {"who": "ann", "why": "looks odd"}
ALL_IN = Decision.weights({"SIM_A": 1.0})
INVESTED = Decision.weights({"SIM_A": 0.5, "SIM_B": 0.3})


def limits(folder: Path, text: str) -> Limits:
    """Return the limits of a file whose text begins below ``risk:``."""
    path = folder / "limits.yaml"
    path.write_text(f"risk:\n{text}", encoding="utf-8")
    return load_limits(path, ["scripted", "first", "second"])


def limited_house(folder: Path, script: Script, text: str, **given: object) -> House:
    house = House(folder, script, rules=FREE, **given)  # type: ignore[arg-type]
    house.with_parts(limits=limits(folder, text))
    return house


def market(*closes_of_a: float) -> FrameMarket:
    """Return a market where SIM_A stands at 100 until Monday and then closes as given."""
    days = xnys().sessions(xnys().offset(MONDAY, -40), xnys().offset(MONDAY, 10))
    first = days.index(MONDAY)
    moving = np.full(len(days), 100.0)
    moving[first + 1 :] = [*closes_of_a, *[closes_of_a[-1]] * len(days)][: len(days) - first - 1]
    closes = {"SIM_A": moving} | {
        symbol: np.full(len(days), price)
        for symbol, price in {"SIM_B": 50.0, "SIM_C": 20.0, "SIM_HAVEN": 10.0}.items()
    }
    return FrameMarket(
        {
            symbol: BarFrame(
                symbol=symbol, sessions=days, close=prices, adjustment=Adjustment.TOTAL_RETURN
            )
            for symbol, prices in closes.items()
        }
    )


def gate_of(house: House) -> TradingGate:
    return TradingGate(house.store, house.clock)


def verdict_on(report: CycleReport, symbol: str) -> LegVerdict:
    return next(verdict for verdict in report.verdicts if verdict.symbol == symbol)


def sent(report: CycleReport) -> list[tuple[str, Side, Decimal]]:
    return [(order.symbol, order.side, order.quantity) for order in report.orders]


# ── A12: the gate ──────────────────────────────────────────────────────────────────────


class _HaltsAfterFirst:
    """Passes calls on; when the first order has arrived, an operator halts trading."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __getattr__(self, name: str) -> object:
        return getattr(self._house.broker, name)

    def submit(self, order: OrderRequest) -> Submission:
        answer = self._house.broker.submit(order)
        gate_of(self._house).set(GateMode.HALTED, **WHO)
        return answer


def test_a12_a_gate_that_closes_between_two_orders_stops_the_second_and_not_the_process(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, always(INVESTED), faults=[FaultSwitch(Fault.PARTIAL_FILL)])
    house.with_parts(broker=_HaltsAfterFirst(house))
    report = house.run()

    assert [order.symbol for order in report.orders] == ["SIM_A"]
    assert report.orders[0].status is OrderStatus.CANCELLED  # what rested was still cancelled
    assert [s.symbol for s in report.skipped if s.code is ReasonCode.GATE_CLOSED] == ["SIM_B"]
    assert "halted by ann: looks odd" in verdict_on(report, "SIM_B").verdict.detail
    assert house.ledger() == house.holdings()

    again = house.run(TUESDAY)
    assert (again.outcome, again.code) == (Outcome.BLOCKED, ReasonCode.GATE_CLOSED)
    assert "ann: looks odd" in again.reason


def test_a12_a_halted_run_still_finds_out_what_became_of_earlier_orders(tmp_path: Path) -> None:
    house = House(tmp_path, always(ALL_IN), faults=[FaultSwitch(Fault.NO_FILL)])

    class _Dies(BaseException):
        """Stands for kill -9."""

    class _DiesAfterFirst(_HaltsAfterFirst):
        def submit(self, order: OrderRequest) -> Submission:
            house.broker.submit(order)
            raise _Dies

    house.with_parts(broker=_DiesAfterFirst(house))
    with pytest.raises(_Dies):
        house.run()
    house.restart()
    assert len(house.broker.open_orders()) == 1
    gate_of(house).set(GateMode.HALTED, **WHO)

    report = house.run()

    assert report.code is ReasonCode.GATE_CLOSED
    assert house.broker.open_orders() == ()
    assert [order.status for order in report.orders] == [OrderStatus.CANCELLED]
    assert report.cash_usd == house.broker.account().cash_usd


def test_a12_a_halted_day_is_measured_and_reported_like_any_other(tmp_path: Path) -> None:
    house = House(tmp_path, by_session({MONDAY: ALL_IN, TUESDAY: INVESTED}))
    house.run(MONDAY)
    gate_of(house).set(GateMode.HALTED, **WHO)
    report = house.run(TUESDAY)
    assert report.orders == ()
    assert [line.symbol for line in report.positions] == ["SIM_A"]
    assert report.equity_usd is not None
    assert [answer.decision for answer in report.decisions] == [INVESTED]


def test_a12_a_reducing_gate_sends_sales_and_refuses_purchases(tmp_path: Path) -> None:
    rotated = Decision.weights({"SIM_C": 1.0})
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: rotated}))
    house.run(MONDAY)
    gate_of(house).set(GateMode.REDUCING, **WHO)
    report = house.run(TUESDAY)
    assert {order.side for order in report.orders} == {Side.SELL}
    assert house.holdings() == {}
    assert verdict_on(report, "SIM_C").verdict.code is ReasonCode.GATE_CLOSED
    assert verdict_on(report, "SIM_A").verdict.kind is VerdictKind.APPROVED


# ── Pauses ─────────────────────────────────────────────────────────────────────────────


def test_a_paused_strategy_keeps_what_it_holds_until_it_is_unpaused(tmp_path: Path) -> None:
    rotated = Decision.weights({"SIM_C": 1.0})
    house = House(tmp_path, by_session({MONDAY: INVESTED, TUESDAY: rotated}))
    house.run(MONDAY)
    before = house.holdings()
    Pauses(house.store, house.clock).pause("scripted", **WHO)

    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.STRATEGY_PAUSED)
    assert report.reason == "paused by ann: looks odd"
    assert [sleeve.code for sleeve in report.frozen] == [ReasonCode.STRATEGY_PAUSED]
    assert house.holdings() == before

    Pauses(house.store, house.clock).unpause("scripted", **WHO)
    assert house.run(TUESDAY).outcome is Outcome.TRADED
    assert house.holdings().keys() == {"SIM_C"}


def test_a_pause_stops_one_strategy_and_not_the_other(tmp_path: Path) -> None:
    house = House(tmp_path, always(ALL_IN), rules=FREE)
    scripts = {"first": Decision.weights({"SIM_A": 1.0}), "second": Decision.weights({"SIM_B": 1})}
    managed = {"first": ("SIM_A",), "second": ("SIM_B",)}
    house.with_parts(
        sleeves=tuple(
            SleevePart(
                Strategy(
                    f"tests.{name}",
                    StrategyConfig(),
                    replace(manifest(managed[name]), profile=name),
                    always(decision),
                ),
                Decimal("0.5"),
            )
            for name, decision in scripts.items()
        )
    )
    Pauses(house.store, house.clock).pause("first", **WHO)
    report = house.run()
    assert sent(report) == [("SIM_B", Side.BUY, 100)]
    assert {s.sleeve: s.code for s in report.frozen} == {"first": ReasonCode.STRATEGY_PAUSED}


def test_a_strategy_that_is_paused_between_two_orders_sends_no_second_one(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))

    class _PausesAfterFirst(_HaltsAfterFirst):
        def submit(self, order: OrderRequest) -> Submission:
            answer = house.broker.submit(order)
            Pauses(house.store, house.clock).pause("scripted", **WHO)
            return answer

    house.with_parts(broker=_PausesAfterFirst(house))
    report = house.run()
    assert [order.symbol for order in report.orders] == ["SIM_A"]
    assert verdict_on(report, "SIM_B").verdict.code is ReasonCode.STRATEGY_PAUSED


# ── A14: limits on what will be held ───────────────────────────────────────────────────


def test_a14_a_limit_counts_what_will_be_held_not_what_is_ordered(tmp_path: Path) -> None:
    more = Decision.weights({"SIM_A": 0.8})
    house = limited_house(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 0.4}), TUESDAY: more, WEDNESDAY: more}),
        "  position: {max_notional_per_symbol: 5500}",
    )
    assert sent(house.run(MONDAY)) == [("SIM_A", Side.BUY, 40)]

    report = house.run(TUESDAY)  # another 40 are worth 4,000, and with those held 8,000
    assert sent(report) == [("SIM_A", Side.BUY, 15)]
    assert report.orders[0].leg.limited_by is ReasonCode.POSITION_LIMIT
    judged = verdict_on(report, "SIM_A")
    assert (judged.quantity, judged.verdict.quantity) == (40, 15)
    assert judged.verdict.kind is VerdictKind.REDUCED
    assert any(note.startswith("POSITION_LIMIT: buy SIM_A, 15 of 40") for note in report.notes)

    full = house.run(WEDNESDAY)
    assert (full.outcome, full.code) == (Outcome.BLOCKED, ReasonCode.POSITION_LIMIT)
    assert house.holdings() == {"SIM_A": 55}


def test_a14_every_check_is_on_the_report_with_its_figures(tmp_path: Path) -> None:
    house = limited_house(
        tmp_path,
        always(INVESTED),
        "  position: {max_shares_per_symbol: 55}\n  portfolio: {max_exposure_pct: 60}\n",
    )
    report = house.run()
    lines = {line.name: line for line in verdict_on(report, "SIM_A").verdict.checks}
    shares, exposure = lines["position.max_shares_per_symbol"], lines["portfolio.max_exposure_pct"]
    assert (shares.figure, shares.limit, shares.status) == (50, 55, CheckStatus.PASSED)
    assert (exposure.figure, exposure.limit) == (50, 60)
    assert {"gate", "freshness", "scope", "portfolio.buying_power"} <= lines.keys()
    # The other leg would have made it 80 %: it is cut to the 20 shares that make it 60.
    assert ("SIM_B", Side.BUY, Decimal(20)) in sent(report)


def test_a14_sells_make_room_for_buys(tmp_path: Path) -> None:
    house = limited_house(
        tmp_path,
        by_session(
            {
                MONDAY: Decision.weights({"SIM_A": 0.6}),
                TUESDAY: Decision.weights({"SIM_B": 0.6}),
            }
        ),
        "  portfolio: {max_exposure_pct: 60, max_positions: 1}\n",
    )
    house.run(MONDAY)
    report = house.run(TUESDAY)
    assert sent(report) == [("SIM_A", Side.SELL, 60), ("SIM_B", Side.BUY, 120)]


def test_a14_a_sale_that_was_not_filled_makes_no_room(tmp_path: Path) -> None:
    house = limited_house(
        tmp_path,
        by_session(
            {
                MONDAY: Decision.weights({"SIM_A": 0.4}),
                TUESDAY: Decision.weights({"SIM_B": 0.4}),
            }
        ),
        "  portfolio: {max_exposure_pct: 50}\n",
    )
    house.run(MONDAY)
    kept = house.parts.limits
    house.faults = [FaultSwitch(Fault.NO_FILL, symbol="SIM_A")]
    house.restart()
    house.with_parts(limits=kept)

    report = house.run(TUESDAY)

    assert house.holdings() == {"SIM_A": 40, "SIM_B": 20}
    assert report.orders[1].leg.limited_by is ReasonCode.PORTFOLIO_LIMIT
    assert any(note.startswith("PORTFOLIO_LIMIT: buy SIM_B, 20 of 80") for note in report.notes)


def test_a14_a_sector_is_limited_as_a_whole(tmp_path: Path) -> None:
    house = limited_house(
        tmp_path,
        always(Decision.weights({"SIM_A": 0.3, "SIM_B": 0.3, "SIM_C": 0.3})),
        "  portfolio: {max_sector_pct: 40, sectors: {energy: [SIM_A, SIM_B], funds: [SIM_C]}}\n",
    )
    report = house.run()
    assert sorted(sent(report)) == [
        ("SIM_A", Side.BUY, 30),
        ("SIM_B", Side.BUY, 20),
        ("SIM_C", Side.BUY, 150),
    ]


def test_a14_a_sale_is_never_stopped_by_a_limit(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        by_session({MONDAY: ALL_IN, TUESDAY: Decision.weights({"SIM_A": 0.5})}),
        market=market(50.0),
    )
    house.run(MONDAY)
    tight = (
        "  position: {max_shares_per_symbol: 1, max_notional_per_symbol: 1}\n"
        "  portfolio: {max_exposure_pct: 0, max_positions: 0, max_sector_pct: 0}\n"
        "  loss: {daily_loss_limit: 1, max_drawdown_pct: 1}\n"
    )
    house.with_parts(limits=limits(tmp_path, tight))
    assert {order.side for order in house.run(TUESDAY).orders} == {Side.SELL}


@pytest.mark.parametrize("loss", ["daily_loss_limit: 1", "max_drawdown_pct: 0.01"])
def test_a14_a_profit_never_trips_a_loss_limit(tmp_path: Path, loss: str) -> None:
    # The one that could halt the account is told to.
    switch = f"  kill_switch: {{auto_trigger_on_daily_loss: {str('daily' in loss).lower()}}}\n"
    house = House(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 0.5}), TUESDAY: INVESTED}),
        market=market(150.0),
        rules=FREE,
    )
    house.run(MONDAY)
    house.with_parts(limits=limits(tmp_path, f"  loss: {{{loss}}}\n{switch}"))
    report = house.run(TUESDAY)
    assert report.outcome is Outcome.TRADED
    assert gate_of(house).state() == GateState(GateMode.ACTIVE)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("daily_loss_limit: 1000", "loss.daily_loss_limit"),
        ("daily_loss_limit: 10%", "loss.daily_loss_limit"),
        ("max_drawdown_pct: 10", "loss.max_drawdown_pct"),
        (
            "strategies: {scripted: {daily_loss_limit: 1000}}",
            "loss.strategies.scripted.daily_loss_limit",
        ),
        ('strategies: {"*": {max_drawdown_pct: 10}}', "loss.strategies.scripted.max_drawdown_pct"),
    ],
)
def test_a14_a_loss_limit_that_is_reached_stops_purchases_alone(
    tmp_path: Path, loss: str, name: str
) -> None:
    rotated = Decision.weights({"SIM_B": 0.5})
    house = limited_house(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 0.5}), TUESDAY: rotated}),
        f"  loss: {{{loss}}}\n",
        market=market(80.0),  # fifty shares lose 1,000 of 10,000
    )
    house.run(MONDAY)
    report = house.run(TUESDAY)
    assert sent(report) == [("SIM_A", Side.SELL, 50)]
    refused = verdict_on(report, "SIM_B").verdict
    assert refused.code is ReasonCode.LOSS_LIMIT
    assert refused.checks[-1].name == name
    assert gate_of(house).state().mode is GateMode.ACTIVE


def test_a14_a_drawdown_counts_from_a_peak_that_outlives_the_process(tmp_path: Path) -> None:
    third = Decision.weights({"SIM_A": 0.3})
    house = limited_house(
        tmp_path,
        by_session(
            {
                MONDAY: third,
                TUESDAY: Decision.hold("quiet"),
                WEDNESDAY: Decision.hold("quiet"),
                THURSDAY: INVESTED,
            }
        ),
        "  loss: {max_drawdown_pct: 4}\n",
        market=market(120.0, 108.0, 102.0),
    )
    kept = house.parts.limits
    for session in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY):
        house.restart()
        house.with_parts(limits=kept)
        report = house.run(session)
    # 30 shares gained 600 and gave back 540 of them: 5.09 % of the 10,600 at the peak.
    judged = verdict_on(report, "SIM_A").verdict
    assert judged.code is ReasonCode.LOSS_LIMIT
    assert judged.checks[-1].figure == Decimal("5.0943")

    Peaks(house.store, house.clock).reset(who="ann", why="new year")
    assert verdict_on(house.run(THURSDAY), "SIM_A").verdict.kind is VerdictKind.APPROVED


def test_a14_money_that_is_moved_by_hand_is_neither_loss_nor_gain(tmp_path: Path) -> None:
    house = limited_house(
        tmp_path,
        by_session({MONDAY: Decision.weights({"SIM_A": 0.2}), TUESDAY: INVESTED}),
        "  loss: {daily_loss_limit: 100, max_drawdown_pct: 1}\n",
    )
    house.run(MONDAY)

    class _Withdrawn:
        """Passes calls on; four thousand dollars have left the account."""

        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def account(self) -> object:
            seen, gone = house.broker.account(), Decimal(4000)
            return replace(
                seen,
                cash_usd=seen.cash_usd - gone,
                usable_cash_usd=seen.usable_cash_usd - gone,
                equity_usd=seen.equity_usd - gone,
            )

    house.with_parts(broker=_Withdrawn())
    report = house.run(TUESDAY)
    assert report.outcome is Outcome.TRADED
    assert all(v.verdict.kind is VerdictKind.APPROVED for v in report.verdicts)


def test_a14_a_price_that_is_not_fresh_rejects_the_whole_plan(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))

    class _Late:
        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def quotes(self, symbols: list[str]) -> object:
            return {
                symbol: replace(quote, at=quote.at - timedelta(minutes=15, seconds=1))
                for symbol, quote in house.broker.quotes(symbols).items()
            }

    house.with_parts(broker=_Late())
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.PRICE_STALE)
    assert report.orders == ()


# ── A15: the bias ──────────────────────────────────────────────────────────────────────


def test_a15_where_nobody_uses_a_bias_limits_count_whole(tmp_path: Path) -> None:
    report = House(tmp_path, always(ALL_IN), rules=FREE).run()
    assert sent(report) == [("SIM_A", Side.BUY, 100)]
    assert report.notes == ()


def _biased(folder: Path, age: timedelta) -> House:
    """Return a house whose operator set a bias of 0.8 this long before the run."""
    house = House(folder, always(ALL_IN), rules=FREE)
    opens_at = datetime(2020, 3, 2, 20, 30, tzinfo=UTC)
    house.clock.advance_to(opens_at - age)
    Bias(house.store, house.clock).set(Decimal("0.8"), who="ann", why="calm")
    return house


def test_a15_a_fresh_bias_multiplies_the_limits(tmp_path: Path) -> None:
    report = _biased(tmp_path, timedelta(minutes=30)).run()
    assert sent(report) == [("SIM_A", Side.BUY, 80)]
    assert not any(note.startswith("BIAS_UNUSABLE") for note in report.notes)


@pytest.mark.parametrize("fault", ["missing", "stale", "invalid", "above 1"])
def test_a15_without_a_usable_bias_every_limit_counts_half_and_operators_are_told(
    tmp_path: Path, fault: str
) -> None:
    house = _biased(tmp_path, timedelta(minutes=31 if fault == "stale" else 5))
    if fault == "missing":
        Bias(house.store, house.clock).clear(who="ann", why="agent retired")
        house.with_parts(limits=limits(tmp_path, "  bias: {required: true}\n"))
    elif fault != "stale":
        with house.store.begin() as connection:
            value = "lots" if fault == "invalid" else "1.5"
            connection.execute(update(bias).values(value=value))
    report = house.run()
    assert sent(report) == [("SIM_A", Side.BUY, 50)]
    assert any(note.startswith("BIAS_UNUSABLE") for note in report.notes)
    assert "BIAS_UNUSABLE" in heartbeat(report, "en").body


# ── A16: who leaves a halt ─────────────────────────────────────────────────────────────

DAILY_LOSS = "  loss: {daily_loss_limit: 1000}\n  kill_switch: {auto_trigger_on_daily_loss: true}\n"


def falling_house(folder: Path, *closes: float) -> House:
    """Return a house that holds fifty shares and wants more of another symbol each day."""
    house = limited_house(
        folder,
        by_session(
            {
                MONDAY: Decision.weights({"SIM_A": 0.5}),
                TUESDAY: Decision.weights({"SIM_B": 0.5}),
                WEDNESDAY: Decision.weights({"SIM_B": 0.5}),
                THURSDAY: Decision.weights({"SIM_B": 0.5}),
            }
        ),
        DAILY_LOSS,
        market=market(*closes),
    )
    house.run(MONDAY)
    return house


def test_a16_the_platform_halts_at_the_daily_loss_and_only_an_operator_resumes(
    tmp_path: Path,
) -> None:
    house = falling_house(tmp_path, 80.0, 100.0)
    report = house.run(TUESDAY)
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.GATE_CLOSED)
    assert report.orders == ()
    said = "the platform halted trading. loss.daily_loss_limit: 1000.00 USD lost, limit 1000.00"
    assert any(said in note for note in report.notes)
    assert said in heartbeat(report, "en").body
    state = gate_of(house).state()
    assert (state.mode, state.who) == (GateMode.HALTED, PLATFORM)

    # The price is back, and the halt stands.
    assert house.run(WEDNESDAY).code is ReasonCode.GATE_CLOSED
    gate_of(house).set(GateMode.ACTIVE, who="ann", why="a bad print")
    assert house.run(WEDNESDAY).outcome is Outcome.TRADED
    assert verify(house.store) is None


def test_a16_a_loss_below_the_limit_does_not_change_the_mode(tmp_path: Path) -> None:
    house = falling_house(tmp_path, 80.02)
    assert house.run(TUESDAY).outcome is Outcome.TRADED
    assert gate_of(house).state() == GateState(GateMode.ACTIVE)


def test_a16_a_resume_does_not_lift_the_limit_that_is_still_reached(tmp_path: Path) -> None:
    house = falling_house(tmp_path, 80.0)
    house.run(TUESDAY)
    gate_of(house).set(GateMode.ACTIVE, who="ann", why="go on")
    assert house.run(TUESDAY).code is ReasonCode.GATE_CLOSED
    assert gate_of(house).state().mode is GateMode.HALTED


def test_a16_an_override_keeps_the_platform_from_halting_and_the_limit_in_force(
    tmp_path: Path,
) -> None:
    house = falling_house(tmp_path, 80.0)
    house.clock.advance_to(xnys().session_open(TUESDAY))
    close = xnys().session_close(TUESDAY)
    gate_of(house).set(GateMode.ACTIVE, who="ann", why="sell it", until=close)
    report = house.run(TUESDAY)
    assert sent(report) == [("SIM_A", Side.SELL, 50)]
    assert verdict_on(report, "SIM_B").verdict.code is ReasonCode.LOSS_LIMIT
    assert any("ann keeps the gate active until 2020-03-03 21:00 UTC" in n for n in report.notes)
    assert gate_of(house).state().mode is GateMode.ACTIVE


@pytest.mark.parametrize(
    ("closes", "mode", "traded"),
    [((100.0,), GateMode.ACTIVE, True), ((80.0,), GateMode.HALTED, False)],
    ids=["no limit is reached", "a limit says otherwise"],
)
def test_a16_an_expired_override_derives_the_mode_anew(
    tmp_path: Path, closes: tuple[float, ...], mode: GateMode, traded: bool
) -> None:
    house = falling_house(tmp_path, *closes)
    lunch = house.clock.now() + timedelta(hours=1)
    gate_of(house).set(GateMode.REDUCING, who="ann", why="lunch", until=lunch)
    report = house.run(TUESDAY)
    assert (report.outcome is Outcome.TRADED) is traded
    assert gate_of(house).state().mode is mode


@contextmanager
def _no_positions(house: House) -> Iterator[None]:
    """Let every query for positions fail."""
    parts = house.parts

    class _Mute:
        def __getattr__(self, name: str) -> object:
            if name == "positions":
                raise ValueError(name)
            return getattr(house.broker, name)

    house.with_parts(broker=_Mute())
    yield
    house.parts = parts


def test_a16_failed_runs_halt_at_their_threshold_and_one_below_changes_nothing(
    tmp_path: Path,
) -> None:
    house = limited_house(
        tmp_path, always(INVESTED), "  kill_switch: {auto_trigger_on_failed_runs: 2}\n"
    )
    with _no_positions(house):
        assert house.run(MONDAY).outcome is Outcome.FAILED
    assert house.run(MONDAY, slot="again").outcome is Outcome.TRADED
    assert gate_of(house).state() == GateState(GateMode.ACTIVE)

    with _no_positions(house):
        house.run(TUESDAY)
        house.run(TUESDAY, slot="again")
    halted = house.run(TUESDAY, slot="third")
    assert halted.code is ReasonCode.GATE_CLOSED
    assert "the last 2 runs failed" in halted.reason

    gate_of(house).set(GateMode.ACTIVE, who="ann", why="the connection is back")
    assert house.run(TUESDAY, slot="fourth").outcome is Outcome.NO_ACTION
    assert gate_of(house).state().mode is GateMode.ACTIVE


# ── Limits and crashes ─────────────────────────────────────────────────────────────────


class _Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("death", [1, 2, 3])
def test_a_run_that_is_killed_keeps_to_its_limits_when_it_is_resumed(
    tmp_path: Path, death: int
) -> None:
    text = "  position: {max_notional_per_symbol: 2500}\n  portfolio: {max_exposure_pct: 60}\n"
    wish = Decision.weights({"SIM_A": 0.4, "SIM_B": 0.4, "SIM_C": 0.2})
    whole = limited_house(tmp_path / "whole", always(wish), text)
    whole.run()

    house = limited_house(tmp_path / "killed", always(wish), text)
    kept = house.parts.limits

    class _Mortal:
        left = death

        def __getattr__(self, name: str) -> object:
            return getattr(house.broker, name)

        def submit(self, order: OrderRequest) -> Submission:
            self.left -= 1
            answer = house.broker.submit(order)
            if not self.left:
                raise _Killed
            return answer

    house.with_parts(broker=_Mortal())
    with pytest.raises(_Killed):
        house.run()
    house.restart()
    house.with_parts(limits=kept)
    house.run()
    assert house.holdings() == whole.holdings() == {"SIM_A": 25, "SIM_B": 50, "SIM_C": 50}
