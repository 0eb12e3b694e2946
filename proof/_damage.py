"""Published snapshots, spoiled: every byte flipped, every length cut, files taken for one another.

Three versions lie in a folder, as `qpk snapshot` publishes them: an older and the current one of a
profile, and one of another profile. Each attempt spoils one file and asks the loader, as a service
does. Either it blocks, with the code that names the cause, or what was spoiled says the very same.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import (
    LATEST_FILE,
    SnapshotSource,
    load_snapshot,
    open_store,
)
from quant_platform_kit.market import load_sample, xnys
from quant_platform_kit.strategy import Strategy, load_catalog
from us_equity_snapshot_pipelines import build_snapshot, choose, publish_release, release

PROFILE: Final = "mega_cap_leader_rotation"
OTHER_PROFILE: Final = "qqq_tech_enhancement"
_OLDER, _CURRENT, _SESSION = date(2013, 1, 31), date(2013, 2, 28), date(2013, 3, 1)
_AT: Final = datetime(2013, 2, 28, 22, tzinfo=UTC)
_STOCKS: Final[Mapping[str, object]] = {
    "universe": ["AAPL", "FB", "GOOG"],
    "benchmark": "IBM",
    "safe_haven": None,
}
_SECTORS: Final = {"AAPL": "Technology", "FB": "Media", "GOOG": "Media"}
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass
class DamageCount:
    """What was tried: how often each code was told, and where another one was due."""

    told: Counter[str] = field(default_factory=Counter)
    harmless: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, other: DamageCount) -> None:
        """Add what another process tried."""
        self.told += other.told
        self.harmless += other.harmless
        self.broken += other.broken


@dataclass(frozen=True)
class Desk:
    """Where the versions lie, and the service that reads them."""

    folder: Path
    elsewhere: Path
    strategy: Strategy
    good: ReasonCode | tuple[str, str] = ("", "")

    @property
    def pointer(self) -> Path:
        """The file that says which version is current."""
        return self.folder / LATEST_FILE

    @property
    def current(self) -> Path:
        """The folder of the current version."""
        return self.folder / str(json.loads(self.pointer.read_bytes())["version"])

    def load(self) -> ReasonCode | tuple[str, str]:
        """Ask as a service does: return the code of a refusal, or which table was let through."""
        need = self.strategy.manifest.snapshot
        if need is None:
            raise TypeError(PROFILE)
        try:
            snapshot = load_snapshot(
                SnapshotSource(self.folder),
                need,
                profile=PROFILE,
                config_sha256=self.strategy.config_sha256,
                session=_SESSION,
                calendar=xnys(),
            )
        except InputError as error:
            return error.code
        return snapshot.manifest.version, snapshot.manifest.snapshot_sha256


@contextmanager
def published() -> Iterator[Desk]:
    """Publish the three versions for the block."""
    with tempfile.TemporaryDirectory() as name:
        desk = Desk(
            Path(name) / "ours",
            Path(name) / "theirs",
            _strategy(PROFILE, {**_STOCKS, "broad_benchmark": "MSFT", "holdings": 2}),
        )
        for day in (_OLDER, _CURRENT):
            _publish(desk.strategy, day, desk.folder)
        _publish(_strategy(OTHER_PROFILE, _STOCKS), _CURRENT, desk.elsewhere)
        yield replace(desk, good=desk.load())


def lines(count: DamageCount) -> tuple[str, ...]:
    """Return the figures as lines."""
    codes = ", ".join(f"{code} {times:,}" for code, times in count.told.most_common())
    tries = count.told.total() + count.harmless
    return (
        f"{tries:,} times a file was not the published one: {codes}",
        f"pointers that say the same with other blanks: {count.harmless:,}",
        f"another answer than was due: {len(count.broken)}",
    )


def spoil_bytes(part: slice) -> DamageCount:
    """Flip a bit of every byte of the current version's files, and cut them there.

    `part` chooses among the places, all files one after the other.
    """
    count = DamageCount()
    with published() as desk:
        files = sorted(desk.current.iterdir())
        every = [(path, place) for path in files for place in range(path.stat().st_size)]
        for path, place in every[part]:
            _spoil(desk, path, place, (path.read_bytes()[place] ^ 1,), count)
    return count


def spoil_pointer(*, every_value: bool) -> DamageCount:
    """Do the same to the pointer; `every_value` gives each byte all others, and not one."""
    count = DamageCount()
    with published() as desk:
        for place, byte in enumerate(desk.pointer.read_bytes()):
            _spoil(desk, desk.pointer, place, range(256) if every_value else (byte ^ 1,), count)
    return count


def exchange_files() -> DamageCount:
    """Put every file in the place of every other one: of the version, the older one, the others."""
    count = DamageCount()
    with published() as desk:
        strangers = [*desk.folder.rglob("*.*"), *desk.elsewhere.rglob("*.*")]
        contents = {path: path.read_bytes() for path in strangers if path.is_file()}
        for path in (*sorted(desk.current.iterdir()), desk.pointer):
            whole = path.read_bytes()
            for stranger, data in contents.items():
                if data == whole:
                    continue
                _try(desk, path, data, f"{stranger.name} as {path.name}", count)
    return count


def verdict_on_pointer(data: bytes, whole: bytes) -> ReasonCode | None:
    """Say what a spoiled pointer has to be called; None when it still says what `whole` does."""
    try:
        fields = json.loads(data)
    except ValueError:
        return ReasonCode.SNAPSHOT_UNREADABLE
    true = json.loads(whole)
    if not isinstance(fields, dict) or fields.keys() != true.keys():
        return ReasonCode.SNAPSHOT_UNREADABLE
    version, manifest_sha256 = fields["version"], fields["manifest_sha256"]
    if not _FOLDER_NAME.fullmatch(version) or not _HASH.fullmatch(manifest_sha256):
        return ReasonCode.SNAPSHOT_UNREADABLE
    if version != true["version"]:
        return ReasonCode.SNAPSHOT_MISSING
    return None if fields == true else ReasonCode.SNAPSHOT_HASH


def _spoil(desk: Desk, path: Path, place: int, values: Iterable[int], count: DamageCount) -> None:
    whole = path.read_bytes()
    what = f"{path.name}, byte {place} of {len(whole)}"
    for value in values:
        if value != whole[place]:
            data = whole[:place] + bytes([value]) + whole[place + 1 :]
            _try(desk, path, data, f"{what} is {value}", count)
    _try(desk, path, whole[:place], f"{what} and all after it are gone", count)


def _try(desk: Desk, path: Path, data: bytes, what: str, count: DamageCount) -> None:
    """Put `data` in the place of a file, ask, and put the file back."""
    whole = path.read_bytes()
    due: ReasonCode | None = ReasonCode.SNAPSHOT_HASH
    if path == desk.pointer:
        due = verdict_on_pointer(data, whole)
    path.write_bytes(data)
    answer = desk.load()
    path.write_bytes(whole)
    if answer != (desk.good if due is None else due):
        count.broken.append(f"{what}: {answer}, and {due or 'the same table'} was due")
    elif isinstance(answer, ReasonCode):
        count.told[answer.value] += 1
    else:
        count.harmless += 1


def _strategy(profile: str, config: Mapping[str, object]) -> Strategy:
    found = load_catalog().find(profile)
    return found.configured(found.module.Config.model_validate(config))


def _publish(strategy: Strategy, day: date, folder: Path) -> None:
    built = build_snapshot(strategy, load_sample(Adjustment.RAW), _SECTORS, day)
    choice = choose(strategy, built, xnys())
    made = release(built, generated_at=_AT, code_version="0.1.0", choice=choice)
    publish_release(open_store(folder), made)
