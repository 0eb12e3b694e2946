"""The far side of a wire: tags that may come twice, replacements, pushes and counted faults."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.contracts import (
    BrokerOrder,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SubmitOutcome,
)
from quant_platform_kit.errors import ContractError, SettingsError
from quant_platform_kit.simulators import Host, HostOptions, WireFault, WireFaults, WireSwitch

Told = list[tuple[str, OrderStatus, tuple[Decimal, ...]]]


@pytest.fixture
def host(fresh: HostOptions) -> Host:
    return Host(fresh)


@pytest.fixture
def told(host: Host) -> Told:
    heard: Told = []

    def listen(order: BrokerOrder, fills: tuple[Fill, ...]) -> None:
        quantities = tuple(fill.quantity for fill in fills)
        heard.append((order.broker_order_id, order.status, quantities))

    host.on_change(listen)
    return heard


def market(tag: str = "tag", quantity: int = 10) -> OrderRequest:
    return OrderRequest(tag, "AAA", Side.BUY, Decimal(quantity))


def resting(tag: str = "tag", quantity: int = 10) -> OrderRequest:
    return replace(
        market(tag, quantity), order_type=OrderType.LIMIT, limit_price_usd=Decimal("5.00")
    )


def test_a_tag_may_come_twice_as_at_a_real_broker(host: Host) -> None:
    for tag in ("tag", "tag", "x" * 40, "x" * 40):
        assert host.submit(market(tag, 1)).outcome is SubmitOutcome.ACKED
    tags = [order.client_id for order in host.orders()]
    assert tags[:3] == ["tag", "tag", "x" * 40]
    assert len(host.fills()) == 4


def test_orders_without_a_tag_show_none(host: Host) -> None:
    host.submit(market("placeholder"), tagged=False)
    host.submit(market("placeholder"), tagged=False)
    assert [order.client_id for order in host.orders()] == [None, None]
    assert [fill.client_id for fill in host.fills()] == [None, None]


def test_tags_and_requests_survive_with_the_book(fresh: HostOptions, tmp_path: Path) -> None:
    kept = replace(fresh, book_path=str(tmp_path / "book.jsonl"))
    first = Host(kept)
    first.submit(resting())
    first.submit(resting())
    second = Host(kept)
    assert second.orders() == first.orders()
    for order in second.orders():
        assert second.request(order.broker_order_id).limit_price_usd == Decimal("5.00")


def test_listeners_hear_of_every_change_once(host: Host, told: Told) -> None:
    first = host.submit(resting()).broker_order_id
    host.cancel(str(first))
    second = host.submit(market()).broker_order_id
    host.orders()
    assert told == [
        (first, OrderStatus.SUBMITTED, ()),
        (first, OrderStatus.CANCELLED, ()),
        (second, OrderStatus.FILLED, (Decimal(10),)),
    ]


def test_listeners_hear_of_what_time_alone_does(host: Host, told: Told) -> None:
    host.faults.set(FaultSwitch(Fault.LATE_FILL, nth=1, delay_secs=60))
    late = host.submit(market()).broker_order_id
    day = host.submit(resting()).broker_order_id
    host.advance_to(host.clock.now() + timedelta(hours=2))
    assert told[2:] == [
        (late, OrderStatus.FILLED, (Decimal(10),)),
        (day, OrderStatus.EXPIRED, ()),
    ]


def test_a_replacement_ends_the_old_order_and_has_an_id_of_its_own(host: Host) -> None:
    old = host.submit(resting())
    new = host.replace(str(old.broker_order_id), resting(quantity=20))
    assert new.outcome is SubmitOutcome.ACKED
    assert [(o.client_id, o.quantity, o.status) for o in host.orders()] == [
        ("tag", Decimal(10), OrderStatus.CANCELLED),
        ("tag", Decimal(20), OrderStatus.SUBMITTED),
    ]


def test_a_replacement_that_is_refused_leaves_the_old_order_working(host: Host) -> None:
    old = host.submit(resting())
    new = host.replace(str(old.broker_order_id), resting(quantity=100_000))
    assert new.outcome is SubmitOutcome.REJECTED
    assert [order.status for order in host.orders()] == [OrderStatus.SUBMITTED]


def test_a_replacement_may_use_the_cash_of_the_old_order(host: Host) -> None:
    old = host.submit(resting(quantity=150))  # 750 of 1,000 USD
    new = host.replace(str(old.broker_order_id), resting(quantity=190))
    assert new.outcome is SubmitOutcome.ACKED


def test_an_order_that_has_ended_is_not_replaced(host: Host) -> None:
    done = host.submit(market())
    assert host.replace(str(done.broker_order_id), market()).outcome is SubmitOutcome.REJECTED
    assert len(host.orders()) == 1


def test_a_working_order_can_be_filled_at_once(host: Host) -> None:
    working = host.submit(market(), under=Fault.NO_FILL)
    host.fill(str(working.broker_order_id))
    (order,) = host.orders()
    assert order.status is OrderStatus.FILLED
    assert host.broker.account().cash_usd == Decimal("900.00")


def test_a_machine_s_clock_is_not_moved(fresh: HostOptions) -> None:
    host = Host(replace(fresh, start=None))
    with pytest.raises(ContractError, match="nobody moves"):
        host.advance_to(host.clock.now())


def test_a_market_that_is_not_there_is_an_error(fresh: HostOptions) -> None:
    with pytest.raises(SettingsError, match="blank"):
        Host(replace(fresh, market=""))


# ── Faults ─────────────────────────────────────────────────────────────────────────────


def test_a_switch_strikes_its_operation_its_symbol_and_its_turn() -> None:
    switch = WireSwitch(WireFault.REJECT, operation="place", symbol="AAA", nth=2)
    faults = WireFaults(switch)
    meant = {WireFault.REJECT}
    assert faults.strike(meant, "cancel", "AAA") is None
    assert faults.strike(meant, "place", "BBB") is None
    assert faults.strike({WireFault.MALFORMED}, "place", "AAA") is None
    assert faults.strike(meant, "place", "AAA") is None
    assert faults.strike(meant, "place", "AAA") == switch
    assert faults.strike(meant, "place", "AAA") is None


def test_a_new_plan_counts_from_the_beginning() -> None:
    switch = WireSwitch(WireFault.REJECT, nth=1)
    faults = WireFaults(switch)
    assert faults.strike({WireFault.REJECT}, "place") == switch
    assert faults.strike({WireFault.REJECT}, "place") is None
    faults.set(switch)
    assert faults.strike({WireFault.REJECT}, "place") == switch
    faults.set()
    assert faults.strike({WireFault.REJECT}, "place") is None


def test_every_switch_counts_though_the_first_that_strikes_is_returned() -> None:
    first, second = WireSwitch(WireFault.REJECT, nth=1), WireSwitch(WireFault.REJECT, nth=2)
    faults = WireFaults(first, second)
    assert [faults.strike({WireFault.REJECT}, "place") for _ in range(3)] == [first, second, None]


@pytest.mark.parametrize("field", ["nth", "seconds"])
def test_a_switch_that_could_never_strike_is_refused(field: str) -> None:
    with pytest.raises(ContractError, match=field):
        WireSwitch(WireFault.REJECT, **{field: -1})  # type: ignore[arg-type]


def test_a_host_that_starts_again_knows_when_its_orders_ended(
    fresh: HostOptions, tmp_path: Path
) -> None:
    options = replace(fresh, book_path=str(tmp_path / "book.jsonl"))
    host = Host(options)
    order_id = str(host.submit(resting()).broker_order_id)
    host.advance_to(host.clock.now() + timedelta(minutes=1))
    assert host.broker.changed_at(order_id) is None
    host.cancel(order_id)
    ended = host.clock.now()
    assert host.broker.changed_at(order_id) == ended
    assert Host(replace(options, start=ended)).broker.changed_at(order_id) == ended
