"""A published feature snapshot and the manifest that vouches for it."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from quant_platform_kit.contracts._cycle import SnapshotRef
from quant_platform_kit.contracts._market import Adjustment
from quant_platform_kit.contracts._validate import (
    check_instant,
    check_symbol,
    check_text,
    check_unique,
    refuse,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What a publisher says about one immutable snapshot version.

    Parameters
    ----------
    contract : str
        Schema and version of the file, for example ``russell_1000_multi_factor_defensive.v1``.
    profile : str
    version : str
        Name of the immutable version folder.
    as_of : date
        Session whose closes the features end with.
    snapshot_file, snapshot_sha256 : str
        File name beside the manifest and the hash of its bytes.
    row_count : int
    columns : tuple of str
    config_sha256 : str
        Digest of the profile configuration the features were built for.
    adjustment : Adjustment
    generated_at : datetime
        Aware UTC.
    code_version : str
    sources : mapping of str to str
        SHA-256 of every input, by name.
    config_name : str
        What the configuration is called, for people; its digest is what counts.
    files : mapping of str to str
        SHA-256 of every file of the version beside the manifest, by name.
    """

    contract: str
    profile: str
    version: str
    as_of: date
    snapshot_file: str
    snapshot_sha256: str
    row_count: int
    columns: tuple[str, ...]
    config_sha256: str
    adjustment: Adjustment
    generated_at: datetime
    code_version: str
    sources: Mapping[str, str]
    config_name: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a manifest with an unnamed part, or something that is not a hash."""
        for name in ("contract", "profile", "version", "snapshot_file", "code_version"):
            check_text(self, name, getattr(self, name))
        for name in ("snapshot_sha256", "config_sha256"):
            if _SHA256.fullmatch(getattr(self, name)) is None:
                raise refuse(self, name, getattr(self, name), "a SHA-256 in hexadecimal")
        for name, sha256 in self.files.items():
            if _SHA256.fullmatch(sha256) is None:
                raise refuse(self, f"files[{name}]", sha256, "a SHA-256 in hexadecimal")
        if self.row_count < 1:
            raise refuse(self, "row_count", self.row_count, "at least one row")
        check_unique(self, "columns", self.columns)
        check_instant(self, "generated_at", self.generated_at)

    def ref(self) -> SnapshotRef:
        """Return the short reference that decisions and reports carry."""
        return SnapshotRef(self.profile, self.as_of, self.version, self.snapshot_sha256)


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """Features of one symbol; floats, since they only ever rank. NaN marks an undefined one.

    `price_date` is the session of the last price behind them, where the publisher says so.
    """

    symbol: str
    sector: str
    features: Mapping[str, float]
    price_date: date | None = None

    def __post_init__(self) -> None:
        """Refuse an infinite feature."""
        check_symbol(self, "symbol", self.symbol)
        for name, value in self.features.items():
            if math.isinf(value):
                raise refuse(self, f"features[{name}]", value, "a finite number, or NaN")


@dataclass(frozen=True, slots=True)
class FeatureSnapshot:
    """A verified snapshot: the loader checked file, manifest, hash and date before this exists."""

    manifest: SnapshotManifest
    rows: tuple[FeatureRow, ...]
    _columns: dict[tuple[str, float], bytes] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Refuse a row count that differs from the manifest's, or a repeated symbol."""
        if len(self.rows) != self.manifest.row_count:
            raise refuse(self, "rows", len(self.rows), f"{self.manifest.row_count} rows")
        check_unique(self, "rows", tuple(row.symbol for row in self.rows))

    def column(self, name: str, missing: float = math.nan) -> memoryview[float]:
        """Return feature `name` of every row, in their order; `missing` where a row lacks it.

        A read-only view of doubles that NumPy wraps without a copy. A column is laid out when it
        is first asked for, and kept.
        """
        packed = self._columns.get((name, missing))
        if packed is None:
            values = array("d", [row.features.get(name, missing) for row in self.rows])
            packed = self._columns[name, missing] = values.tobytes()
        return memoryview(packed).cast("d")
