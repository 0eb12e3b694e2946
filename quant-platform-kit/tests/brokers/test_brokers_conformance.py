"""The cards of the kit, on the brokers that ship with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.brokers import DryRunBroker, IsolatedBroker, SimulatedBroker
from quant_platform_kit.contracts import (
    Account,
    Adjustment,
    CashMovement,
    Fill,
    OrderRequest,
    OrderType,
    Position,
    Submission,
    SubmitOutcome,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import BarFrame
from quant_platform_kit.testing import (
    BROKER_CARDS,
    BrokerBench,
    BrokerCard,
    NotApplicable,
    OpenBench,
)
from quant_platform_kit.testing._broker_cards import Deck, dealt
from quant_platform_kit.testing.broker_benches import (
    in_process_bench,
    simulated_benches,
)

CARDS = {card.name: card for card in BROKER_CARDS}
APPLICABLE = {"in_memory": 85, "on_disk": 85, "dry": 59}


@pytest.fixture
def in_memory(tmp_path: Path) -> BrokerBench:
    return in_process_bench(tmp_path)


@pytest.fixture
def on_disk(tmp_path: Path) -> BrokerBench:
    return in_process_bench(tmp_path, on_disk=True)


@pytest.fixture
def dry(in_memory: BrokerBench) -> BrokerBench:
    broker = DryRunBroker(in_memory.connect(), in_memory.clock)
    return replace(
        in_memory, connect=lambda: broker, faults=None, moving=None, agree=None, is_dry=True
    )


@pytest.mark.parametrize("bench_name", APPLICABLE)
@pytest.mark.parametrize("card", BROKER_CARDS, ids=str)
def test_the_broker_conforms(
    card: BrokerCard, bench_name: str, request: pytest.FixtureRequest
) -> None:
    bench = request.getfixturevalue(bench_name)
    if not card.lacking(bench):
        card(bench)


@pytest.mark.parametrize("bench_name", APPLICABLE)
def test_as_many_cards_as_ever_apply(bench_name: str, request: pytest.FixtureRequest) -> None:
    bench = request.getfixturevalue(bench_name)
    assert sum(not card.lacking(bench) for card in BROKER_CARDS) == APPLICABLE[bench_name]


# ── In a process of its own ────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def far_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBench]:
    with simulated_benches("ibkr", tmp_path_factory.mktemp("isolated")) as benches:
        yield benches


@pytest.fixture(scope="module")
def processes() -> Iterator[list[IsolatedBroker]]:
    """Hold the processes, which take a second to start, for all cards."""
    started: list[IsolatedBroker] = []
    yield started
    for broker in started:
        broker.close()


@pytest.fixture
def isolated(far_bench: OpenBench, processes: list[IsolatedBroker]) -> Iterator[BrokerBench]:
    with far_bench() as bench:
        free = iter(tuple(processes))

        def connect() -> IsolatedBroker:
            broker = next(free, None)
            if broker is None:
                broker = bench.isolated()  # type: ignore[misc]
                processes.append(broker)
            return broker

        yield replace(bench, connect=connect)


@pytest.mark.parametrize(
    "card",
    [card for card in BROKER_CARDS if not card.faults and "connections" not in card.group],
    ids=str,
)
def test_the_isolated_broker_conforms(card: BrokerCard, isolated: BrokerBench) -> None:
    if not card.lacking(isolated):
        card(isolated)


# ── Cards can fail: each of these brokers has one defect that real ones showed ──────────


class ShowsNothing(SimulatedBroker):
    def positions(self) -> tuple[Position, ...]:
        return ()


class BooksTwice(SimulatedBroker):
    def submit(self, order: OrderRequest) -> Submission:
        if self.find_order(order.client_id) is not None:
            return super().submit(replace(order, client_id=f"{order.client_id}-again"))
        return super().submit(order)


class ForgetsSince(SimulatedBroker):
    def fills_since(self, instant: datetime) -> tuple[Fill, ...]:
        return super().fills_since(instant - timedelta(hours=1))


class HandsOutTheFormingBar(SimulatedBroker):
    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> dict[str, BarFrame]:
        frames = {symbol: self._market.frame(symbol, adjustment) for symbol in symbols}
        return {
            symbol: frame.until(last_session).tail(sessions)
            for symbol, frame in frames.items()
            if frame is not None
        }


class PassesRawBarsOff(SimulatedBroker):
    def daily_bars(
        self, symbols: Sequence[str], sessions: int, last_session: date, adjustment: Adjustment
    ) -> dict[str, BarFrame]:
        raw = super().daily_bars(symbols, sessions, last_session, Adjustment.RAW)
        return {
            symbol: BarFrame(
                symbol=symbol, sessions=bars.days, close=bars.close, adjustment=adjustment
            )
            for symbol, bars in raw.items()
        }


class IgnoresCancels(SimulatedBroker):
    def cancel(self, broker_order_id: str) -> None:
        """Do nothing."""


class TakesNoStops(SimulatedBroker):
    def submit(self, order: OrderRequest) -> Submission:
        if order.stop_price_usd is None:
            return super().submit(order)
        return Submission(SubmitOutcome.REJECTED, detail="Stops are not taken.")


class SellsStopsAtOnce(SimulatedBroker):
    def submit(self, order: OrderRequest) -> Submission:
        if order.stop_price_usd is None:
            return super().submit(order)
        plain = OrderRequest(order.client_id, order.symbol, order.side, order.quantity)
        return super().submit(plain)


class SaysDividendWithoutItsSymbol(SimulatedBroker):
    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        return tuple(replace(moved, symbol=None) for moved in super().cash_movements(since))


class NumbersMovementsAnew(SimulatedBroker):
    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        self.asked = getattr(self, "asked", 0) + 1
        told = super().cash_movements(since)
        return tuple(
            replace(moved, movement_id=f"{self.asked}-{n}") for n, moved in enumerate(told)
        )


class ForgetsSinceOfMovements(SimulatedBroker):
    def cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:
        return super().cash_movements(since - timedelta(hours=2))


class LendsUnsettledProceeds(SimulatedBroker):
    def account(self) -> Account:
        account = super().account()
        return replace(account, usable_cash_usd=account.cash_usd)


@pytest.mark.parametrize(
    ("kind", "failing"),
    [
        (ShowsNothing, "a_market_purchase_becomes_a_position"),
        (BooksTwice, "a_client_id_buys_once"),
        (ForgetsSince, "executions_are_listed_from_an_instant_on"),
        (HandsOutTheFormingBar, "no_bar_is_still_forming"),
        (PassesRawBarsOff, "every_adjustment_is_the_market_s_own"),
        (IgnoresCancels, "a_cancelled_order_no_longer_works_but_is_found"),
        (IgnoresCancels, "a_tiny_order_far_from_the_market_rests_and_is_taken_back"),
        (TakesNoStops, "a_stop_sells_when_the_price_falls_to_it"),
        (SellsStopsAtOnce, "a_stop_below_the_price_waits_and_shows_its_trigger"),
        (SaysDividendWithoutItsSymbol, "a_dividend_is_told_with_its_symbol"),
        (NumbersMovementsAnew, "movements_that_are_alike_are_told_apart"),
        (ForgetsSinceOfMovements, "what_moved_before_the_instant_is_not_told"),
        (LendsUnsettledProceeds, "the_proceeds_of_a_sale_are_usable_when_they_have_settled"),
    ],
)
def test_a_card_fails_on_a_broker_that_breaks_it(
    kind: type[SimulatedBroker], failing: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError):
        CARDS[failing](in_process_bench(tmp_path, kind=kind))


class WithholdsADollar(SimulatedBroker):
    def account(self) -> Account:
        account = super().account()
        return replace(account, usable_cash_usd=account.cash_usd - 1)


@pytest.mark.parametrize(
    ("untrue", "failing"),
    [
        ({"lot_shares": Decimal("0.01")}, "rules_and_capabilities_agree"),
        ({"bar_columns": ("close", "volume")}, "bars_have_the_columns_that_are_claimed"),
        (
            {"adjustments": (Adjustment.TOTAL_RETURN,)},
            "an_adjustment_that_is_not_claimed_is_refused",
        ),
        ({"order_types": (OrderType.MARKET,)}, "a_type_of_order_that_is_not_claimed_is_refused"),
        ({"tells_cash_movements": False}, "what_moved_the_cash_is_told_as_claimed"),
        ({"order_days": 1}, "an_order_of_yesterday_is_not_found_and_its_shares_are_held"),
        ({"settlement_sessions": 0}, "the_proceeds_of_a_sale_are_usable_when_they_have_settled"),
    ],
)
def test_a_claim_that_is_not_true_fails(
    untrue: dict[str, Any], failing: str, tmp_path: Path
) -> None:
    bench = in_process_bench(tmp_path, kind=WithholdsADollar)
    lying = replace(bench, capabilities=replace(bench.capabilities, **untrue))
    with pytest.raises(AssertionError):
        CARDS[failing](lying)


# ── The deck ───────────────────────────────────────────────────────────────────────────


def test_every_card_says_what_is_done_and_what_has_to_come_of_it() -> None:
    for card in BROKER_CARDS:
        assert all((card.prerequisites, card.steps, card.events, card.criteria)), card
        assert card.prerequisites != card.steps


def test_numbers_names_and_groups_stand_once_each() -> None:
    assert len(BROKER_CARDS) >= 80
    assert len({card.number for card in BROKER_CARDS}) == len(BROKER_CARDS)
    assert len({card.name for card in BROKER_CARDS}) == len(BROKER_CARDS)


def test_a_number_is_not_given_twice() -> None:
    deck = Deck("twice")
    deck.card(1)(BROKER_CARDS[0].action)
    deck.card(1)(BROKER_CARDS[1].action)
    with pytest.raises(ContractError, match="BRK-001: a number was given twice"):
        dealt([deck])


def test_a_card_without_its_texts_is_refused() -> None:
    def undescribed(bench: BrokerBench) -> None:
        """Do something."""

    with pytest.raises(ContractError, match="undescribed"):
        _ = Deck("bare").card(1)(undescribed).criteria


def test_a_card_that_lacks_something_says_what(in_memory: BrokerBench) -> None:
    with pytest.raises(NotApplicable, match="no wire lies between this broker and its book"):
        CARDS["torn_frames_are_put_together"](in_memory)


def test_on_a_real_account_only_what_is_safe_is_tried(in_memory: BrokerBench) -> None:
    real = replace(in_memory, is_real=True)
    tried = [card for card in BROKER_CARDS if not card.lacking(real)]
    assert {card.name for card in tried} == {
        card.name for card in BROKER_CARDS if card.is_safe and not card.lacking(in_memory)
    }
