"""Try everything and write docs/reliability.md: ``python -m proof [--long]``.

``python -m proof PART [--long]`` runs one part and writes nothing, unless told to ``--record`` its
figures. ``python -m proof simulate --seed N --trace`` replays one schedule byte for byte,
``python -m proof crash --case LEGS:FAULT:NTH:MOMENT`` one crash, and
``python -m proof wires --case BROKER:FAULT:OCCASION:NTH`` one fault of a wire.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from proof import _crash, _damage, _kill, _publishing, _report, _simulate, _wire_matrix
from proof._account import Ground
from proof._spread import be_quiet, end_politely, show, spread
from proof._wire_cases import WireCase, cases
from proof._wires import Tried, try_case, try_cases

_SCHEDULES: Final = {False: 2_000, True: 100_000}  # in the short form and in the long one
_KILLS: Final = {False: 10, True: 50}
_SEEDS_A_PIECE: Final = 25
_WIRES_A_PIECE: Final = 4
_PUBLISHINGS: Final = {False: 1_000, True: 50_000}
_PUBLISHINGS_A_PIECE: Final = 100
_DAMAGES: Final = {False: 61, True: 1}  # one byte in so many
_DAMAGE_PIECES: Final = 16
_WIRES_A_CORE: Final = 3  # most of the time they wait for an answer
DATABASES: Final = ("SQLite", "PostgreSQL")

Table = list[list[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a part found: its figures as lines, what it broke, and perhaps a table."""

    figures: list[str]
    broken: list[str]
    table: Table = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for; return the exit code, 1 when an invariant was broken."""
    asked = _parser().parse_args(arguments)
    be_quiet()
    end_politely()
    if asked.case is not None:
        return _try_again(asked)
    if asked.seed is not None:
        return _replay(asked.seed, long=asked.long, trace=asked.trace)
    chosen = [asked.part] if asked.part else list(_PARTS)
    return max([_try(name, asked, record=asked.record or not asked.part) for name in chosen])


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
    work = partial(_kill.kill_service, times, progress=show)
    return sorted(spread(work, chosen, "kill -9"), key=lambda c: DATABASES.index(c.database))


def wires(*, long: bool) -> list[Tried]:
    """Try faults of the wires, several at once on every core."""
    chosen = cases(long=long)
    size = _WIRES_A_PIECE
    pieces = [chosen[n : n + size] for n in range(0, len(chosen), size)]
    found = spread(try_cases, pieces, "faults of the wires", per_core=_WIRES_A_CORE)
    return [tried for piece in found for tried in piece]


def damage(*, long: bool) -> _damage.DamageCount:
    """Spoil what is published on every core."""
    total = _damage.spoil_pointer(every_value=long)
    total.add(_damage.exchange_files())
    step = _DAMAGES[long] * _DAMAGE_PIECES
    pieces = [slice(step * n // _DAMAGE_PIECES, None, step) for n in range(_DAMAGE_PIECES)]
    for count in spread(_damage.spoil_bytes, pieces, "damage"):
        total.add(count)
    return total


def publishing(*, long: bool) -> _publishing.PublishingCount:
    """Publish and read in any order on every core."""
    total = _publishing.PublishingCount()
    size = _PUBLISHINGS_A_PIECE
    pieces = [range(n, n + size) for n in range(0, _PUBLISHINGS[long], size)]
    for count in spread(_publishing.publish_in_any_order, pieces, "publishing"):
        total.add(count)
    return total


def _try_again(asked: argparse.Namespace) -> int:
    if asked.part == "wires":
        tried = try_case(asked.case)
        print(f"{tried.case}: {tried.outcome}, then {tried.ending}; it struck: {tried.struck}")
        return _tell((), _wire_matrix.broken([tried]))
    count = _crash.try_case(asked.case)
    return _tell(_crash.lines(count), count.broken)


def _try(name: str, asked: argparse.Namespace, *, record: bool) -> int:
    title, work, command = _PARTS[name]
    began = time.monotonic()
    found = work(asked)
    seconds = time.monotonic() - began
    print(f"{title} ({seconds:.0f} s)")
    failed = _tell((f"  {line}" for line in found.figures), found.broken)
    if record:
        told = (title, command(asked), found.figures, seconds)
        part = _report.Part.now(*told, long=asked.long, table=found.table)
        document = _report.record(part)
        print(f"wrote {document.parent.name}/{document.name}", flush=True)
    return failed


def _crashes(asked: argparse.Namespace) -> Found:
    count = crash(long=asked.long)
    return Found(list(_crash.lines(count)), count.broken)


def _simulation(asked: argparse.Namespace) -> Found:
    count = simulate(_seeds(asked), asked.first, long=asked.long)
    return Found(list(_simulate.lines(count)), count.broken)


def _kills(asked: argparse.Namespace) -> Found:
    counts = kill(_times(asked), asked.database)
    figures = [line for count in counts for line in _kill.lines(count)]
    return Found(figures, [line for count in counts for line in count.broken])


def _wires(asked: argparse.Namespace) -> Found:
    tried = wires(long=asked.long)
    table = _wire_matrix.table(tried) if asked.long else []  # a sample would be mostly gaps
    return Found(list(_wire_matrix.lines(tried)), _wire_matrix.broken(tried), table)


def _snapshots(asked: argparse.Namespace) -> Found:
    spoiled, published = damage(long=asked.long), publishing(long=asked.long)
    figures = [*_damage.lines(spoiled), *_publishing.lines(published)]
    return Found(figures, [*spoiled.broken, *published.broken])


def _seeds(asked: argparse.Namespace) -> int:
    return int(asked.seeds or _SCHEDULES[asked.long])


def _times(asked: argparse.Namespace) -> int:
    return int(asked.times or _KILLS[asked.long])


def _crash_command(asked: argparse.Namespace) -> str:
    return f"python -m proof crash{_deep(asked)}"


def _simulate_command(asked: argparse.Namespace) -> str:
    first = f" --first {asked.first}" if asked.first else ""
    return f"python -m proof simulate --seeds {_seeds(asked)}{first}{_deep(asked)}"


def _kill_command(asked: argparse.Namespace) -> str:
    only = f" --database {asked.database}" if asked.database else ""
    return f"python -m proof kill --times {_times(asked)}{only}"


def _wires_command(asked: argparse.Namespace) -> str:
    return f"python -m proof wires{_deep(asked)}"


def _snapshots_command(asked: argparse.Namespace) -> str:
    return f"python -m proof snapshots{_deep(asked)}"


def _deep(asked: argparse.Namespace) -> str:
    return " --long" if asked.long else ""


_Work = Callable[[argparse.Namespace], Found]
_Command = Callable[[argparse.Namespace], str]
_PARTS: Final[dict[str, tuple[str, _Work, _Command]]] = {
    "crash": ("Crash enumeration", _crashes, _crash_command),
    "simulate": ("Simulation", _simulation, _simulate_command),
    "kill": ("kill -9 of the service", _kills, _kill_command),
    "wires": ("Faults of the wires", _wires, _wires_command),
    "snapshots": ("Published snapshots", _snapshots, _snapshots_command),
}


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
    return int(bool(schedule.broken))


def _tell(figures: Iterable[str], broken: Sequence[str]) -> int:
    show("")
    for line in figures:
        print(line, flush=True)
    for line in broken:
        print(f"BROKEN {line}", file=sys.stderr, flush=True)
    return int(bool(broken))


def _case(text: str) -> _crash.CrashCase | WireCase:
    return _crash.CrashCase.parse(text) if text[:1].isdecimal() else WireCase.parse(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    add = parser.add_argument
    add("part", nargs="?", choices=tuple(_PARTS))
    add("--long", action="store_true", help="the deep form; longer schedules")
    add("--record", action="store_true", help="put the figures of a part into the page, too")
    add(
        "--case",
        type=_case,
        help="crash, wires: try LEGS:FAULT:NTH:MOMENT again, or BROKER:FAULT:OCCASION:NTH",
    )
    add("--seeds", type=int, help="simulate: how many (2,000; 100,000 with --long)")
    add("--first", type=int, default=0, help="simulate: the first seed")
    add("--seed", type=int, help="simulate: replay this one")
    add("--trace", action="store_true", help="simulate: show every step of --seed")
    add("--times", type=int, help="kill: how often (10; 50 with --long)")
    add("--database", choices=DATABASES, help="kill: only this one")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
