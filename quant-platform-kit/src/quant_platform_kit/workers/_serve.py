"""The child's side: what its parent asks, until the parent is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread


def requests(line: Connection[bytes, bytes]) -> Iterator[bytes]:
    """Return the messages that arrive on `line`, in order, for ever.

    When the parent is gone this process ends at once, also in the middle of an answer. A Ctrl-C
    is for the parent, which then ends us.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arrived: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(line, arrived), daemon=True).start()
    return iter(arrived.get, b"")  # no request is empty, so it never ends


def _listen(line: Connection[bytes, bytes], arrived: SimpleQueue[bytes]) -> None:
    # In a thread of its own, so that the end of the parent is noticed during a long answer.
    while True:
        try:
            arrived.put(line.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)
