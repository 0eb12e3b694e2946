"""Gathers what a strategy's manifest declares: price history and feature snapshot, both verified.

A decision gets data, never a loader. What is missing, short, stale or broken raises `InputError`
with its own code: nothing is decided on it.
"""

from __future__ import annotations

from quant_platform_kit.inputs._artifact import (
    LATEST_FILE,
    MANIFEST_FILE,
    SNAPSHOT_FILE,
    SnapshotPointer,
    decode_document,
    decode_features,
    encode_document,
    encode_features,
)
from quant_platform_kit.inputs._gather import BarSource, Inputs, gather
from quant_platform_kit.inputs._snapshot import SnapshotSource, load_snapshot

__all__ = [
    "LATEST_FILE",
    "MANIFEST_FILE",
    "SNAPSHOT_FILE",
    "BarSource",
    "Inputs",
    "SnapshotPointer",
    "SnapshotSource",
    "decode_document",
    "decode_features",
    "encode_document",
    "encode_features",
    "gather",
    "load_snapshot",
]
