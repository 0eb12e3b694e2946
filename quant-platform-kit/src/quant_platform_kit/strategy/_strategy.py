"""A profile under one configuration: what the runtime evaluates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from quant_platform_kit.contracts import (
    ExecutionMode,
    ProfileStatus,
    Role,
    StrategyManifest,
    digest,
)
from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.strategy._answer import Decide
from quant_platform_kit.strategy._contract import StrategyConfig


@dataclass(frozen=True, slots=True)
class Strategy:
    """A profile with its configuration and everything that follows from it.

    Parameters
    ----------
    module_name : str
        Where the profile's code lives.
    config : StrategyConfig
    manifest : StrategyManifest
        What the profile declares under `config`.
    decide : callable
        The profile's pure decision function, or a coroutine function.
    """

    module_name: str
    config: StrategyConfig
    manifest: StrategyManifest
    decide: Decide

    @property
    def config_sha256(self) -> str:
        """SHA-256 of the profile's name and configuration.

        Depends on values, not on how a file spells them: ``0.10`` is ``0.1``.
        """
        config = _plain(self.config.model_dump())
        return digest({"profile": self.manifest.profile, "config": config})


_ALLOWED: Final[Mapping[ExecutionMode, frozenset[ProfileStatus]]] = {
    ExecutionMode.DRY_RUN: frozenset(ProfileStatus),
    ExecutionMode.PAPER: frozenset({ProfileStatus.PAPER, ProfileStatus.RUNTIME_ENABLED}),
    ExecutionMode.LIVE: frozenset({ProfileStatus.RUNTIME_ENABLED}),
}


def allowed_modes(manifest: StrategyManifest) -> tuple[ExecutionMode, ...]:
    """Return the modes that a profile has been promoted to; an example never is."""
    return tuple(
        mode
        for mode, allowed in _ALLOWED.items()
        if manifest.status in allowed
        and (manifest.role is not Role.EXAMPLE or mode is ExecutionMode.DRY_RUN)
    )


def require_allowed(manifest: StrategyManifest, mode: ExecutionMode) -> None:
    """Refuse a mode that the profile has not been promoted to.

    Raises
    ------
    RefuseRun
        ``PROFILE_NOT_ENABLED``.
    """
    modes = allowed_modes(manifest)
    if mode not in modes:
        is_example = manifest.role is Role.EXAMPLE
        what = "is an example" if is_example else f"has status {manifest.status.value}"
        raise RefuseRun(
            f"Profile {manifest.profile} {what} and may not run in {mode.value}; it may run in "
            f"{', '.join(m.value for m in modes)}. Nothing was traded. Choose another mode or "
            f"profile{'' if is_example else ', or promote this one'}.",
            code=ReasonCode.PROFILE_NOT_ENABLED,
        )


def _plain(value: object) -> object:
    """Give equal numbers one text: the canonical form has no floats and keeps trailing zeros."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value
