"""Publishers, readers, retention and a person on one store, at random, some killed: by seed.

Everybody is a thread that waits before each call of the store until the schedule picks it, so a
seed is one order of all calls. A publisher may be killed before a call, or after it; then another
one goes on in its place. What is watched after every call:

- an object but the pointer never changes, and only retention removes one;
- the pointer never goes to an older date, unless a person told it to;
- a reader gets one of the versions that were made, whole, which was current at some time since it
  began to read; or it is told that there is none.

In the end the pointer names a whole version, one publication more gets through, and what retention
leaves is the versions that it promises.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, partial
from typing import Any, Final

from quant_platform_kit.contracts import Adjustment, FeatureRow
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import LATEST_FILE, SNAPSHOT_FILE, StoredObject, decode_features
from quant_platform_kit.market import SimulatedClock
from us_equity_snapshot_pipelines import (
    BuiltSnapshot,
    Release,
    publish_release,
    read_version,
    release,
    use_version,
    versions,
)

_CLOCK: Final = SimulatedClock(datetime(2020, 4, 1, tzinfo=UTC))
_DAYS: Final = (date(2020, 1, 31), date(2020, 2, 28), date(2020, 3, 31))
_COLUMNS: Final = ("symbol", "sector", "price_date", "eligible", "mom_6_1")
_DEATHS: Final = 0.04  # a call


class KilledError(Exception):
    """The process is gone."""


@dataclass
class PublishingCount:
    """What schedules did, and what they broke."""

    schedules: int = 0
    calls: int = 0
    deaths: int = 0
    reads: int = 0
    told: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: PublishingCount) -> None:
        """Add what another process did."""
        self.schedules += other.schedules
        self.calls += other.calls
        self.deaths += other.deaths
        self.reads += other.reads
        self.told += other.told
        self.broken += other.broken


class Shelf:
    """A store in memory, with the promises of a bucket: each call happens at once and whole."""

    def __init__(self) -> None:
        self.objects: dict[str, StoredObject] = {}
        self._generation = 0

    def where(self, name: str = "") -> str:
        return f"shelf/{name}"

    def read(self, name: str) -> StoredObject | None:
        return self.objects.get(name)

    def create(self, name: str, data: bytes) -> bool:
        return self.replace(name, data, None)

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        present = self.objects.get(name)
        if (present.generation if present else None) != generation:
            return False
        self._generation += 1
        self.objects[name] = StoredObject(data, str(self._generation))
        return True

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.objects))

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)

    def sweep(self, before: datetime) -> int:
        del before
        return 0


class Actor(threading.Thread):
    """Somebody who uses the shelf, one call at a time, when it is their turn."""

    def __init__(self, shelf: Shelf, name: str, work: Callable[[Any], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.call = ""
        self.dies: str = ""
        self.failure: Exception | None = None
        self._shelf, self._work = shelf, work
        self._turn, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def run(self) -> None:
        """Work until it is done, or killed."""
        try:
            self._work(self)
        except KilledError:
            pass
        except Exception as error:  # noqa: BLE001 (a finding, told with its seed)
            self.failure = error
        self.call = ""
        self._done.release()

    def meet(self) -> None:
        """Start, and wait for the first call."""
        self.start()
        self._done.acquire()

    def go(self, dies: str = "") -> None:
        """Let one call happen, and wait for the next one; `dies` is before it, or after it."""
        self.dies = dies
        self._turn.release()
        self._done.acquire()

    def _at_my_turn(self, call: str, happen: Callable[[], Any]) -> Any:  # noqa: ANN401 (its answer)
        self.call = call
        self._done.release()
        self._turn.acquire()
        if self.dies == "before":
            raise KilledError
        answer = happen()
        if self.dies == "after":
            raise KilledError
        return answer

    def where(self, name: str = "") -> str:
        return self._shelf.where(name)

    def read(self, name: str) -> StoredObject | None:
        found: StoredObject | None = self._at_my_turn(
            f"read {name}", partial(self._shelf.read, name)
        )
        return found

    def create(self, name: str, data: bytes) -> bool:
        return bool(self._at_my_turn(f"create {name}", partial(self._shelf.create, name, data)))

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        happen = partial(self._shelf.replace, name, data, generation)
        return bool(self._at_my_turn(f"replace {name}", happen))

    def names(self) -> tuple[str, ...]:
        found: tuple[str, ...] = self._at_my_turn("names", self._shelf.names)
        return found

    def delete(self, name: str) -> None:
        self._at_my_turn(f"delete {name}", partial(self._shelf.delete, name))

    def sweep(self, before: datetime) -> int:
        return self._shelf.sweep(before)


@dataclass
class Watch:
    """What was seen of the shelf, and what went wrong with it."""

    shelf: Shelf
    seed: int
    broken: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    current: list[str] = field(default_factory=lambda: [""])
    others: bool = True  # whether anybody but readers is still at work

    def look(self, actor: Actor, call: str) -> None:
        """Compare the shelf with what it was before `call`."""
        present = {name: found.data for name, found in self.shelf.objects.items()}
        for name, data in self.objects.items():
            if name == LATEST_FILE:
                continue
            if name not in present and not call.startswith("delete"):
                self.tell(f"{call} removed {name}")
            if present.get(name, data) != data:
                self.tell(f"{call} changed {name}")
        before, now = self.current[-1], pointed_at(self.shelf)
        if now != before:
            undone = now in self.current[-2:]  # by who moved it and then saw the version go
            if now[:10] < before[:10] and actor.name != "person" and not undone:
                self.tell(f"{actor.name} took the pointer from {before} back to {now}")
            self.current.append(now)
        self.objects = present

    def tell(self, what: str) -> None:
        """Note a broken invariant."""
        self.broken.append(f"seed {self.seed}: {what}")


def lines(count: PublishingCount) -> tuple[str, ...]:
    """Return the figures as lines."""
    return (
        f"{count.schedules:,} schedules, {count.calls:,} calls, {count.deaths:,} deaths",
        f"{count.reads:,} versions read, whole, and current meanwhile",
        f"{count.told['SNAPSHOT_CONFLICT']:,} told that another one came before them",
        f"{len(count.broken)} broken invariants",
    )


def publish_in_any_order(seeds: Iterable[int]) -> PublishingCount:
    """Play a schedule for each of `seeds`."""
    total = PublishingCount()
    for seed in seeds:
        total.add(play(seed))
    return total


def play(seed: int) -> PublishingCount:
    """Play one schedule."""
    chance = random.Random(seed)  # noqa: S311 (a schedule, and no secret)
    shelf = Shelf()
    watch = Watch(shelf, seed)
    count = PublishingCount(schedules=1)
    jobs = [
        Job(
            sorted(chance.choices(_editions(), k=chance.randint(1, 4))),
            number,
            chance.choice((None, 2, 2, 3)),
        )
        for number in range(chance.randint(2, 3))
    ]
    actors = [
        Actor(shelf, f"publisher {job.number}", partial(_publish, job, count)) for job in jobs
    ]
    actors += [
        Actor(shelf, f"reader {n}", partial(_read, watch, count))
        for n in range(chance.randint(1, 2))
    ]
    where = [chance.random() ** 2 for _ in range(chance.choice((0, 4, 12)))]  # old ones more often
    actors.append(Actor(shelf, "person", partial(_go_back, where, count)))
    for actor in actors:
        actor.meet()
    while waiting := [actor for actor in actors if actor.call]:
        watch.others = any(not each.name.startswith("reader") for each in waiting)
        actor = chance.choice(waiting)
        call = actor.call
        dies = ""
        if actor.name.startswith("publisher") and chance.random() < _DEATHS:
            dies = chance.choice(("before", "after"))
            count.deaths += 1
        actor.go(dies)
        count.calls += 1
        watch.look(actor, call)
        if dies:
            number = int(actor.name.split()[1])
            actors.append(Actor(shelf, actor.name, partial(_publish, jobs[number], count)))
            actors[-1].meet()
    for actor in actors:
        actor.join()
        if actor.failure is not None:
            watch.tell(f"{actor.name}: {actor.failure!r}")
    _put_in_order(watch)
    count.broken = watch.broken
    return count


@dataclass(frozen=True)
class Job:
    """What a publisher has to publish, one after the other, and how many versions it keeps."""

    editions: Sequence[tuple[date, int]]
    number: int
    keep: int | None


def _publish(job: Job, count: PublishingCount, store: Actor) -> None:
    for day, variant in job.editions:
        try:
            publish_release(store, _made(day, variant, job.number), keep=job.keep, clock=_CLOCK)
        except InputError as error:
            count.told[error.code.value] += 1
            if error.code not in {ReasonCode.SNAPSHOT_CONFLICT, ReasonCode.SNAPSHOT_FUTURE}:
                raise


def _go_back(places: Iterable[float], count: PublishingCount, store: Actor) -> None:
    for place in places:
        found = versions(store)
        if not found:
            continue
        try:
            use_version(store, found[int(place * len(found))])
        except InputError as error:
            count.told[error.code.value] += 1
            if error.code not in {ReasonCode.SNAPSHOT_CONFLICT, ReasonCode.SNAPSHOT_MISSING}:
                raise


def _read(watch: Watch, count: PublishingCount, store: Actor) -> None:
    while watch.others:
        began = len(watch.current) - 1
        try:
            found = read_version(store)
        except InputError as error:
            if error.code is not ReasonCode.SNAPSHOT_MISSING:
                raise
            continue
        count.reads += 1
        version = found.manifest.version
        if version not in watch.current[began:]:
            watch.tell(f"{store.name} read {version}, and current were {watch.current[began:]}")
        if found.rows != _rows_of(version):
            watch.tell(f"{store.name} read other rows of {version}")


def _put_in_order(watch: Watch) -> None:
    """Look at what is left, publish once more, and see what retention leaves then."""
    shelf = watch.shelf
    current = pointed_at(shelf)
    if current and not is_whole(shelf, current):
        watch.tell(f"the pointer names {current}, which is not whole")
    last = publish_release(shelf, _made(_DAYS[-1], 0, 9), keep=2, clock=_CLOCK).version
    left = versions(shelf)
    if pointed_at(shelf) != last or not is_whole(shelf, last):
        watch.tell(f"the last publication is not current, {pointed_at(shelf)} is")
    if len(set(left) - {last}) > 2:  # as `keep` says
        watch.tell(f"retention left {left}")
    folders = {name.partition("/")[0] for name in shelf.names() if "/" in name}
    if litter := [each for each in folders - set(left) if each < left[0]]:
        watch.tell(f"retention left parts of {litter}")


def pointed_at(shelf: Shelf) -> str:
    """Return the version that the pointer names, blank when there is none."""
    found = shelf.read(LATEST_FILE)
    return "" if found is None else str(json.loads(found.data)["version"])


def is_whole(shelf: Shelf, version: str) -> bool:
    """Tell whether a version is there, every file as its manifest says."""
    try:
        read_version(shelf, version)
    except InputError:
        return False
    return True


def _editions() -> tuple[tuple[date, int], ...]:
    return tuple((day, variant) for day in _DAYS for variant in (0, 1))


@cache
def _made(day: date, variant: int, publisher: int) -> Release:
    rows = tuple(
        FeatureRow(symbol, "Energy", {"eligible": 1.0, "mom_6_1": 0.1 + variant}, day)
        for symbol in ("CVX", "XOM")
    )
    built = BuiltSnapshot(
        contract="proof.v1",
        profile="proof",
        config_sha256="c" * 64,
        config_name="proof",
        as_of=day,
        adjustment=Adjustment.TOTAL_RETURN,
        columns=_COLUMNS,
        rows=rows,
        excluded=(),
        outside=(),
        sources={"prices": "d" * 64},
    )
    at = datetime(day.year, day.month, day.day, 22, publisher, tzinfo=UTC)
    # What is told beside the table differs, so that files of two publishers never fit together.
    return release(
        built, generated_at=at, code_version="0.1.0", findings=[f"made by publisher {publisher}"]
    )


@cache
def _rows_of(version: str) -> tuple[FeatureRow, ...]:
    for day, variant in _editions():
        made = _made(day, variant, 9)
        if made.manifest.version == version:
            return decode_features(made.files[SNAPSHOT_FILE], SNAPSHOT_FILE)[1]
    raise AssertionError(version)
