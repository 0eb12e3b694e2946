"""What one profile's snapshot is made of, taken from the profile once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.strategy import Strategy
from us_equity_snapshot_pipelines._features import NEED_BROAD_BENCHMARK, declared_features
from us_equity_snapshot_pipelines._panel import WINDOW

MIN_CLOSE_USD: Final = 10.0
"""A symbol at or below this close is ineligible, unless the profile has a floor of its own."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a snapshot that the profile and its configuration decide.

    Plain values, so that it travels to a worker on another machine.

    Parameters
    ----------
    contract, profile, config_sha256, config_name : str
    features : tuple of str
        The declared columns that are computed.
    stocks : tuple of str
        What the profile may hold, without its safe haven; sorted.
    benchmark : str
    broad_benchmark : str or None
        Where a declared feature needs one.
    by_sector : bool
        Whether every stock needs a sector.
    min_closes, min_close_usd, min_adv20_usd : int and float
        What a stock must reach to be eligible.
    overruled_close_usd : float, optional
        The profile's own floor for the close, where another one was asked for.
    """

    contract: str
    profile: str
    config_sha256: str
    config_name: str
    features: tuple[str, ...]
    stocks: tuple[str, ...]
    benchmark: str
    broad_benchmark: str | None
    by_sector: bool
    min_closes: int
    min_close_usd: float
    min_adv20_usd: float
    overruled_close_usd: float | None = None

    @classmethod
    def of(
        cls, strategy: Strategy, *, config_name: str = "default", min_close_usd: float | None = None
    ) -> Self:
        """Return the recipe of `strategy` under its configuration.

        Parameters
        ----------
        strategy : Strategy
        config_name : str
            What people call the configuration.
        min_close_usd : float, optional
            Replaces the floor for the close. On dividend-adjusted prices any floor is stricter
            than on traded ones: they lie below them.

        Raises
        ------
        ContractError
            When the profile declares no snapshot, or a column that no pipeline computes.
        InputError
            When it names no stock to rank, or the floor is no price.
        """
        manifest, config = strategy.manifest, strategy.config
        need = manifest.snapshot
        if need is None:
            raise ContractError(
                f"{manifest.profile} declares no snapshot, so there is none to build"
            )
        features = declared_features(need)
        stocks = {*manifest.managed} - {manifest.safe_haven, manifest.benchmark}
        if not stocks:
            raise InputError(
                f"{manifest.profile} names no stock to rank, so there is no snapshot to build. "
                "Give the configuration that the service runs with.",
                code=ReasonCode.CONFIG_INVALID,
            )
        broad = None
        if not NEED_BROAD_BENCHMARK.isdisjoint(features):
            broad = getattr(config, "broad_benchmark", None)
            if broad is None:
                raise ContractError(
                    f"{manifest.profile} declares a feature against a broad benchmark: its Config "
                    "needs a broad_benchmark"
                )
        own_floor = getattr(config, "min_close_usd", MIN_CLOSE_USD)
        floor = own_floor if min_close_usd is None else min_close_usd
        if not 0 <= floor < math.inf:
            raise InputError(
                f"{floor} USD is no price that a close can be above; nothing was built. Give the "
                "floor for an eligible stock, such as 10.",
                code=ReasonCode.VALUE_MALFORMED,
            )
        return cls(
            contract=need.contract,
            profile=manifest.profile,
            config_sha256=strategy.config_sha256,
            config_name=config_name,
            features=features,
            stocks=tuple(sorted(stocks)),
            benchmark=manifest.benchmark,
            broad_benchmark=broad,
            by_sector="sector" in need.columns,
            min_closes=getattr(config, "min_history_days", WINDOW),
            min_close_usd=floor,
            min_adv20_usd=getattr(config, "min_adv20_usd", 0.0),
            overruled_close_usd=None if floor == own_floor else own_floor,
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What services cannot see from the configuration's hash, in sentences."""
        if self.overruled_close_usd is None:
            return ()
        return (
            (
                f"stocks are eligible above {self.min_close_usd:g} USD, as was asked for, and the "
                f"profile says {self.overruled_close_usd:g}"
            ),
        )

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every symbol that stocks are measured against."""
        broad = self.broad_benchmark
        return (self.benchmark,) if broad is None else (self.benchmark, broad)

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol whose prices are read."""
        return frozenset((*self.stocks, *self.benchmarks))
