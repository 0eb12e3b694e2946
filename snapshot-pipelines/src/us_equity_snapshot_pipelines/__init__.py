"""Pipelines that publish the feature snapshots which snapshot-backed strategies read."""

from __future__ import annotations

from us_equity_snapshot_pipelines._build import BuiltSnapshot, Exclusion, build_snapshot
from us_equity_snapshot_pipelines._publish import publish
from us_equity_snapshot_pipelines._sectors import read_sectors

__all__ = [
    "BuiltSnapshot",
    "Exclusion",
    "__version__",
    "build_snapshot",
    "publish",
    "read_sectors",
]

__version__ = "0.1.0"
