"""What a strategy module offers and what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from quant_platform_kit.contracts import Decision, FeatureSnapshot, StrategyManifest
from quant_platform_kit.market import BarFrame, ExchangeCalendar


class StrategyConfig(BaseModel):
    """Base of every profile's configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class SleeveView:
    """What the strategy's own sleeve holds.

    Parameters
    ----------
    quantities, values_usd : mapping of str to Decimal
        Shares, and their worth at the present quotes, of every managed symbol that is held.
    cash_usd : Decimal
        What may pay for purchases now.
    equity_usd : Decimal
        The sleeve's capital base: usable cash above the floor and the managed holdings.
    bought_usd : mapping of str to Decimal
        What the sleeve has paid for managed symbols since the session opened, in earlier slots.
    """

    quantities: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    values_usd: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    cash_usd: Decimal = Decimal(0)
    equity_usd: Decimal = Decimal(0)
    bought_usd: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    def holds(self, symbol: str) -> bool:
        """Tell whether any share of `symbol` is held."""
        return self.quantities.get(symbol, Decimal(0)) > 0


@dataclass(frozen=True, slots=True)
class StrategyContext:
    """Everything a decision may depend on.

    Parameters
    ----------
    session : date
        The exchange session the decision is for. History ends at the session before it.
    calendar : ExchangeCalendar
        For questions such as "is this the last session of the quarter".
    history : mapping of str to BarFrame
        Declared symbols, each with at least the declared sessions, fresh and finite.
    snapshot : FeatureSnapshot or None
        The verified feature snapshot, when one is declared.
    sleeve : SleeveView
    config : StrategyConfig
        An instance of the module's own ``Config``.
    """

    session: date
    calendar: ExchangeCalendar
    history: Mapping[str, BarFrame]
    snapshot: FeatureSnapshot | None
    sleeve: SleeveView
    config: Any


class StrategyModule(Protocol):
    """A profile: one module with these three names.

    `decide` is pure: no I/O, clock, environment or broker. It answers `Decision.blocked` when an
    input does not allow a decision, and `Decision.hold` on an ordinary day without a trade.
    """

    Config: type[StrategyConfig]

    def manifest(self, config: Any) -> StrategyManifest:  # noqa: ANN401 (each profile's own Config)
        """Return what the profile declares under `config`."""

    def decide(self, context: StrategyContext) -> Decision | Awaitable[Decision]:
        """Return the decision for `context.session`; it may be a coroutine function."""
