"""Worker processes that outlive an evaluation and never their parent."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Sequence
from functools import cache
from multiprocessing.connection import wait
from time import monotonic
from typing import Final

from quant_platform_kit.contracts import Decision
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.strategy._answer import late, read_answer
from quant_platform_kit.workers import READY, Child

_START_SECS: Final = 60.0  # a worker that is not ready by then never will be
_END_SECS: Final = 1.0
_MODULE: Final = "quant_platform_kit.strategy._worker"
# What Python and its libraries run on. A strategy needs no login, and must not be able to tell one.
_VARIABLES: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"}
    | {"PYTHONHASHSEED", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OPENBLAS_NUM_THREADS"}
)


class WorkerPool:
    """Up to `size` processes that ask strategies; started when first needed, then kept.

    Each of them ends when its parent does, however that ends.

    Parameters
    ----------
    size : int, optional
        As many as there are processors to run on, when left out.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = _processors() if size is None else size
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the present workers."""
        return tuple(worker.child.pid for worker in self._workers)

    def run(self, parcels: Sequence[bytes], timeout_secs: float) -> list[Decision | None]:
        """Return the decision on each parcel; None where no worker could be started for it.

        Parameters
        ----------
        parcels : sequence of bytes
            From `_transport.pack`.
        timeout_secs : float
            For each one, from the moment a worker gets it; then its worker is killed.
        """
        with self._lock:
            self._leave_to_parent()
            shift = _Shift(self._workers, parcels, timeout_secs, self.size)
            try:
                shift.work()
            except BaseException:
                self._end()  # nobody is left to read what they may still answer
                raise
            return shift.decisions

    def close(self) -> None:
        """End every worker; a later `run` starts new ones."""
        # At the end of the process another thread may hold the lock; its workers end with us.
        if self._lock.acquire(timeout=_END_SECS):
            try:
                self._leave_to_parent()
                self._end()
            finally:
                self._lock.release()

    def _end(self) -> None:
        while self._workers:
            self._workers.pop().child.end()

    def _leave_to_parent(self) -> None:
        if self._owner != os.getpid():  # we are a fork: these are not our children
            for worker in self._workers:
                worker.line.close()
            self._workers.clear()
            self._owner = os.getpid()


@cache
def shared_pool() -> WorkerPool:
    """Return the pool that this process's evaluations share."""
    pool = WorkerPool()
    atexit.register(pool.close)
    return pool


class _Worker:
    """One process and what it is doing."""

    def __init__(self) -> None:
        self.child = Child(_MODULE, _VARIABLES)
        self.line = self.child.line
        self.is_ready = False
        self.job: int | None = None
        self.deadline = monotonic() + _START_SECS

    def give(self, job: int, parcel: bytes, timeout_secs: float) -> None:
        self.line.send_bytes(parcel)
        self.job = job
        self.deadline = monotonic() + timeout_secs

    def take(self) -> bytes:
        message = self.line.recv_bytes()
        self.job = None
        self.deadline = float("inf")
        return message


class _Shift:
    """One round of parcels through the workers."""

    def __init__(
        self, workers: list[_Worker], parcels: Sequence[bytes], timeout_secs: float, size: int
    ) -> None:
        self.decisions: list[Decision | None] = [None] * len(parcels)
        self._workers = workers
        self._parcels = parcels
        self._timeout_secs = timeout_secs
        self._waiting = deque(range(len(parcels)))
        self._wanted = max(len(workers), min(size, len(parcels)))
        # Every parcel may cost a worker; a machine that kills each of them is another matter.
        self._hires_left = len(parcels) + size

    def work(self) -> None:
        """Go on until every parcel has its decision, or no worker can be had."""
        self._hire()
        while self._workers and (self._waiting or self._busy()):
            self._assign()
            self._listen()
            self._end_late()
            self._hire()

    def _busy(self) -> bool:
        return any(worker.job is not None for worker in self._workers)

    def _hire(self) -> None:
        while len(self._workers) < self._wanted and self._hires_left > 0:
            self._hires_left -= 1
            try:
                self._workers.append(_Worker())
            except OSError:
                self._hires_left = 0

    def _assign(self) -> None:
        for worker in list(self._workers):
            if self._waiting and worker.is_ready and worker.job is None:
                job = self._waiting.popleft()
                try:
                    worker.give(job, self._parcels[job], self._timeout_secs)
                except OSError:  # it ended while it was idle; nothing of the strategy has run
                    self._waiting.appendleft(job)
                    self._dismiss(worker)

    def _listen(self) -> None:
        until = min((worker.deadline for worker in self._workers), default=0.0)
        by_line: dict[object, _Worker] = {worker.line: worker for worker in self._workers}
        seconds = None if until == float("inf") else max(0.0, until - monotonic())
        for line in wait([worker.line for worker in self._workers], seconds):
            self._hear(by_line[line])

    def _hear(self, worker: _Worker) -> None:
        job = worker.job
        try:
            message = worker.take()
        except (EOFError, OSError):
            self._lost(worker)
            return
        if message == READY:
            worker.is_ready = True
        elif job is not None:
            self.decisions[job] = read_answer(message.decode())

    def _lost(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        how = worker.child.ending()
        if worker.job is not None:
            self.decisions[worker.job] = Decision.blocked(
                ReasonCode.STRATEGY_FAILED, f"its process {how}"
            )
        elif not worker.is_ready:
            self._hires_left = 0  # what stops one from starting stops the next one as well

    def _end_late(self) -> None:
        now = monotonic()
        for worker in [worker for worker in self._workers if worker.deadline <= now]:
            if worker.job is not None:
                self.decisions[worker.job] = late(self._timeout_secs)
            elif not worker.is_ready:
                self._hires_left = 0
            self._dismiss(worker)

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.child.end()


def _processors() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # a container may have fewer than its machine
    return (os.cpu_count() or 1) if allowed is None else len(allowed(0))
