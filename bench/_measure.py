"""What every measurement shares: its result, and timing that treats competitors alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from time import perf_counter


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One row of the table of benchmarks.

    Parameters
    ----------
    what : str
        The workload, in a few words.
    figure : str
        What was measured, with its unit; it belongs to the machine.
    ratio : str
        The same against a peer or a floor, measured in the same run.
    target : str
        What is promised.
    met : bool
        Whether this run kept the promise.
    """

    what: str
    figure: str
    ratio: str
    target: str
    met: bool

    def __str__(self) -> str:
        """Return the row as a line for a terminal."""
        verdict = "met" if self.met else "MISSED"
        return f"{self.what}: {self.figure}, {self.ratio} (target {self.target}: {verdict})"


def interleaved_medians(
    competitors: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, float]:
    """Return the median seconds of each competitor.

    Every round runs each of them once, so that a machine that slows down slows all of them. The
    collector of cyclic garbage is off while the clock runs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for work in competitors.values():
        work()  # warm caches are the same start for everyone
    for _ in range(rounds):
        for name, work in competitors.items():
            seconds[name].append(_seconds(work))
    return {name: median(times) for name, times in seconds.items()}


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = perf_counter()
        work()
        return perf_counter() - start
    finally:
        gc.enable()


def measured(name: str) -> tuple[BenchResult, ...]:
    """Run the benchmark of the module `name` and return its rows."""
    rows = import_module(f"bench.{name}").run()
    return rows if isinstance(rows, tuple) else (rows,)
