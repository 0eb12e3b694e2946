"""Gathers what a strategy's manifest declares: price history and feature snapshot, both verified.

A decision gets data, never a loader. What is missing, short, stale or broken raises `InputError`
with its own code: nothing is decided on it.
"""

from __future__ import annotations

from quant_platform_kit.inputs._artifact import (
    HISTORY_FILE,
    LATEST_FILE,
    MANIFEST_FILE,
    PRICE_DATE,
    SNAPSHOT_FILE,
    PastVersion,
    SnapshotHistory,
    SnapshotPointer,
    decode_document,
    decode_features,
    encode_document,
    encode_features,
)
from quant_platform_kit.inputs._folder import FolderStore
from quant_platform_kit.inputs._gather import BarSource, Inputs, gather
from quant_platform_kit.inputs._objects import ObjectStore, StoredObject
from quant_platform_kit.inputs._snapshot import (
    SnapshotCache,
    SnapshotSource,
    fetch_version,
    load_snapshot,
    read_history,
    read_manifest,
    read_pointer,
)
from quant_platform_kit.inputs._snapshot_checks import Publication, check_description, check_hashes
from quant_platform_kit.inputs._stores import is_bucket, open_store

__all__ = [
    "HISTORY_FILE",
    "LATEST_FILE",
    "MANIFEST_FILE",
    "PRICE_DATE",
    "SNAPSHOT_FILE",
    "BarSource",
    "FolderStore",
    "Inputs",
    "ObjectStore",
    "PastVersion",
    "Publication",
    "SnapshotCache",
    "SnapshotHistory",
    "SnapshotPointer",
    "SnapshotSource",
    "StoredObject",
    "check_description",
    "check_hashes",
    "decode_document",
    "decode_features",
    "encode_document",
    "encode_features",
    "fetch_version",
    "gather",
    "is_bucket",
    "load_snapshot",
    "open_store",
    "read_history",
    "read_manifest",
    "read_pointer",
]
