"""One version as bytes: the table, and everything that people read about it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.contracts import (
    Adjustment,
    FeatureRow,
    SnapshotManifest,
    digest,
    encode,
)
from quant_platform_kit.inputs import (
    MANIFEST_FILE,
    SNAPSHOT_FILE,
    Publication,
    encode_document,
    encode_features,
)
from us_equity_snapshot_pipelines._build import BuiltSnapshot
from us_equity_snapshot_pipelines._dividends import Dividend
from us_equity_snapshot_pipelines._ranking import Choice

PARQUET_FILE: Final = "snapshot.parquet"
"""The table again, for whoever analyses it."""

RANKING_FILE: Final = "ranking.csv"
"""What the profile would choose from an empty sleeve."""

SUMMARY_FILE: Final = "summary.json"
"""Status, coverage, and everything that was left out or looks odd."""

PAGE_FILE: Final = "index.html"
"""The version at a glance: distributions, and what changed since the one before."""

_HASH_LENGTH: Final = 12
_LOW_COVERAGE: Final = 0.9
# Who published it, when and with what around it; the same features are the same version.
_ABOUT_THE_PUBLISHING: Final = frozenset(
    {"version", "generated_at", "code_version", "config_name", "files"}
)


@dataclass(frozen=True, slots=True)
class Release:
    """One version, ready to be stored: its manifest and its files, by name."""

    manifest: SnapshotManifest
    files: Mapping[str, bytes]

    @property
    def manifest_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return encode_document(self.manifest)

    @property
    def manifest_file(self) -> str:
        """The manifest's name in the store."""
        return f"{self.manifest.version}/{MANIFEST_FILE}"

    @property
    def summary(self) -> Mapping[str, Any]:
        """What an operator has to know before trusting it; empty where nobody wrote that down."""
        found: Mapping[str, Any] = json.loads(self.files.get(SUMMARY_FILE, b"{}"))
        return found

    @property
    def warnings(self) -> Sequence[str]:
        """What of it is not as it should be, in sentences."""
        found: Sequence[str] = self.summary.get("warnings", ())
        return found

    def describing(self, files: Mapping[str, str]) -> Release:
        """Return the same version with a manifest that states other hashes of its files."""
        return replace(self, manifest=replace(self.manifest, files=dict(sorted(files.items()))))


def identity(manifest: SnapshotManifest) -> str:
    """Hash what a version says, not who said it when."""
    fields = encode(manifest)
    return digest({name: fields[name] for name in fields.keys() - _ABOUT_THE_PUBLISHING})


def release(
    built: BuiltSnapshot,
    *,
    generated_at: datetime,
    code_version: str,
    choice: Choice | None = None,
    before: Publication | None = None,
    findings: Iterable[str] = (),
    dividends: Sequence[Dividend] = (),
) -> Release:
    """Make a version of what was built.

    The version is named after its date and the hash of what it says, so the same features under
    the same configuration are the same version, whoever builds them and when.

    Parameters
    ----------
    built : BuiltSnapshot
    generated_at : datetime
        Aware UTC.
    code_version : str
        Version of the code that built it.
    choice : Choice, optional
        What the profile would choose.
    before : Publication, optional
        The version that the page compares with.
    findings : iterable of str
        What the source of the prices found odd, in sentences.
    dividends : sequence of Dividend
        What went ex while the features looked.
    """
    from us_equity_snapshot_pipelines._page import render

    table = encode_features(built.columns, built.rows)
    manifest = SnapshotManifest(
        contract=built.contract,
        profile=built.profile,
        version="unnamed",
        as_of=built.as_of,
        snapshot_file=SNAPSHOT_FILE,
        snapshot_sha256=sha256(table),
        row_count=len(built.rows),
        columns=built.columns,
        config_sha256=built.config_sha256,
        adjustment=built.adjustment,
        generated_at=generated_at,
        code_version=code_version,
        sources=built.sources,
        config_name=built.config_name,
    )
    manifest = replace(manifest, version=f"{built.as_of}-{identity(manifest)[:_HASH_LENGTH]}")
    summary = summarise(built, choice, findings, dividends)
    files = {
        SNAPSHOT_FILE: table,
        PARQUET_FILE: encode_parquet(built.columns, built.rows),
        SUMMARY_FILE: encode_document(summary),
        PAGE_FILE: render(manifest, built.rows, summary, choice, before),
    }
    if choice is not None:
        files[RANKING_FILE] = encode_ranking(choice)
    hashes = {name: sha256(data) for name, data in sorted(files.items())}
    return Release(replace(manifest, files=hashes), MappingProxyType(files))


def summarise(
    built: BuiltSnapshot,
    choice: Choice | None,
    findings: Iterable[str],
    dividends: Sequence[Dividend] = (),
) -> Mapping[str, object]:
    """Return what an operator has to know before trusting a version."""
    eligible = sum(row.features["eligible"] > 0 for row in built.rows)
    ranked = len(built.rows) - 1  # all but the benchmark
    asked = ranked + len(built.excluded)
    coverage = ranked / asked if asked else 0.0
    warnings = [
        f"{each.symbol} has no row ({each.code.value}): {each.detail}" for each in built.excluded
    ]
    warnings += [
        f"{symbol} was no candidate on {built.as_of}: it is not eligible"
        for symbol in built.outside
    ]
    warnings += findings
    warnings += _seen_as_losses(dividends, built.adjustment)
    if choice is not None and choice.refusal:
        warnings.append(f"the profile would not decide on it: {choice.refusal}")
    if coverage < _LOW_COVERAGE:
        warnings.append(f"only {ranked} of {asked} stocks have a row")
    if not eligible:
        warnings.append("no stock is eligible")
    return {
        "as_of": built.as_of,
        "benchmark_and_stocks": len(built.rows),
        "coverage": f"{coverage:.4f}",
        "defined": {
            name: sum(math.isfinite(row.features[name]) for row in built.rows)
            for name in built.columns
            if built.rows and name in built.rows[0].features
        },
        "dividends": [
            {
                "symbol": each.symbol,
                "ex_date": each.ex_date,
                "amount_usd": f"{each.amount_usd:f}",
                "share_of_close": f"{each.share:.4f}",
                "is_accounted": each.is_accounted,
            }
            for each in sorted(dividends, key=attrgetter("ex_date", "symbol"))
        ],
        "eligible": eligible,
        "excluded": [
            {"symbol": e.symbol, "code": e.code, "detail": e.detail} for e in built.excluded
        ],
        "outside_universe": built.outside,
        "profile": built.profile,
        "row_count": len(built.rows),
        "status": "warnings" if warnings else "ok",
        "warnings": warnings,
    }


def _seen_as_losses(dividends: Sequence[Dividend], adjustment: Adjustment) -> Iterator[str]:
    """Say in one sentence what the list of dividends says of each: a market has thousands."""
    losses = [each for each in dividends if not each.is_accounted]
    if losses:
        symbols = {each.symbol for each in losses}
        yield (
            f"{adjustment.value} closes fall by dividends, which features take for losses: "
            f"{len(losses)} are listed, of {len(symbols)} symbols"
        )


def encode_ranking(choice: Choice) -> bytes:
    """Return the bytes of the ranking."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("rank", "symbol", "sector", "score", "weight"))
    for place in choice.places:
        score = "" if place.score is None else repr(place.score)
        writer.writerow((place.rank, place.symbol, place.sector, score, place.weight))
    return text.getvalue().encode()


def encode_parquet(columns: Iterable[str], rows: Iterable[FeatureRow]) -> bytes:
    """Return the table as Parquet: texts, dates and doubles, an undefined feature being null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = tuple(rows)
    arrays = {
        "symbol": pa.array([row.symbol for row in kept], pa.string()),
        "sector": pa.array([row.sector for row in kept], pa.string()),
        "price_date": pa.array([row.price_date for row in kept], pa.date32()),
    }
    for name in columns:
        if name not in arrays:
            values = [row.features[name] for row in kept]
            arrays[name] = pa.array(values, pa.float64(), from_pandas=True)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
