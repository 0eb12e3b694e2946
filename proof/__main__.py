"""Try everything and write docs/reliability.md: ``python -m proof [--long]``.

``python -m proof crash|simulate|kill`` runs one part and writes nothing.
``python -m proof simulate --seed N --trace`` replays one schedule byte for byte.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial

from proof import _crash, _kill, _report, _simulate
from proof._account import Ground
from proof._spread import be_quiet, show, spread

_SHORT_SCHEDULES = 2_000
_LONG_SCHEDULES = 100_000
_SHORT_KILLS = 10
_LONG_KILLS = 50
_SEEDS_A_PIECE = 25
DATABASES = ("SQLite", "PostgreSQL")


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for; return the exit code, 1 when an invariant was broken."""
    asked = _parser().parse_args(arguments)
    be_quiet()
    if asked.part == "crash":
        return _tell(_crash.lines(found := crash(long=asked.long)), found.broken)
    if asked.part == "simulate" and asked.seed is not None:
        return _replay(asked.seed, long=asked.long, trace=asked.trace)
    if asked.part == "simulate":
        found_days = simulate(asked.seeds, asked.first, long=asked.long)
        return _tell(_simulate.lines(found_days), found_days.broken)
    if asked.part == "kill":
        return max(_tell(_kill.lines(k), k.broken) for k in kill(asked.times, asked.database))
    return _everything(long=asked.long)


def crash(*, long: bool) -> _crash.CrashCount:
    """Enumerate crashes on every core."""
    total = _crash.CrashCount()
    pieces = sorted(_crash.tasks(long=long), key=lambda task: -task.legs)
    for count in spread(_crash.enumerate_crashes, pieces, "crash enumeration"):
        total.add(count)
    return total


def simulate(schedules: int, first: int = 0, *, long: bool) -> _simulate.SimulationCount:
    """Simulate schedules on every core."""
    total = _simulate.SimulationCount()
    end = first + schedules
    pieces = [range(n, min(n + _SEEDS_A_PIECE, end)) for n in range(first, end, _SEEDS_A_PIECE)]
    days = _simulate.LONG_DAYS if long else _simulate.SHORT_DAYS
    for count in spread(partial(_simulate.simulate_seeds, days=days), pieces, "simulation"):
        total.add(count)
    return total


def kill(times: int, database: str | None = None) -> list[_kill.KillCount]:
    """Kill services on each database, side by side."""
    chosen = DATABASES if database is None else (database,)
    counts = list(spread(partial(_kill.kill_service, times), chosen, "kill -9"))
    return sorted(counts, key=lambda count: DATABASES.index(count.database))


def _everything(*, long: bool) -> int:
    started, failed = time.monotonic(), 0
    parts: list[_report.Part] = []
    for title, try_it in (
        ("Crash enumeration", _crashes),
        ("Simulation", _simulation),
        ("kill -9 of the service", _kills),
    ):
        began = time.monotonic()
        figures, broken = try_it(long=long)
        part = _report.Part(title, tuple(figures), time.monotonic() - began)
        print(f"{title} ({part.seconds:.0f} s)")
        failed |= _tell((f"  {line}" for line in part.figures), broken)
        parts.append(part)
    document = _report.write(parts, long=long, seconds=time.monotonic() - started)
    print(f"wrote {document.parent.name}/{document.name}")
    return failed


def _crashes(*, long: bool) -> tuple[Iterable[str], list[str]]:
    count = crash(long=long)
    return _crash.lines(count), count.broken


def _simulation(*, long: bool) -> tuple[Iterable[str], list[str]]:
    count = simulate(_LONG_SCHEDULES if long else _SHORT_SCHEDULES, long=long)
    return _simulate.lines(count), count.broken


def _kills(*, long: bool) -> tuple[Iterable[str], list[str]]:
    counts = kill(_LONG_KILLS if long else _SHORT_KILLS)
    figures = [line for count in counts for line in _kill.lines(count)]
    return figures, [f"{count.database}: {line}" for count in counts for line in count.broken]


def _replay(seed: int, *, long: bool, trace: bool) -> int:
    ground = Ground()
    try:
        days = _simulate.LONG_DAYS if long else _simulate.SHORT_DAYS
        schedule = _simulate.simulate(ground, seed, days)
    finally:
        ground.close()
    if trace:
        print(*schedule.trace, sep="\n")
    print(f"seed {seed}: {schedule.broken or 'every invariant holds'}")
    print(f"sha256 of the trace and the broker's book: {schedule.sha256}")
    return bool(schedule.broken)


def _tell(figures: Iterable[str], broken: Sequence[str]) -> int:
    show("")
    for line in figures:
        print(line, flush=True)
    for line in broken:
        print(f"BROKEN {line}", file=sys.stderr)
    return bool(broken)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("crash", "simulate", "kill"))
    parser.add_argument("--long", action="store_true", help="the deep form; longer schedules")
    parser.add_argument("--seeds", type=int, default=_SHORT_SCHEDULES, help="simulate: how many")
    parser.add_argument("--first", type=int, default=0, help="simulate: the first seed")
    parser.add_argument("--seed", type=int, help="simulate: replay this one")
    parser.add_argument("--trace", action="store_true", help="simulate: show every step of --seed")
    parser.add_argument("--times", type=int, default=_LONG_KILLS, help="kill: how often")
    parser.add_argument("--database", choices=DATABASES, help="kill: only this one")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
