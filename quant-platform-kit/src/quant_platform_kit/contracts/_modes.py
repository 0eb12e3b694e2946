"""What an operator asked for, and what the broker says it is."""

from __future__ import annotations

from enum import StrEnum


class ExecutionMode(StrEnum):
    """What the operator asked for."""

    DRY_RUN = "dry_run"
    PAPER = "paper"
    LIVE = "live"


class Environment(StrEnum):
    """What the connected broker says it is; messages show this, never the request."""

    SIMULATED = "simulated"
    PAPER = "paper"
    LIVE = "live"
