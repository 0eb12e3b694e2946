"""The profiles that rank a snapshot: rows for their tests, and what was decided on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType, ModuleType

from hypothesis import strategies as st

from quant_platform_kit.contracts import Decision, DecisionOutcome, FeatureRow, TargetMode
from us_equity_strategies import (
    mega_cap_leader_rotation,
    qqq_tech_enhancement,
    russell_1000_multi_factor_defensive,
)

SAFE_HAVEN = "BOXX"


@dataclass(frozen=True, slots=True)
class Ranking:
    """One profile, and rows in which nothing stands out.

    Parameters
    ----------
    module : module
        The profile's own.
    benchmark : str
    neutral : mapping of str to float
        Features of an ordinary row.
    sectors : tuple of str
        What its rows may belong to; the first is the usual one.
    falling : str
        The feature by which `stocks` differ.
    needed : tuple of str
        Features that the benchmark must have.
    drawn : tuple of str
        Features that `snapshots` draws, in [-1, 1].
    name : str
        How `stocks` are called.
    """

    module: ModuleType
    benchmark: str
    neutral: Mapping[str, float]
    sectors: tuple[str, ...]
    falling: str
    needed: tuple[str, ...]
    drawn: tuple[str, ...]
    name: str = "{sector}{index:03d}"

    def __str__(self) -> str:
        """Return the profile's name."""
        return self.profile

    @property
    def profile(self) -> str:
        """The profile's name."""
        return self.module.__name__.rpartition(".")[2]

    def row(self, symbol: str, sector: str | None = None, /, **features: float) -> FeatureRow:
        """Return an ordinary row, but for `features`."""
        chosen = self.sectors[0] if sector is None else sector
        return FeatureRow(symbol, chosen, {**self.neutral, **features})

    def market(self, sma200_gap: float = 0.1, **features: float) -> FeatureRow:
        """Return the row of the benchmark."""
        return self.row(self.benchmark, "", sma200_gap=sma200_gap, **features)

    def stocks(
        self, count: int, sector: str | None = None, *, above: int | None = None
    ) -> list[FeatureRow]:
        """Return stocks of falling momentum, the first `above` of them above their average."""
        chosen = self.sectors[0] if sector is None else sector
        return [
            self.row(
                self.name.format(sector=chosen[:2].upper(), index=index),
                chosen,
                **{
                    self.falling: 1.0 - index / 100,
                    "sma200_gap": 0.1 if above is None or index < above else -0.1,
                },
            )
            for index in range(count)
        ]


@st.composite
def snapshots(draw: st.DrawFn, ranking: Ranking, most: int) -> list[FeatureRow]:
    """Draw the rows of up to `most` stocks, S00 and so on, and of the benchmark."""
    number = st.floats(-1.0, 1.0)
    rows = [
        ranking.row(
            f"S{index:02d}",
            draw(st.sampled_from(ranking.sectors)),
            **{name: draw(number) for name in ranking.drawn},
            vol_63=abs(draw(number)),
        )
        for index in range(draw(st.integers(1, most)))
    ]
    return [ranking.market(draw(number)), *rows]


def weights(decision: Decision) -> dict[str, Decimal]:
    """Return the weights of a decision that must have some."""
    assert decision.outcome is DecisionOutcome.REBALANCE, decision
    assert decision.mode is TargetMode.WEIGHT
    return {target.symbol: target.amount for target in decision.targets}


def chosen(decision: Decision) -> list[str]:
    """Return the stocks of a decision."""
    return [symbol for symbol in weights(decision) if symbol != SAFE_HAVEN]


_ADMITTED = MappingProxyType({"close": 100.0, "adv20_usd": 60e6, "history_days": 500.0})
_YEAR = ("mom_6_1", "mom_12_1", "sma200_gap")

RUSSELL = Ranking(
    russell_1000_multi_factor_defensive,
    benchmark="SPY",
    neutral={
        "mom_6_1": 0.1,
        "mom_12_1": 0.1,
        "sma200_gap": 0.1,
        "vol_63": 0.2,
        "maxdd_126": -0.1,
    },
    sectors=("Tech", "Energy", "Utilities"),
    falling="mom_12_1",
    needed=("sma200_gap",),
    drawn=(*_YEAR, "maxdd_126"),
)
QQQ_TECH = Ranking(
    qqq_tech_enhancement,
    benchmark="QQQ",
    neutral={
        **_ADMITTED,
        **dict.fromkeys((*_YEAR, "sma20_gap", "sma50_gap", "ma50_over_ma200", "rebound_20"), 0.1),
        "vol_63": 0.2,
        "maxdd_126": -0.1,
        "breakout_252": -0.08,
        "dist_63_high": -0.08,
        "dist_126_high": -0.12,
    },
    sectors=("Information Technology", "Communication"),
    falling="mom_12_1",
    needed=_YEAR,
    drawn=(*_YEAR, "rebound_20", "dist_63_high"),
)
MEGA_CAP = Ranking(
    mega_cap_leader_rotation,
    benchmark="QQQ",
    neutral={
        **_ADMITTED,
        **dict.fromkeys(("mom_3m", "mom_6m", "mom_12_1", "sma200_gap"), 0.1),
        "rel_mom_6m_vs_benchmark": 0.1,
        "rel_mom_6m_vs_broad_benchmark": 0.1,
        "high_252_gap": -0.1,
        "vol_63": 0.2,
        "maxdd_126": -0.1,
    },
    sectors=("",),
    falling="mom_6m",
    needed=("sma200_gap",),
    drawn=("mom_3m", "mom_6m", "mom_12_1", "sma200_gap"),
    name="C{index:02d}",
)
RANKINGS = (RUSSELL, QQQ_TECH, MEGA_CAP)
