"""Messages that are kept until their channel has taken them.

A message is stored in the transaction that ends its run, and delivered afterwards: a dead channel
never stops a trade, and a message is not lost with the process that wrote it. A channel that took
a message may get it again only when the process died before it could note so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, insert, select, update

from quant_platform_kit.contracts import Heartbeat
from quant_platform_kit.notify._channels import NO_ANSWER, Courier, Parcel, channel_of
from quant_platform_kit.store import Store, outbox

_PATIENCE = 5  # deliveries that a refused message may hold up; then the others go first
_log = logging.getLogger("quant_platform_kit.notify")


class Clock(Protocol):
    """What tells the outbox the time; `market.Clock` is one."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What one delivery did: messages that were taken, and messages that still wait."""

    sent: int
    failed: int


class Outbox:
    """Messages of one store on their way to the channels of one service.

    Parameters
    ----------
    store : Store
    urls : sequence of str
        Apprise addresses; repeated ones count once.
    clock : Clock
    deadline_secs : float
        How long one delivery may take, over all channels; they work side by side.
    """

    def __init__(
        self, store: Store, urls: Sequence[str], clock: Clock, *, deadline_secs: float = 10.0
    ) -> None:
        self._store = store
        self._urls = {channel_of(url): url for url in urls}
        self._clock = clock
        self._deadline_secs = deadline_secs
        self._busy: dict[str, Courier] = {}
        self._delivering = threading.Lock()

    def put(
        self, connection: Connection, heartbeats: Iterable[Heartbeat], *, attempt: int = 1
    ) -> None:
        """Keep messages for every channel, in the caller's transaction.

        A message that is there already (same run, attempt, channel and language) is left alone.
        """
        at = self._clock.now()
        for message in heartbeats:
            known = connection.scalars(
                select(outbox.c.channel).where(
                    outbox.c.run_key == message.run_key,
                    outbox.c.attempt == attempt,
                    outbox.c.language == message.language,
                )
            ).all()
            rows = [
                {
                    "run_key": message.run_key,
                    "attempt": attempt,
                    "channel": channel,
                    "language": message.language,
                    "title": message.title,
                    "body": message.body,
                    "attempts": 0,
                    "last_error": "",
                    "created_at": at,
                }
                for channel in self._urls
                if channel not in known
            ]
            if rows:
                connection.execute(insert(outbox), rows)

    def deliver(self) -> DeliveryResult:
        """Hand every waiting message to its channel, oldest first; returns within the deadline.

        A channel that fails keeps its messages for the next time; it never raises. A message that
        was refused again and again lets the others go first: news of today are worth more. A
        channel that is still busy with the last delivery is waited for, not asked twice.
        """
        with self._delivering:  # two requests may end at the same time
            return self._deliver()

    def _deliver(self) -> DeliveryResult:
        sent = self._settle([c for c, courier in self._busy.items() if not courier.is_alive()])
        deadline = time.monotonic() + self._deadline_secs
        for channel, parcels in self._waiting().items():
            if channel not in self._busy:
                self._busy[channel] = Courier(self._urls[channel], parcels)
                self._busy[channel].start()
        for courier in self._busy.values():
            courier.join(max(0.0, deadline - time.monotonic()))
            courier.recall()
        sent += self._settle(list(self._busy))
        return DeliveryResult(sent=sent, failed=sum(map(len, self._waiting().values())))

    def _waiting(self) -> dict[str, list[Parcel]]:
        with self._store.begin() as connection:
            rows = connection.execute(
                select(outbox)
                .where(outbox.c.sent_at.is_(None), outbox.c.channel.in_(self._urls))
                .order_by(outbox.c.attempts >= _PATIENCE, outbox.c.id)
            ).all()
        waiting: dict[str, list[Parcel]] = {}
        for row in rows:
            parcel = Parcel(row.id, row.language, row.title, row.body)
            waiting.setdefault(row.channel, []).append(parcel)
        return waiting

    def _settle(self, channels: Iterable[str]) -> int:
        """Note what the couriers of `channels` did and return how much was taken."""
        sent = 0
        for channel in channels:
            courier = self._busy[channel]
            ended = not courier.is_alive()  # asked first: what is read below is then complete
            sent += self._note(channel, courier, courier.error if ended else NO_ANSWER)
            if ended:
                del self._busy[channel]
        return sent

    def _note(self, channel: str, courier: Courier, error: str) -> int:
        delivered = tuple(courier.delivered)
        stuck = next((p.row for p in courier.parcels if p.row not in delivered), None)
        with self._store.begin() as connection:
            sent = connection.execute(
                update(outbox)
                .where(outbox.c.id.in_(delivered), outbox.c.sent_at.is_(None))
                .values(sent_at=self._clock.now(), attempts=outbox.c.attempts + 1, last_error="")
            ).rowcount
            if stuck is not None:
                connection.execute(
                    update(outbox)
                    .where(outbox.c.id == stuck)
                    .values(attempts=outbox.c.attempts + 1, last_error=error)
                )
        if stuck is not None:
            waiting = len(courier.parcels) - len(delivered)
            _log.warning("channel %s: %s; messages waiting: %d", channel, error, waiting)
        return sent
