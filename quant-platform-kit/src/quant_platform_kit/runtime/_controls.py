"""What an operator steers trading with, whatever the strategies are doing."""

from __future__ import annotations

from dataclasses import dataclass

from quant_platform_kit.contracts import ChainBreak, ExecutionMode
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.market import Clock
from quant_platform_kit.risk import Limits, load_limits
from quant_platform_kit.runtime._brokers import account_clock
from quant_platform_kit.runtime._stores import account_alias, open_store
from quant_platform_kit.settings import Settings
from quant_platform_kit.store import Evidence, RunBook, Store


@dataclass(frozen=True, slots=True)
class Controls:
    """What an operator steers trading with; close it when done.

    Needs neither the strategy nor the limits file: a halt must work when they do not.
    """

    settings: Settings
    store: Store
    clock: Clock

    def limits(self) -> Limits:
        """Read the limits file.

        Raises
        ------
        SettingsError
            When it cannot be used.
        """
        return load_limits(self.settings.risk_limits_path)

    def has_run(self) -> bool:
        """Tell whether the store knows a run: without one it may not be the service's."""
        return bool(RunBook(self.store).latest(1))

    def verify_evidence(self, head: str = "") -> tuple[str, ChainBreak | None]:
        """Return the hash of the last entry of the evidence, and where the chain breaks.

        Parameters
        ----------
        head : str
            The beginning of a hash that must be among the entries'.
        """
        kept = Evidence(self.store)
        return kept.head(), kept.verify(head)

    def close(self) -> None:
        """Release the store."""
        self.store.close()


def open_controls(settings: Settings, *, to_change: bool) -> Controls:
    """Open what an operator's command needs.

    Parameters
    ----------
    settings : Settings
    to_change : bool
        Whether the command changes something: then the mode must be one that trades.

    Raises
    ------
    SettingsError
        When there is nothing to steer, or a setting cannot be used.
    """
    if to_change and settings.execution_mode is ExecutionMode.DRY_RUN:
        raise SettingsError(
            "EXECUTION_MODE is dry_run: it trades nothing that could be steered, and nothing was "
            "changed. Set it to the mode of the service that is meant, paper or live."
        )
    clock = account_clock(settings)
    return Controls(settings, open_store(settings, account_alias(settings)), clock)
