"""Prices, sleeves and contexts for profiles, and the switch that rewrites golden files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Decision,
    FeatureRow,
    FeatureSnapshot,
    SnapshotManifest,
)
from quant_platform_kit.market import BarFrame, ExchangeCalendar, xnys
from quant_platform_kit.strategy import SleeveView, StrategyConfig, StrategyContext
from tests.ranked import SAFE_HAVEN, Ranking


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden decisions anew instead of comparing with them",
    )


@pytest.fixture
def check_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a golden file byte for byte, or write it with ``--update-golden``."""
    folder = Path(__file__).parent / "golden"

    def check(name: str, text: str) -> None:
        file = folder / name
        if request.config.getoption("--update-golden"):
            file.write_bytes(text.encode())
        assert text.encode() == file.read_bytes(), (
            f"{name} differs; when the change is meant, run pytest with --update-golden"
        )

    return check


@pytest.fixture(scope="session")
def calendar() -> ExchangeCalendar:
    return xnys()


@pytest.fixture(scope="session")
def daily(calendar: ExchangeCalendar) -> Callable[..., BarFrame]:
    """Make a frame from closes, the last one being of session `last`.

    With a `spread` it has highs and lows, that far from each close.
    """

    def make(
        symbol: str, closes: Sequence[float], last: date, *, spread: float | None = None
    ) -> BarFrame:
        first = calendar.offset(last, 1 - len(closes))
        return BarFrame(
            symbol=symbol,
            sessions=calendar.sessions(first, last),
            close=closes,
            high=None if spread is None else [close + spread for close in closes],
            low=None if spread is None else [close - spread for close in closes],
            adjustment=Adjustment.TOTAL_RETURN,
        )

    return make


@pytest.fixture(scope="session")
def monthly(calendar: ExchangeCalendar) -> Callable[..., BarFrame]:
    """Make a frame whose close is one level throughout each month, the newest level last."""

    def make(symbol: str, levels: Sequence[float], last: date) -> BarFrame:
        newest = last.year * 12 + last.month
        oldest = newest - len(levels) + 1
        first = date((oldest - 1) // 12, (oldest - 1) % 12 + 1, 1)
        sessions = calendar.sessions(first, last)
        closes = [levels[s.year * 12 + s.month - oldest] for s in sessions]
        return BarFrame(
            symbol=symbol, sessions=sessions, close=closes, adjustment=Adjustment.TOTAL_RETURN
        )

    return make


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[..., FeatureSnapshot]:
    """Make the snapshot of a profile that holds `rows`."""

    def make(profile: str, rows: Sequence[FeatureRow], as_of: date) -> FeatureSnapshot:
        features = dict.fromkeys(name for row in rows for name in row.features)
        manifest = SnapshotManifest(
            contract=f"{profile}.v1",
            profile=profile,
            version=f"{as_of}-0123456789ab",
            as_of=as_of,
            snapshot_file="snapshot.csv",
            snapshot_sha256="0" * 64,
            row_count=len(rows),
            columns=("symbol", "sector", *features),
            config_sha256="1" * 64,
            adjustment=Adjustment.TOTAL_RETURN,
            generated_at=datetime.combine(as_of, time(22), UTC),
            code_version="0.1.0",
            sources={},
        )
        return FeatureSnapshot(manifest, tuple(rows))

    return make


@pytest.fixture(scope="session")
def context_of(calendar: ExchangeCalendar) -> Callable[..., StrategyContext]:
    def make(
        config: StrategyConfig,
        session: date,
        history: Iterable[BarFrame] | Mapping[str, BarFrame] = (),
        *,
        snapshot: FeatureSnapshot | None = None,
        held: Iterable[str] = (),
        sleeve: SleeveView | None = None,
    ) -> StrategyContext:
        frames = history if isinstance(history, Mapping) else {f.symbol: f for f in history}
        if sleeve is None:
            sleeve = SleeveView(quantities={symbol: Decimal(10) for symbol in held})
        return StrategyContext(session, calendar, frames, snapshot, sleeve, config)

    return make


@pytest.fixture(scope="session")
def answer_of(
    context_of: Callable[..., StrategyContext], snapshot_of: Callable[..., FeatureSnapshot]
) -> Callable[[Ranking], Callable[..., Decision]]:
    """Return a function that decides on a snapshot of rows, the universe being all in it."""

    def of(ranking: Ranking) -> Callable[..., Decision]:
        module = ranking.module
        roles = {ranking.benchmark, "SPY", SAFE_HAVEN}

        def answer(
            rows: Sequence[FeatureRow],
            *,
            held: Iterable[str] = (),
            equity_usd: str = "100000",
            sleeve: SleeveView | None = None,
            session: date = date(2020, 3, 31),
            as_of: date = date(2020, 3, 30),
            **config: object,
        ) -> Decision:
            universe = [row.symbol for row in rows if row.symbol not in roles]
            settings = module.Config.model_validate({"universe": universe, **config})
            quantities = dict.fromkeys(held, Decimal(10))
            sleeve = sleeve or SleeveView(
                quantities=quantities,
                values_usd=dict.fromkeys(quantities, Decimal(1000)),
                equity_usd=Decimal(equity_usd),
            )
            snapshot = snapshot_of(ranking.profile, rows, as_of)
            decision: Decision = module.decide(
                context_of(settings, session, snapshot=snapshot, sleeve=sleeve)
            )
            return decision

        return answer

    return of
