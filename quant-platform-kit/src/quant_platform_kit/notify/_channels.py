"""Handing messages to one apprise address, from a thread of its own.

An address is a secret: most hold a token. It is never stored, logged or put into an error; a
digest of it stands for it everywhere.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from quant_platform_kit.notify._block import part
from quant_platform_kit.notify._format import split
from quant_platform_kit.notify._messages import Message

# Room for a part's number and a line end, where a channel counts the title with the body.
_PART_ROOM = 24
# These write whole addresses to their logs when a delivery fails.
_TALKATIVE = ("apprise", "oauthlib", "requests_oauthlib", "urllib3")

BROKEN = "the library that speaks to the channel broke off"
NO_ANSWER = "no answer in time"
REFUSED = "the channel cannot be reached or refused the message"
UNUSABLE = "no apprise address: check QPK_NOTIFY_URLS"


def channel_of(url: str) -> str:
    """Return the name that stands for an address: a prefix of its SHA-256."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way, with its row in the outbox."""

    row: int
    language: str
    title: str
    body: str


class Courier(threading.Thread):
    """Hands over the messages of one channel in their order, and stops at the first that fails.

    A daemon: a channel that hangs cannot keep the process alive. An exception ends the thread and
    nothing else, so no foreign error reaches a run.

    Attributes
    ----------
    delivered : list of int
        Rows that the channel has taken; grows while the thread runs.
    error : str
        Why it stopped before the end; empty when it did not.
    """

    def __init__(self, url: str, parcels: Sequence[Parcel]) -> None:
        super().__init__(name=f"notify-{channel_of(url)}", daemon=True)
        self.parcels = tuple(parcels)
        self.delivered: list[int] = []
        self.error = BROKEN  # until the end is reached
        self._url = url
        self._recalled = threading.Event()

    def recall(self) -> None:
        """Begin no further message; the one under way may still arrive."""
        self._recalled.set()

    def run(self) -> None:
        """Deliver until the end, a failure or the recall."""
        self.error = self._deliver()

    def _deliver(self) -> str:
        import apprise  # the first message pays for it, not the start of a service

        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        asset = apprise.AppriseAsset(app_id="quant-platform-kit", async_mode=False)
        plugin = apprise.Apprise.instantiate(self._url, asset=asset)
        if plugin is None:
            return UNUSABLE
        channel = apprise.Apprise(asset=asset)
        channel.add(plugin)
        for parcel in self.parcels:
            if self.delivered and self._recalled.is_set():
                return NO_ANSWER
            for title, body in _parts(parcel, plugin.body_maxlen):
                if not channel.notify(title=title, body=body, body_format="text"):
                    return REFUSED
            self.delivered.append(parcel.row)
        return ""


def _parts(parcel: Parcel, limit: int) -> list[tuple[str, str]]:
    room = max(1, limit - len(parcel.title) - _PART_ROOM)
    bodies = _bodies(parcel.body, room)
    if len(bodies) == 1:
        return [(parcel.title, bodies[0])]
    return [
        (f"{parcel.title} {_number(parcel.language, number, len(bodies))}", body)
        for number, body in enumerate(bodies, start=1)
    ]


def _bodies(body: str, room: int) -> tuple[str, ...]:
    """Cut a body that is too long; what programs read is a part of its own, whole if it can be."""
    if len(body) <= room:
        return (body,)
    prose, block = part(body)
    return split(prose, room) + split(block, room)


def _number(language: str, number: int, count: int) -> str:
    return Message.PART.text(language, number=number, count=count)
