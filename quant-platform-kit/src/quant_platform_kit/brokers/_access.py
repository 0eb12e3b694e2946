"""What a service tells an adapter about the account that it is to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from quant_platform_kit.market import Clock


class Notebook(Protocol):
    """Keeps lines of text for an adapter beside what the platform knows of the account."""

    def lines_after(self, number: int) -> Sequence[tuple[int, str]]:
        """Return the lines beyond a number, each with its own; TransientError when unreadable."""

    def append(self, line: str) -> None:
        """Keep a line before returning; TransientError when that fails."""


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """One account at one broker; every adapter takes from it what it needs.

    Parameters
    ----------
    account_id : str
        The account's number.
    login : mapping of str to object
        The fields that the settings have for this broker.
    state_dir : Path
        For what the broker does not remember, where there is no notebook.
    clock : Clock
        The market's: the machine's own, or a simulator's.
    notebook : Notebook, optional
        Where the platform's memory is elsewhere than in `state_dir`.
    """

    account_id: str = field(repr=False)
    login: Mapping[str, Any] = field(repr=False)
    state_dir: Path
    clock: Clock
    notebook: Notebook | None = None
