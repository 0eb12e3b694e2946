"""Real prices: 20 S&P 500 stocks and the index, adjusted closes, read from the skfolio wheel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pytest

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.market import BarFrame, read_wide_closes
from quant_platform_kit.strategy import Strategy, load_catalog
from tests import buckets
from us_equity_snapshot_pipelines import BuiltSnapshot, Release, build_snapshot, release

SECTORS = {
    "Consumer Discretionary": ("BBY", "HD"),
    "Consumer Staples": ("KO", "PEP", "PG", "WMT"),
    "Energy": ("CVX", "RRC", "XOM"),
    "Financials": ("BAC", "JPM"),
    "Health Care": ("JNJ", "LLY", "MRK", "PFE", "UNH"),
    "Industrials": ("GE",),
    "Information Technology": ("AAPL", "AMD", "MSFT"),
}


@pytest.fixture(scope="session")
def price_files() -> tuple[Path, Path]:
    package = find_spec("skfolio")
    assert package is not None
    assert package.submodule_search_locations is not None
    data = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    return data / "sp500_dataset.csv.gz", data / "sp500_index.csv.gz"


@pytest.fixture(scope="session")
def prices(price_files: tuple[Path, Path]) -> Mapping[str, BarFrame]:
    frames: dict[str, BarFrame] = {}
    for path in price_files:
        frames |= read_wide_closes(path, Adjustment.TOTAL_RETURN)
    return MappingProxyType(frames)


@pytest.fixture(scope="session")
def sectors() -> Mapping[str, str]:
    return MappingProxyType(
        {symbol: sector for sector, symbols in SECTORS.items() for symbol in symbols}
    )


@pytest.fixture(scope="session")
def strategy(sectors: Mapping[str, str]) -> Strategy:
    profile = load_catalog().find("russell_1000_multi_factor_defensive")
    config = profile.module.Config.model_validate(
        {
            "universe": sorted(sectors),
            "benchmark": "SP500",
            "safe_haven": None,
            "holdings": 10,
            "name_cap": "0.1",
        }
    )
    return profile.configured(config)


@pytest.fixture(scope="session")
def built(
    strategy: Strategy, prices: Mapping[str, BarFrame], sectors: Mapping[str, str]
) -> BuiltSnapshot:
    return build_snapshot(strategy, prices, sectors, date(2020, 2, 28))


@pytest.fixture(scope="session")
def months(
    strategy: Strategy, prices: Mapping[str, BarFrame], sectors: Mapping[str, str]
) -> list[Release]:
    """Make the versions of five month ends, the last one being 2020-02-28."""
    ends = (date(2019, 10, 31), date(2019, 11, 29), date(2019, 12, 31), date(2020, 1, 31))
    at = datetime(2020, 2, 28, 22, tzinfo=UTC)
    return [
        release(
            build_snapshot(strategy, prices, sectors, day), generated_at=at, code_version="0.1.0"
        )
        for day in (*ends, date(2020, 2, 28))
    ]


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    with buckets.running() as url:
        yield url


@pytest.fixture
def line(emulator: str) -> Iterator[buckets.BadLine]:
    """Stand between the store and the emulator."""
    with buckets.bad_line(emulator) as found, buckets.found_by_clients(found.url):
        yield found


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of an empty store, of each kind in turn."""
    if request.param == "folder":
        yield str(tmp_path / "snapshots")
        return
    url: str = request.getfixturevalue("emulator")
    with buckets.found_by_clients(url):
        yield f"gs://{buckets.new_bucket(url)}/some_profile"
