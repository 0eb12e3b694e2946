"""The month-end panel: what a service would have read after each month, as versions of a store.

The sessions are cut into partitions of a calendar year. A partition carries the prices that its
sessions need and nothing else, and a worker makes its versions whole; so the same versions come of
one process, of many, and of a cluster. A partition that was finished leaves a note in the store,
and is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

import numpy as np

import us_equity_snapshot_pipelines as package
from quant_platform_kit.contracts import digest
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    HISTORY_FILE,
    MANIFEST_FILE,
    ObjectStore,
    PastVersion,
    SnapshotHistory,
    decode_document,
    encode_document,
    open_store,
    read_history,
)
from quant_platform_kit.market import ExchangeCalendar, xnys
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines._build import build_rows, lay_out
from us_equity_snapshot_pipelines._dividends import Dividend, gone_ex
from us_equity_snapshot_pipelines._panel import PricePanel
from us_equity_snapshot_pipelines._publish import store_version
from us_equity_snapshot_pipelines._ranking import choose
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._release import release, sha256
from us_equity_snapshot_pipelines._universe import Universe
from us_equity_snapshot_pipelines._workers import Workers
from us_equity_snapshot_pipelines._workshop import Workshop

_NOTES: Final = "partitions"

Progress = Callable[[int, int], None]
"""Is told how many of how many sessions are done."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The sessions of one year, with everything that their versions are made of."""

    strategy: Strategy
    recipe: Recipe
    universe: Universe
    panel: PricePanel
    dividends: tuple[Dividend, ...]
    days: tuple[date, ...]
    location: str
    generated_at: datetime

    @property
    def note(self) -> str:
        """Name of the note that says it is done; other inputs have another note."""
        what = digest(
            {
                "code": package.__version__,
                "days": self.days,
                "prices": self.panel.fingerprint(),
                "recipe": repr(self.recipe),
                "strays": {s: days.astype(str).tolist() for s, days in self.panel.strays.items()},
                "universe": {
                    day.isoformat(): [sorted(self.universe.members(day)), self._sectors(day)]
                    for day in self.days
                },
            }
        )
        return f"{_NOTES}/{self.days[0].year}-{what[:12]}.json"

    def _sectors(self, day: date) -> dict[str, str]:
        return self.universe.sectors(self.recipe.stocks, day)


def month_ends(calendar: ExchangeCalendar, first: date, last: date) -> tuple[date, ...]:
    """Return the last session of every month from `first` to `last`.

    Raises
    ------
    InputError
        ``HISTORY_MISSING`` when there is none.
    """
    days = calendar.sessions(first, last)
    ends = tuple(day for day in days if calendar.is_last_session_of_month(day))
    if not ends:
        raise InputError(
            f"No month ends from {first} to {last}, so there is no history to build. Give a longer "
            "span.",
            code=ReasonCode.HISTORY_MISSING,
        )
    return ends


def build_history(
    workshop: Workshop,
    days: Sequence[date],
    location: str,
    workers: Workers,
    *,
    progress: Progress | None = None,
) -> SnapshotHistory:
    """Store the version of each of `days` at `location`, and the list that finds them.

    The current version of the location, if it has one, stays current. A version equals the one
    that was published on its day from the same prices: its name is the hash of what it says.

    Parameters
    ----------
    workshop : Workshop
    days : sequence of date
        Sessions, ascending; at least one.
    location : str
    workers : Workers
    progress : callable, optional

    Raises
    ------
    InputError
        As `build_snapshot` and `publish` do; finished partitions stay, and are not made again.
    """
    store = open_store(location)
    found: list[PastVersion] = []
    for entries in workers.run(make_partition, _partitions(workshop, days, location)):
        found += entries
        if progress is not None:
            progress(len(found), len(days))
    return _add(store, found)


def make_partition(task: Partition) -> tuple[PastVersion, ...]:
    """Make and store the versions of one partition, unless its note names them and they are there.

    Versions that no list names yet may have been removed since, as old ones.
    """
    store = open_store(task.location)
    name = task.note  # every price goes into it
    note = store.read(name)
    if note is not None:
        noted = decode_document(SnapshotHistory, note.data, store.where(name)).versions
        if all(_is_there(store, each) for each in noted):
            return noted
    calendar = xnys()
    entries = []
    for day in task.days:
        built = build_rows(task.recipe, task.panel, task.universe, day)
        made = release(
            built,
            generated_at=task.generated_at,
            code_version=package.__version__,
            choice=choose(task.strategy, built, calendar),
            findings=task.recipe.findings,
            dividends=gone_ex(task.dividends, task.panel, day),
        )
        pointer = store_version(store, made).pointer
        entries.append(PastVersion(day, pointer.version, pointer.manifest_sha256))
    versions = tuple(entries)
    _note(store, name, encode_document(SnapshotHistory(versions)))
    return versions


def _note(store: ObjectStore, name: str, data: bytes) -> None:
    if not store.create(name, data):
        stale = store.read(name)
        store.replace(name, data, None if stale is None else stale.generation)


def _is_there(store: ObjectStore, past: PastVersion) -> bool:
    manifest = store.read(f"{past.version}/{MANIFEST_FILE}")
    return manifest is not None and sha256(manifest.data) == past.manifest_sha256


def _partitions(workshop: Workshop, days: Sequence[date], location: str) -> Iterator[Partition]:
    panel = lay_out(workshop.recipe, workshop.prices.frames, days[0], days[-1])
    generated_at = workshop.clock.now()
    for _, year in groupby(days, lambda day: day.year):
        part = tuple(year)
        cut = panel.cut(part[0], part[-1])
        yield Partition(
            strategy=workshop.strategy,
            recipe=workshop.recipe,
            universe=workshop.universe,
            panel=cut,
            dividends=tuple(
                each
                for each in workshop.prices.dividends
                if cut.days[0] < np.datetime64(each.ex_date) <= cut.days[-1]
            ),
            days=part,
            location=location,
            generated_at=generated_at,
        )


def _add(store: ObjectStore, found: Sequence[PastVersion]) -> SnapshotHistory:
    """Bring the list up to date; a session that is listed anew replaces what it had."""
    seen = read_history(store)
    known = {} if seen is None else {each.as_of: each for each in seen[0].versions}
    known |= {each.as_of: each for each in found}
    history = SnapshotHistory(tuple(known[day] for day in sorted(known)))
    data = encode_document(history)
    if seen is not None and seen[0] == history:
        return history
    if not store.replace(HISTORY_FILE, data, None if seen is None else seen[1]):
        raise InputError(
            f"Another build changed {store.where(HISTORY_FILE)} in the meantime. The versions are "
            "stored and not listed. Run it again; what was finished is not made again.",
            code=ReasonCode.SNAPSHOT_CONFLICT,
        )
    return history
