"""A strategy's share of the account."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from quant_platform_kit.contracts import ExecutionHints, StrategyManifest, TargetMode
from quant_platform_kit.errors import ContractError

_WHOLE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Sleeve:
    """One strategy's place in an account.

    Parameters
    ----------
    profile : str
        The strategy's canonical name.
    weight : Decimal
        Share of the account's capital base, in (0, 1].
    managed : tuple of str
        Symbols the strategy answers for.
    target_mode : TargetMode
    hints : ExecutionHints
        Ratios are shares of this sleeve's capital.
    """

    profile: str
    weight: Decimal
    managed: tuple[str, ...]
    target_mode: TargetMode
    hints: ExecutionHints = ExecutionHints()

    def __post_init__(self) -> None:
        """Refuse a sleeve without a name, capital or symbols."""
        if not self.profile.strip():
            raise ContractError(f"Sleeve.profile = {self.profile!r}: expected a profile's name")
        if not self.weight.is_finite() or not 0 < self.weight <= _WHOLE:
            raise ContractError(
                f"Sleeve.weight = {self.weight} of {self.profile}: expected a share above 0, "
                "at most 1"
            )
        if not self.managed or len(set(self.managed)) != len(self.managed):
            raise ContractError(
                f"Sleeve.managed of {self.profile}: expected at least one symbol, each once"
            )

    @classmethod
    def of(cls, manifest: StrategyManifest, weight: Decimal = _WHOLE) -> Self:
        """Give the strategy of `manifest` the share `weight` of the account."""
        return cls(manifest.profile, weight, manifest.managed, manifest.target_mode, manifest.hints)
