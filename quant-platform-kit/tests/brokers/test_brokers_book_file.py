"""The file of a simulated book: what survives, and what never happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.brokers import Fault, Faults, FaultSwitch, SimulatedBroker
from quant_platform_kit.contracts import OrderRequest, OrderType, Side, SubmitOutcome
from quant_platform_kit.errors import BrokerAnswerError, SettingsError, TransientError
from quant_platform_kit.market import SimulatedClock

OpenBroker = Callable[..., SimulatedBroker]


def buy(broker: SimulatedBroker, client_id: str, limit: str | None = None) -> SubmitOutcome:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    price = None if limit is None else Decimal(limit)
    order = OrderRequest(client_id, "AAA", Side.BUY, Decimal(10), kind, price)
    return broker.submit(order).outcome


def seen(broker: SimulatedBroker) -> tuple[object, ...]:
    """Return everything the account shows."""
    orders = tuple(broker.find_order(client_id) for client_id in ("one", "two", "three"))
    start = broker._clock.now() - timedelta(days=1)  # noqa: SLF001 (its own clock)
    return (broker.account(), broker.positions(), broker.fills_since(start), orders)


def test_an_account_survives_its_process(open_broker: OpenBroker, book_path: Path) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    buy(broker, "two", limit="9.00")
    assert seen(open_broker(book_path=book_path)) == seen(broker)


def test_a_kill_at_any_byte_of_a_write_leaves_the_order_whole_or_not_at_all(
    open_broker: OpenBroker, book_path: Path, tmp_path: Path
) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    before, one = seen(broker), book_path.read_bytes()
    buy(broker, "two")
    after, both = seen(broker), book_path.read_bytes()
    torn = tmp_path / "torn.jsonl"
    for size in range(len(one), len(both) + 1):
        torn.write_bytes(both[:size])
        assert seen(open_broker(book_path=torn)) == (after if size == len(both) else before)


def test_the_next_order_removes_a_torn_line(open_broker: OpenBroker, book_path: Path) -> None:
    buy(open_broker(book_path=book_path), "one")
    with book_path.open("ab") as file:
        file.write(b'[{"at":"2020-03-31T19:3')
    resumed = open_broker(book_path=book_path)
    buy(resumed, "two")
    assert seen(open_broker(book_path=book_path)) == seen(resumed)
    assert b"19:3[" not in book_path.read_bytes()


def test_looking_never_writes(
    open_broker: OpenBroker, book_path: Path, faults: Faults, clock: SimulatedClock
) -> None:
    broker = open_broker(book_path=book_path)
    seen(broker)
    assert not book_path.exists()
    faults.set(FaultSwitch(Fault.LATE_FILL, nth=1))
    buy(broker, "one")
    buy(broker, "two", limit="9.00")
    written = book_path.read_bytes()
    clock.sleep(3600)  # the first fills, the second expires
    shown = seen(broker)
    assert book_path.read_bytes() == written
    assert seen(open_broker(book_path=book_path)) == shown


def test_what_time_did_is_written_with_the_next_order(
    open_broker: OpenBroker, book_path: Path, faults: Faults, clock: SimulatedClock
) -> None:
    broker = open_broker(book_path=book_path)
    faults.set(FaultSwitch(Fault.LATE_FILL, nth=1))
    buy(broker, "one")
    clock.sleep(60)
    buy(broker, "two")
    first, second = book_path.read_text().splitlines()
    assert '"event":"fill"' not in first
    assert second.count('"event":"fill"') == 2
    assert seen(open_broker(book_path=book_path)) == seen(broker)


def test_one_line_holds_an_order_and_its_fill(open_broker: OpenBroker, book_path: Path) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    buy(broker, "two")
    _, line = book_path.read_text().splitlines()
    assert line.count('"event":"order"') == line.count('"event":"fill"') == 1


def test_an_order_of_another_process_is_noticed(open_broker: OpenBroker, book_path: Path) -> None:
    service, command_line = open_broker(book_path=book_path), open_broker(book_path=book_path)
    buy(service, "one")
    buy(command_line, "two")
    buy(service, "three")
    assert seen(service) == seen(command_line) == seen(open_broker(book_path=book_path))
    assert [p.quantity for p in service.positions()] == [30]


def test_a_client_id_of_another_process_is_not_booked_again(
    open_broker: OpenBroker, book_path: Path
) -> None:
    first, second = open_broker(book_path=book_path), open_broker(book_path=book_path)
    assert buy(first, "one") is SubmitOutcome.ACKED
    assert buy(second, "one") is SubmitOutcome.REJECTED


def test_a_book_that_cannot_be_written_leaves_the_order_unresolved_and_unbooked(
    open_broker: OpenBroker, book_path: Path
) -> None:
    broker = open_broker(book_path=book_path)
    book_path.parent.write_text("a file where the folder should be")
    assert buy(broker, "one") is SubmitOutcome.UNRESOLVED
    book_path.parent.unlink()
    assert broker.find_order("one") is None
    assert buy(broker, "one") is SubmitOutcome.ACKED


def test_a_cancel_that_cannot_be_written_says_so(open_broker: OpenBroker, book_path: Path) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one", limit="9.00")
    (order,) = broker.open_orders()
    book_path.unlink()
    book_path.mkdir()
    with pytest.raises(TransientError, match=r"book\.jsonl"):
        broker.cancel(order.broker_order_id)


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"{}\n",
        b"[]\n",
        b'["order"]\n',
        b'[{"event":"merger"}]\n',
        b'[{"event":"cancel","order_id":"sim-000001"}]\n',
        b'[{"event":"cancel","order_id":"sim-000001","at":"noon"}]\n',
        b"\xff\n",
    ],
)
def test_a_damaged_line_is_an_error_that_names_it(
    line: bytes, open_broker: OpenBroker, book_path: Path
) -> None:
    buy(open_broker(book_path=book_path), "one")
    with book_path.open("ab") as file:
        file.write(line)
    with pytest.raises(BrokerAnswerError, match=r"Line 2 .* book\.jsonl"):
        open_broker(book_path=book_path)


def test_a_book_that_contradicts_itself_is_an_error(
    open_broker: OpenBroker, book_path: Path
) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    buy(broker, "two")
    lines = book_path.read_bytes().splitlines(keepends=True)
    book_path.write_bytes(b"".join([*lines, lines[-1]]))
    with pytest.raises(BrokerAnswerError, match="order sim-000002 stands twice"):
        open_broker(book_path=book_path)


def test_a_book_that_vanishes_is_no_empty_account(open_broker: OpenBroker, book_path: Path) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    book_path.unlink()
    with pytest.raises(BrokerAnswerError, match="has vanished"):
        broker.positions()


def test_a_book_without_its_opening_is_an_error(open_broker: OpenBroker, book_path: Path) -> None:
    broker = open_broker(book_path=book_path)
    buy(broker, "one")
    buy(broker, "two")
    book_path.write_bytes(book_path.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(BrokerAnswerError, match="does not begin with its opening"):
        open_broker(book_path=book_path)


def test_a_book_keeps_the_cash_it_was_opened_with(open_broker: OpenBroker, book_path: Path) -> None:
    buy(open_broker(book_path=book_path), "one")
    with pytest.raises(SettingsError, match=r"QPK_SIMULATED_CASH_USD = 5: .* opened with 1000"):
        open_broker(book_path=book_path, opening_cash_usd=Decimal(5))


def test_a_book_belongs_to_one_account_and_the_error_does_not_name_it(
    open_broker: OpenBroker, book_path: Path
) -> None:
    buy(open_broker(book_path=book_path), "one")
    with pytest.raises(SettingsError, match="QPK_ACCOUNT_ID") as caught:
        open_broker(book_path=book_path, account_id="DU999")
    assert "DU" not in str(caught.value)


def test_the_same_orders_give_the_same_bytes(open_broker: OpenBroker, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for path in paths:
        broker = open_broker(book_path=path)
        buy(broker, "one")
        buy(broker, "two", limit="9.00")
    assert paths[0].read_bytes() == paths[1].read_bytes()
