"""The limits of an account: every key of the limits file, its default and its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from quant_platform_kit.risk import _keys as keys
from quant_platform_kit.risk._keys import LossLimit, key, limit

EVERY_STRATEGY: Final = "*"
"""The name in ``risk.loss.strategies`` that stands for each strategy without rules of its own."""


@dataclass(frozen=True, slots=True)
class PositionLimits:
    """What one symbol may come to."""

    max_shares_per_symbol: Decimal | None = field(
        default=None, metadata=limit("Shares of one symbol.")
    )
    max_notional_per_symbol: Decimal | None = field(
        default=None, metadata=limit("Market value of one symbol, in USD.")
    )


@dataclass(frozen=True, slots=True)
class PortfolioLimits:
    """What all holdings together may come to, managed or not."""

    max_exposure_pct: Decimal | None = field(
        default=Decimal(100),
        metadata=limit(
            "Gross market value in % of the equity; at 100 nothing is bought with borrowed money."
        ),
    )
    max_net_exposure_pct: Decimal | None = field(
        default=None, metadata=limit("Long less short market value, in % of the equity.")
    )
    max_positions: int | None = field(
        default=None,
        metadata=key("Number of symbols held.", keys.or_none(keys.count), keys.whole_times),
    )
    max_sector_pct: Decimal | None = field(
        default=None,
        metadata=limit(
            "Market value of one sector in % of the equity; symbols without a sector are one."
        ),
    )
    sectors: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=key("Symbols of each sector: `energy: [XOM, CVX]`.", keys.sectors),
    )


@dataclass(frozen=True, slots=True)
class LossRules:
    """How much may be lost before nothing more is opened."""

    daily_loss_limit: LossLimit | None = field(
        default=None,
        metadata=key(
            "Loss since the previous session: USD, or `2%` of the equity it began with.",
            keys.or_none(keys.loss),
            keys.loss_times,
        ),
    )
    max_drawdown_pct: Decimal | None = field(
        default=None,
        metadata=limit("Loss since the best result so far, in % of the equity it then had."),
    )


def _strategies(data: object) -> Mapping[str, LossRules]:
    if not isinstance(data, dict):
        raise keys.Unwanted("profiles with their limits, such as spy_macd_vixy: {...}")
    rules = {}
    for name, own in data.items():
        try:
            rules[name] = keys.read_section(LossRules, own)
        except keys.Unreadable as error:
            raise error.under(name) from None
    return MappingProxyType(rules)


def _strategies_times(rules: Mapping[str, LossRules], factor: Decimal) -> Mapping[str, LossRules]:
    return MappingProxyType({name: keys.scaled(own, factor) for name, own in rules.items()})


@dataclass(frozen=True, slots=True)
class LossLimits(LossRules):
    """What the account, and each strategy, may lose before it opens nothing more."""

    strategies: Mapping[str, LossRules] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=key(
            "The two keys above for each profile; `*` is every one that is not named.",
            _strategies,
            _strategies_times,
        ),
    )

    def of(self, strategy: str) -> LossRules:
        """Return the rules of one strategy."""
        return self.strategies.get(strategy) or self.strategies.get(EVERY_STRATEGY, LossRules())


@dataclass(frozen=True, slots=True)
class GreeksLimits:
    """What options may add up to; read and kept, since no option can be held yet."""

    max_portfolio_delta: Decimal | None = field(default=None, metadata=limit("Delta, in shares."))
    max_portfolio_theta: Decimal | None = field(
        default=None,
        metadata=key(
            "Theta in USD a day, negative as a rule.", keys.or_none(keys.signed), keys.times
        ),
    )
    max_portfolio_vega: Decimal | None = field(
        default=None, metadata=limit("Vega, in USD a point of volatility.")
    )


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """When the platform halts by itself."""

    auto_trigger_on_daily_loss: bool = field(
        default=False,
        metadata=key("Whether reaching `risk.loss.daily_loss_limit` halts trading.", keys.flag),
    )
    auto_trigger_on_failed_runs: int | None = field(
        default=None,
        metadata=key(
            "Runs in a row that may end FAILED; then trading halts.", keys.or_none(keys.runs)
        ),
    )


@dataclass(frozen=True, slots=True)
class BiasRules:
    """Whether there must be a bias, and how long one counts."""

    required: bool = field(
        default=False,
        metadata=key("Whether a bias that was never set is missing; one once set is.", keys.flag),
    )
    max_age_mins: int = field(
        default=30, metadata=key("Minutes until a bias is stale.", keys.minutes)
    )


@dataclass(frozen=True, slots=True)
class DataLimits:
    """What counts as fresh."""

    max_price_age_mins: int = field(
        default=15, metadata=key("Minutes until a price is too old to trade on.", keys.minutes)
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of an account.

    The defaults stop nothing that the planner would do: it buys with the account's own cash, and
    ``portfolio.max_exposure_pct`` says the same. A halved bias therefore means half invested.
    """

    position: PositionLimits = field(
        default=PositionLimits(), metadata=keys.section(PositionLimits)
    )
    portfolio: PortfolioLimits = field(
        default=PortfolioLimits(), metadata=keys.section(PortfolioLimits)
    )
    loss: LossLimits = field(default=LossLimits(), metadata=keys.section(LossLimits))
    greeks: GreeksLimits = field(default=GreeksLimits(), metadata=keys.section(GreeksLimits))
    kill_switch: KillSwitch = field(default=KillSwitch(), metadata=keys.section(KillSwitch))
    bias: BiasRules = field(default=BiasRules(), metadata=keys.section(BiasRules))
    data: DataLimits = field(default=DataLimits(), metadata=keys.section(DataLimits))

    def scaled(self, factor: Decimal) -> Limits:
        """Return the limits times the bias; what is counted is rounded down."""
        return self if factor == 1 else keys.scaled(self, factor)

    def entries(self) -> tuple[tuple[str, object, str], ...]:
        """Return (key, value, meaning) of every limit, in the order of the sections."""
        found = []
        for part in fields(self):
            own = getattr(self, part.name)
            for entry in fields(own):
                name = f"risk.{part.name}.{entry.name}"
                found.append((name, getattr(own, entry.name), entry.metadata["meaning"]))
        return tuple(found)
