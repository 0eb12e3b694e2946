"""What a platform's broker offers, and what follows from it for a profile."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quant_platform_kit.contracts._market import Adjustment
from quant_platform_kit.contracts._orders import OrderType
from quant_platform_kit.contracts._strategy import InputMode, StrategyManifest, TargetMode
from quant_platform_kit.contracts._validate import check_positive, check_text, check_unique, refuse


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one platform can do; a fact of its adapter, the same for every account.

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
