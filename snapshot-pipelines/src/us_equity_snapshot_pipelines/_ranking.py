"""What a profile would choose from a snapshot, if it held nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final, cast

from quant_platform_kit.contracts import (
    Decision,
    DecisionOutcome,
    FeatureSnapshot,
    SnapshotManifest,
)
from quant_platform_kit.inputs import SNAPSHOT_FILE
from quant_platform_kit.market import ExchangeCalendar
from quant_platform_kit.strategy import SleeveView, Strategy, StrategyContext
from us_equity_snapshot_pipelines._build import BuiltSnapshot

Scores = Callable[[StrategyContext], Mapping[str, float]]

_NO_HASH: Final = "0" * 64
_CAPITAL_USD: Final = Decimal(1_000_000)  # some profiles ask for a least position in dollars


@dataclass(frozen=True, slots=True)
class Place:
    """One stock's place; `weight` is zero for one that is ranked and not chosen."""

    rank: int
    symbol: str
    sector: str
    score: float | None
    weight: Decimal


@dataclass(frozen=True, slots=True)
class Choice:
    """A ranking, best first; or why the profile would not decide.

    A profile tells its scores, best first, when its module has a function ``scores(context)``; of
    any other one what it chose is listed, in the order of its targets.
    """

    places: tuple[Place, ...]
    refusal: str = ""


def choose(strategy: Strategy, built: BuiltSnapshot, calendar: ExchangeCalendar) -> Choice:
    """Let `strategy` decide on what was built, in the session after it, with an empty sleeve."""
    context = StrategyContext(
        session=calendar.offset(built.as_of, 1),
        calendar=calendar,
        history={},
        snapshot=_unpublished(built),
        sleeve=SleeveView(cash_usd=_CAPITAL_USD, equity_usd=_CAPITAL_USD),
        config=strategy.config,
    )
    answer = strategy.decide(context)
    decision = answer if isinstance(answer, Decision) else asyncio.run(_awaited(answer))
    if decision.outcome is not DecisionOutcome.REBALANCE:
        return Choice((), decision.reason)
    weights = {target.symbol: target.amount for target in decision.targets if target.amount}
    told = _scores(strategy)
    scores = {} if told is None else dict(told(context))
    # Between equal scores the profile's own order stands.
    order = sorted(scores, key=lambda symbol: -scores[symbol])
    order += [symbol for symbol in weights if symbol not in scores]
    sectors = {row.symbol: row.sector for row in built.rows}
    return Choice(
        tuple(
            Place(
                rank,
                symbol,
                sectors.get(symbol, ""),
                scores.get(symbol),
                weights.get(symbol, Decimal(0)),
            )
            for rank, symbol in enumerate(order, start=1)
        )
    )


def _scores(strategy: Strategy) -> Scores | None:
    return cast("Scores | None", getattr(sys.modules.get(strategy.module_name), "scores", None))


async def _awaited(answer: Awaitable[Decision]) -> Decision:
    return await answer


def _unpublished(built: BuiltSnapshot) -> FeatureSnapshot:
    return FeatureSnapshot(
        SnapshotManifest(
            contract=built.contract,
            profile=built.profile,
            version="unnamed",
            as_of=built.as_of,
            snapshot_file=SNAPSHOT_FILE,
            snapshot_sha256=_NO_HASH,
            row_count=len(built.rows),
            columns=built.columns,
            config_sha256=built.config_sha256,
            adjustment=built.adjustment,
            generated_at=datetime.combine(built.as_of, time(), UTC),
            code_version="unnamed",
            sources=built.sources,
        ),
        built.rows,
    )
