"""What a platform's broker offers, and what follows from it for a profile."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quant_platform_kit.contracts._market import Adjustment
from quant_platform_kit.contracts._orders import OrderType
from quant_platform_kit.contracts._strategy import InputMode, StrategyManifest, TargetMode
from quant_platform_kit.contracts._validate import check_positive, check_text, check_unique, refuse


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests a broker takes in a span of time; more are turned away."""

    requests: int
    seconds: int

    def __post_init__(self) -> None:
        """Refuse a limit that lets nothing through, or that has no span."""
        for name in ("requests", "seconds"):
            if getattr(self, name) < 1:
                raise refuse(self, name, getattr(self, name), "one or more")

    def __str__(self) -> str:
        """Return the limit in words."""
        span = "a second" if self.seconds == 1 else f"in {self.seconds} s"
        return f"{self.requests} {span}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one platform can do; a fact of its adapter, the same for every account.

    Every claim is a card of `quant_platform_kit.testing`: one that is not true fails there.

    Parameters
    ----------
    platform : str
        As in the settings, for example ``ibkr``.
    display_name : str
        The broker's own name.
    domains : tuple of str
        Markets it serves; a profile allocates one of them.
    adjustments : tuple of Adjustment
        What its daily bars can be adjusted for.
    bar_columns : tuple of str
        Columns that its daily bars have, of open, high, low, close and volume.
    order_types : tuple of OrderType
    client_tag : str or None
        The order field that carries our client id and comes back with the order; without one, an
        order whose reply was lost is found by its own facts.
    settlement_sessions : int
        Sessions until the proceeds of a sale are settled cash.
    extended_hours : bool
        Whether an order may be asked to trade before the open and after the close.
    order_days : int
        Exchange days, today's included, for which an order is found after it has ended. What
        `Broker.find_order` does not find proves nothing about an older one.
    rate_limit : RateLimit or None
        Requests that the broker takes.
    shows_trailing_trigger : bool
        Whether the broker tells where the trigger of a trailing stop stands.
    dividends_setting : str or None
        The setting without which there are no total-return bars, for a broker that does not tell
        dividends; None where the broker adjusts for them itself.
    tells_cash_movements : bool
        Whether the broker tells dividends, taxes, interest and transfers one by one; otherwise the
        ledger books what moved the cash as money that came or went.
    lot_shares : Decimal
        Smallest tradable quantity; 1 means whole shares.
    target_modes : tuple of TargetMode
        Units of targets that can be brought to this broker's orders.
    input_modes : tuple of InputMode
        Where a profile's signal may come from.
    """

    platform: str
    display_name: str
    domains: tuple[str, ...]
    adjustments: tuple[Adjustment, ...]
    bar_columns: tuple[str, ...]
    order_types: tuple[OrderType, ...]
    client_tag: str | None
    settlement_sessions: int
    extended_hours: bool
    order_days: int = 1
    rate_limit: RateLimit | None = None
    shows_trailing_trigger: bool = True
    dividends_setting: str | None = None
    tells_cash_movements: bool = False
    lot_shares: Decimal = Decimal(1)
    target_modes: tuple[TargetMode, ...] = tuple(TargetMode)
    input_modes: tuple[InputMode, ...] = tuple(InputMode)

    def __post_init__(self) -> None:
        """Refuse an unnamed platform, a repeated entry, a lot of no size or a negative wait."""
        for name in ("platform", "display_name"):
            check_text(self, name, getattr(self, name))
        for name in ("domains", "adjustments", "bar_columns", "order_types"):
            check_unique(self, name, getattr(self, name))
        check_positive(self, "lot_shares", self.lot_shares)
        if self.settlement_sessions < 0:
            raise refuse(self, "settlement_sessions", self.settlement_sessions, "zero or more")
        if self.order_days < 1:
            raise refuse(self, "order_days", self.order_days, "one or more")

    @property
    def takes_fractions(self) -> bool:
        """Whether less than a share can be traded."""
        return self.lot_shares % 1 != 0


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a profile can run on a platform; `reasons` name everything that is lacking."""

    reasons: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing is lacking."""
        return not self.reasons


def eligible(manifest: StrategyManifest, capabilities: Capabilities) -> Eligibility:
    """Tell whether a platform has everything that a profile's manifest asks for.

    Nothing is looked up by the profile's name: a new profile is placed by what it declares.
    """
    name, lacking = capabilities.display_name, []
    if manifest.domain not in capabilities.domains:
        lacking.append(f"{name} does not serve the domain {manifest.domain}")
    if manifest.target_mode not in capabilities.target_modes:
        lacking.append(f"{name} takes no targets by {manifest.target_mode.value}")
    if manifest.input_mode not in capabilities.input_modes:
        lacking.append(f"{name} takes no {manifest.input_mode.value} inputs")
    if OrderType.MARKET not in capabilities.order_types:
        lacking.append(f"{name} takes no market orders, and rebalancing sends nothing else")
    return Eligibility((*lacking, *_lacking_history(manifest, capabilities)))


def _lacking_history(manifest: StrategyManifest, capabilities: Capabilities) -> tuple[str, ...]:
    need, name, lacking = manifest.history, capabilities.display_name, []
    if need is None:
        return ()
    if need.adjustment not in capabilities.adjustments:
        lacking.append(f"{name} has no {need.adjustment.value} daily bars")
    columns = [column for column in need.columns if column not in capabilities.bar_columns]
    if columns:
        lacking.append(f"daily bars of {name} lack {', '.join(columns)}")
    return tuple(lacking)
