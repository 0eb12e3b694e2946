"""The outbox delivers over real sockets, keeps what a dead channel left, and hides addresses."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from quant_platform_kit.contracts import Heartbeat
from quant_platform_kit.market import SimulatedClock
from quant_platform_kit.notify import DeliveryResult, Outbox
from quant_platform_kit.store import Store, outbox

SECRET = "token-of-a-channel"  # noqa: S105 (nobody's)
FIRST = Heartbeat("run-1", "en", "first", "Equity: 1\nCash: 2")
SECOND = Heartbeat("run-2", "en", "second", "Equity: 3")


class Inbox:
    """The far side of a channel: an HTTP server that keeps the messages it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.asked = threading.Event()
        self.answering = threading.Event()
        self.answering.set()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}/"

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.received]

    def open(self) -> None:
        """Begin to listen, on the port it had before if there was one."""
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                inbox.asked.set()
                inbox.answering.wait()
                refused = message["title"] in inbox.refused
                if not refused:
                    inbox.received.append((message["title"], message["message"]))
                self.send_response(503 if refused else 200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop listening: a connection is refused from now on."""
        self.answering.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    opened = Inbox()
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def other_inbox() -> Iterator[Inbox]:
    opened = Inbox()
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def store(open_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    return open_store(tmp_path)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2020, 3, 31, 19, 45, tzinfo=UTC))


def put(store: Store, messages: Outbox, *heartbeats: Heartbeat, attempt: int = 1) -> None:
    with store.begin() as connection:
        messages.put(connection, heartbeats, attempt=attempt)


def errors(store: Store) -> list[str]:
    with store.begin() as connection:
        return list(connection.scalars(select(outbox.c.last_error).order_by(outbox.c.id)))


def test_a_message_reaches_its_channel_once(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    messages = Outbox(store, [inbox.url], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=1, failed=0)
    assert messages.deliver() == DeliveryResult(sent=0, failed=0)
    assert inbox.received == [(FIRST.title, FIRST.body)]


def test_a_message_put_twice_is_kept_once_and_a_new_attempt_is_a_new_message(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    messages = Outbox(store, [inbox.url], clock)
    put(store, messages, FIRST)
    put(store, messages, FIRST)
    put(store, messages, FIRST, attempt=2)
    assert messages.deliver().sent == 2
    assert inbox.titles == ["first", "first"]


def test_a_message_of_a_transaction_that_was_undone_is_never_sent(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    messages = Outbox(store, [inbox.url], clock)
    with store.begin() as connection:
        messages.put(connection, [FIRST])
        connection.rollback()
    assert messages.deliver() == DeliveryResult(sent=0, failed=0)


def test_a_dead_channel_keeps_its_messages_and_gets_them_in_order_when_it_is_back(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    inbox.close()
    messages = Outbox(store, [inbox.url], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=0, failed=1)
    put(store, messages, SECOND)
    assert messages.deliver() == DeliveryResult(sent=0, failed=2)
    inbox.open()
    assert messages.deliver() == DeliveryResult(sent=2, failed=0)
    assert inbox.titles == ["first", "second"]
    assert errors(store) == ["", ""]


def test_a_process_that_starts_anew_delivers_what_the_last_one_left(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    put(store, Outbox(store, [inbox.url], clock), FIRST)
    assert Outbox(store, [inbox.url], clock).deliver().sent == 1


def test_a_dead_channel_does_not_hold_back_another(
    store: Store, clock: SimulatedClock, inbox: Inbox, other_inbox: Inbox
) -> None:
    inbox.close()
    messages = Outbox(store, [inbox.url, other_inbox.url], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=1, failed=1)
    assert other_inbox.titles == ["first"]


def test_a_refused_message_holds_its_place_so_that_the_order_stays(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    inbox.refused = {"first"}
    messages = Outbox(store, [inbox.url], clock)
    put(store, messages, FIRST, SECOND)
    assert messages.deliver() == DeliveryResult(sent=0, failed=2)
    inbox.refused = set()
    assert messages.deliver().sent == 2
    assert inbox.titles == ["first", "second"]


def test_a_message_that_is_always_refused_lets_the_others_go_first_in_the_end(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    messages = Outbox(store, [inbox.url], clock)
    inbox.refused.add(FIRST.title)
    put(store, messages, FIRST, SECOND)
    for _ in range(5):
        assert messages.deliver() == DeliveryResult(sent=0, failed=2)
    assert messages.deliver() == DeliveryResult(sent=1, failed=1)
    inbox.refused.clear()
    assert messages.deliver() == DeliveryResult(sent=1, failed=0)
    assert inbox.titles == ["second", "first"]


def test_a_channel_that_hangs_costs_the_deadline_and_its_late_success_counts_once(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    inbox.answering.clear()
    hasty = Outbox(store, [inbox.url], clock, deadline_secs=0.1)
    put(store, hasty, FIRST)
    assert hasty.deliver() == DeliveryResult(sent=0, failed=1)
    assert inbox.asked.wait(timeout=60)
    assert errors(store) == ["no answer in time"]
    inbox.answering.set()
    assert any(hasty.deliver().sent for _ in range(100))
    assert inbox.titles == ["first"]
    assert hasty.deliver() == DeliveryResult(sent=0, failed=0)


def test_a_channel_that_answers_late_is_not_given_the_rest_unseen(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    inbox.answering.clear()
    hasty = Outbox(store, [inbox.url], clock, deadline_secs=0.1)
    put(store, hasty, FIRST, SECOND)
    assert hasty.deliver() == DeliveryResult(sent=0, failed=2)
    inbox.answering.set()
    results = [hasty.deliver() for _ in range(100) if len(inbox.received) < 2]
    assert sum(result.sent for result in results) + hasty.deliver().sent == 2
    assert inbox.titles == ["first", "second"]


def test_a_long_message_arrives_in_numbered_parts(
    store: Store, clock: SimulatedClock, inbox: Inbox
) -> None:
    lines = [f"line {number:05d}" for number in range(4000)]
    messages = Outbox(store, [inbox.url], clock)
    put(store, messages, Heartbeat("run-1", "zh", "长消息", "\n".join(lines)))
    assert messages.deliver() == DeliveryResult(sent=1, failed=0)
    assert inbox.titles == ["长消息 （1/2）", "长消息 （2/2）"]
    assert "\n".join(body for _, body in inbox.received).split("\n") == lines


@pytest.mark.parametrize(
    "address",
    [f"nosuch://{SECRET}", f"tgram://{SECRET}", f"json://[::1/{SECRET}", SECRET, "json://"],
)
def test_an_address_that_apprise_cannot_use_is_a_failed_channel_and_no_error(
    address: str, store: Store, clock: SimulatedClock
) -> None:
    messages = Outbox(store, [address], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=0, failed=1)
    assert errors(store) == ["no apprise address: check QPK_NOTIFY_URLS"]


def test_without_a_channel_nothing_is_kept(store: Store, clock: SimulatedClock) -> None:
    messages = Outbox(store, [], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=0, failed=0)
    assert errors(store) == []


def test_no_part_of_an_address_is_stored_or_logged_or_printed(
    store: Store,
    clock: SimulatedClock,
    inbox: Inbox,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    dead = f"json://127.0.0.1:1/{SECRET}/"
    messages = Outbox(store, [inbox.url, dead, f"nosuch://{SECRET}"], clock)
    put(store, messages, FIRST)
    assert messages.deliver() == DeliveryResult(sent=1, failed=2)
    store.close()
    assert "messages waiting: 1" in caplog.text  # the failure itself is told
    printed = capfd.readouterr()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET not in caplog.text + printed.out + printed.err
    assert SECRET.encode() not in stored
