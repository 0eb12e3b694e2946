"""The month-end panel is what live would have read, however and wherever it is built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode, SettingsError
from quant_platform_kit.inputs import SnapshotSource, load_snapshot, open_store
from quant_platform_kit.market import BarFrame, SimulatedClock, load_sample, xnys
from quant_platform_kit.strategy import Strategy, load_catalog
from us_equity_snapshot_pipelines import (
    Membership,
    PriceHistory,
    Universe,
    build_snapshot,
    choose,
    publish,
    read_version,
    release,
    versions,
)
from us_equity_snapshot_pipelines._history import build_history, month_ends
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._workers import open_workers
from us_equity_snapshot_pipelines._workshop import Workshop

NOW = datetime(2022, 12, 29, 9, tzinfo=UTC)
FIRST, LAST = date(2018, 11, 1), date(2020, 3, 31)


@pytest.fixture(scope="module")
def workshop(
    strategy: Strategy, prices: Mapping[str, BarFrame], sectors: Mapping[str, str]
) -> Workshop:
    return Workshop(
        strategy=strategy,
        recipe=Recipe.of(strategy),
        prices=PriceHistory(prices),
        universe=Universe.of_sectors(sectors),
        calendar=xnys(),
        clock=SimulatedClock(NOW),
    )


@pytest.fixture(scope="module")
def days() -> tuple[date, ...]:
    return month_ends(xnys(), FIRST, LAST)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built_here(
    workshop: Workshop, days: tuple[date, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("history")
    with open_workers(1) as workers:
        build_history(workshop, days, str(folder), workers)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        protocol="tcp://",
    ) as found:
        yield found.scheduler_address


def test_month_ends_are_the_last_sessions(days: tuple[date, ...]) -> None:
    assert days[:3] == (date(2018, 11, 30), date(2018, 12, 31), date(2019, 1, 31))
    assert len(days) == 17


def test_a_version_built_today_for_a_past_date_is_the_one_published_then(
    built_here: Path,
    strategy: Strategy,
    prices: Mapping[str, BarFrame],
    sectors: Mapping[str, str],
    tmp_path: Path,
) -> None:
    day = date(2019, 6, 28)
    known_then = {symbol: frame.until(day) for symbol, frame in prices.items()}
    then = publish(
        tmp_path,
        build_snapshot(strategy, known_then, sectors, day),
        generated_at=datetime(2019, 6, 28, 22, tzinfo=UTC),
        code_version="0.0.9",
    )

    now = read_version(open_store(built_here), then.version).manifest

    assert now.snapshot_sha256 == then.snapshot_sha256
    assert now.sources == then.sources


def test_a_backtest_reads_what_was_current_when_its_session_began(
    built_here: Path, strategy: Strategy
) -> None:
    need = strategy.manifest.snapshot
    assert need is not None

    def as_of(session: date) -> date:
        return load_snapshot(
            SnapshotSource(built_here, is_history=True),
            need,
            profile=strategy.manifest.profile,
            config_sha256=strategy.config_sha256,
            session=session,
            calendar=xnys(),
        ).manifest.as_of

    assert as_of(date(2019, 6, 28)) == date(2019, 5, 31)
    assert as_of(date(2019, 7, 1)) == date(2019, 6, 28)
    with pytest.raises(InputError, match="of a session before 2018-11-30") as refusal:
        as_of(date(2018, 11, 30))
    assert refusal.value.code is ReasonCode.SNAPSHOT_MISSING
    with pytest.raises(InputError) as refusal:
        as_of(date(2020, 6, 30))
    assert refusal.value.code is ReasonCode.SNAPSHOT_STALE


def test_a_changed_version_of_a_history_blocks_and_says_what_it_was_held_against(
    workshop: Workshop, strategy: Strategy, days: tuple[date, ...], tmp_path: Path
) -> None:
    with open_workers(1) as workers:
        made = build_history(workshop, days[:1], str(tmp_path), workers)
    manifest = tmp_path / made.versions[0].version / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.1.0", b"0.2.0"))
    need = strategy.manifest.snapshot
    assert need is not None

    with pytest.raises(InputError, match=r"not the file that history\.json describes") as refusal:
        load_snapshot(
            SnapshotSource(tmp_path, is_history=True),
            need,
            profile=strategy.manifest.profile,
            config_sha256=strategy.config_sha256,
            session=xnys().offset(days[0], 1),
            calendar=xnys(),
        )

    assert refusal.value.code is ReasonCode.SNAPSHOT_HASH


def test_the_current_version_of_the_place_stays_current(built_here: Path) -> None:
    assert "latest.json" not in open_store(built_here).names()
    assert len(versions(open_store(built_here))) == 17


def test_processes_make_the_same_bytes(
    workshop: Workshop, days: tuple[date, ...], built_here: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    with open_workers(2) as workers:
        build_history(
            workshop, days, str(tmp_path), workers, progress=lambda *done: told.append(done)
        )

    assert content(tmp_path) == content(built_here)
    assert told[-1] == (17, 17)
    assert len(told) == 3


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_cluster_makes_the_same_bytes(
    workshop: Workshop, days: tuple[date, ...], built_here: Path, tmp_path: Path, cluster: str
) -> None:
    with open_workers(scheduler=cluster) as workers:
        build_history(workshop, days, str(tmp_path), workers)

    assert content(tmp_path) == content(built_here)


def test_what_was_finished_is_not_made_again(
    workshop: Workshop, days: tuple[date, ...], tmp_path: Path
) -> None:
    with open_workers(1) as workers:
        build_history(workshop, days[:2], str(tmp_path), workers)
        before = content(tmp_path)
        later = replace(workshop, clock=SimulatedClock(NOW.replace(hour=10)))
        build_history(later, days[:2], str(tmp_path), workers)

    assert content(tmp_path) == before


def test_a_version_that_was_removed_since_is_made_again(
    workshop: Workshop, days: tuple[date, ...], tmp_path: Path
) -> None:
    with open_workers(1) as workers:
        made = build_history(workshop, days[:2], str(tmp_path), workers)
        before = content(tmp_path)
        shutil.rmtree(tmp_path / made.versions[0].version)
        build_history(workshop, days[:2], str(tmp_path), workers)

    assert content(tmp_path) == before


def test_other_prices_are_other_versions(
    workshop: Workshop, days: tuple[date, ...], tmp_path: Path
) -> None:
    frame = workshop.prices.frames["KO"]
    moved = frame.close.copy()
    moved[frame.sessions.index(date(2018, 10, 1))] *= 1.01
    other = BarFrame(symbol="KO", sessions=frame.days, close=moved, adjustment=frame.adjustment)
    spoiled = replace(workshop, prices=PriceHistory({**workshop.prices.frames, "KO": other}))
    with open_workers(1) as workers:
        first = build_history(workshop, days[:1], str(tmp_path), workers)
        second = build_history(spoiled, days[:1], str(tmp_path), workers)

    assert first.versions[0].as_of == second.versions[0].as_of
    assert first.versions[0].version != second.versions[0].version
    assert len(versions(open_store(tmp_path))) == 2


def test_no_month_end_is_no_history() -> None:
    with pytest.raises(InputError, match="No month ends from 2020-03-02 to 2020-03-30"):
        month_ends(xnys(), date(2020, 3, 2), date(2020, 3, 30))


def test_a_scheduler_that_is_not_there_is_a_setting_error() -> None:
    def go() -> Any:  # noqa: ANN401 (never returns)
        with open_workers(scheduler="not-an-address:::"):
            raise AssertionError

    with pytest.raises(SettingsError, match="No Dask scheduler answers"):
        go()


# ── Card A21: nothing later than its date is in a decision ─────────────────────────────

_SAMPLE = {"universe": ["AAPL", "FB", "GOOG"], "benchmark": "IBM", "safe_haven": None}
_PROFILES: dict[str, dict[str, Any]] = {
    "mega_cap_leader_rotation": {**_SAMPLE, "broad_benchmark": "MSFT"},
    "qqq_tech_enhancement": _SAMPLE,
    "russell_1000_multi_factor_defensive": _SAMPLE,
}


def test_a21_every_snapshot_backed_profile_is_tried() -> None:
    found = load_catalog().profiles
    backed = {name for name, profile in found.items() if profile.manifest.snapshot is not None}

    assert backed == set(_PROFILES)


@pytest.mark.parametrize("profile", _PROFILES)
@pytest.mark.parametrize("day", [date(2005, 12, 30), date(2009, 3, 31), date(2012, 11, 30)])
def test_a21_what_comes_after_its_date_changes_neither_a_version_nor_a_decision(
    profile: str, day: date
) -> None:
    found = load_catalog().find(profile)
    strategy = found.configured(found.module.Config.model_validate(_PROFILES[profile]))
    sample = load_sample(Adjustment.TOTAL_RETURN)
    listed = Universe(
        [
            Membership("AAPL", "Technology", date(2000, 3, 1)),
            Membership("FB", "Media", date(2012, 5, 18)),
            Membership("GOOG", "Media", date(2004, 8, 19)),
        ]
    )
    left_later = Universe(
        [
            Membership("AAPL", "Technology", date(2000, 3, 1), date(2012, 12, 31)),
            Membership("FB", "Media", date(2012, 5, 18)),
            Membership("GOOG", "Media", date(2004, 8, 19), date(2012, 12, 31)),
            Membership("GOOG", "Technology", date(2013, 1, 2)),
        ]
    )
    other_future = {symbol: moved_after(frame, day) for symbol, frame in sample.items()}
    truncated = {symbol: frame.until(day) for symbol, frame in sample.items()}

    made = []
    for prices, universe in ((sample, listed), (truncated, listed), (other_future, left_later)):
        built = build_snapshot(strategy, prices, universe, day)
        choice = choose(strategy, built, xnys())
        made.append(release(built, generated_at=NOW, code_version="0.1.0", choice=choice))

    assert made[0].manifest == made[1].manifest == made[2].manifest
    assert made[0].files == made[1].files == made[2].files


def moved_after(frame: BarFrame, day: date) -> BarFrame:
    later = frame.days > np.datetime64(day)
    volume = frame.volume
    assert volume is not None
    return BarFrame(
        symbol=frame.symbol,
        sessions=frame.days,
        close=np.where(later, 3 * frame.close, frame.close),
        volume=np.where(later, 7 * volume, volume),
        adjustment=frame.adjustment,
    )
