"""Independent tasks on several processes: of this machine, or of a Dask cluster.

Only a few tasks are under way at a time, so that a partition's data is made when a worker is free
for it, and memory is bounded by the partitions under way, not by their number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from quant_platform_kit.errors import SettingsError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers(Protocol):
    """What runs a task elsewhere."""

    count: int

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the results as they come; the first task that fails ends it."""


@contextmanager
def open_workers(count: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """Open workers for the block: `count` local processes, or those of a Dask scheduler.

    Parameters
    ----------
    count : int, optional
        As many as there are processors, when left out; 1 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``. Its workers need this package
        in the same version, and their own way to the store.

    Raises
    ------
    SettingsError
        When the scheduler does not answer, or Dask is not installed.
    """
    if scheduler is not None:
        with _dask(scheduler) as cluster:
            yield cluster
        return
    count = count or len(os.sched_getaffinity(0))
    if count == 1:
        yield _Here()
        return
    # Started anew, not forked: a fork of a process with threads, as clients have, can stand still.
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield _Processes(pool, count)


class _Here:
    count = 1

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        yield from map(work, tasks)


class _Processes:
    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self._pool = pool
        self.count = count

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        waiting: set[Future[Result]] = set()
        for task in tasks:
            waiting.add(self._pool.submit(work, task))
            if len(waiting) > self.count:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


class _Cluster:
    def __init__(self, client: Any, as_completed: Any) -> None:  # noqa: ANN401 (untyped)
        self._client = client
        self._as_completed = as_completed
        self.count = max(1, sum(client.nthreads().values()))

    def run(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        queue = iter(tasks)
        first = [self._submit(work, task) for task in islice(queue, self.count + 1)]
        waiting = self._as_completed(first)
        for future in waiting:
            yield future.result()
            future.release()
            following = next(queue, None)
            if following is not None:
                waiting.add(self._submit(work, following))

    def _submit(self, work: Callable[[Task], Result], task: Task) -> Any:  # noqa: ANN401 (untyped)
        return self._client.submit(work, task, pure=False)


@contextmanager
def _dask(address: str) -> Iterator[_Cluster]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise SettingsError(
            "--scheduler names a Dask scheduler, and Dask is not installed. Install "
            "us-equity-snapshot-pipelines[dask], or leave --scheduler out."
        ) from error
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"No Dask scheduler answers at {address}: {error}. Start it, or leave --scheduler out."
        ) from error
    with client:
        yield _Cluster(client, distributed.as_completed)
