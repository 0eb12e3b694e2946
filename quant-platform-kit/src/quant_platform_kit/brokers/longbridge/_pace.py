"""No more requests than LongBridge allows: 30 in any 30 seconds, 20 milliseconds apart."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECS: Final = 30.5  # a little more than LongBridge's, which counts when requests arrive

_GAP_SECS: Final = 0.02


class Pace:
    """Lets requests through at once while there is room, and evenly when it becomes scarce.

    The last third of the allowance is spread over the rest of the window, so that no request
    waits longer than a few seconds; used up at once, it would make the next one wait for the
    whole window.

    Parameters
    ----------
    most : int
        Requests in any window; 0 for as many as come.
    now, pause : callable
        A clock that only runs forward, and how to wait.
    """

    def __init__(
        self,
        most: int,
        *,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._most = most
        self._now = now
        self._pause = pause
        self._sent: deque[float] = deque()
        self._not_before = now()

    def wait(self) -> None:
        """Return when the next request may be sent."""
        if not self._most:
            return
        rest = self._not_before - self._now()
        if rest > 0:
            self._pause(rest)
        now = self._now()
        self._sent.append(now)
        while self._sent[0] < now - WINDOW_SECS + _GAP_SECS:  # floats do not add up exactly
            self._sent.popleft()
        self._not_before = now + self._spacing(now)

    def _spacing(self, now: float) -> float:
        free = self._most - len(self._sent)
        if free > self._most // 3:
            return _GAP_SECS
        until_room = self._sent[0] + WINDOW_SECS - now
        return max(_GAP_SECS, until_room / (free + 1))
