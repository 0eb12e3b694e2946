"""The published form of a feature snapshot: file names, and one way to write and read each file.

::

    <folder>/latest.json                 which version is current; replaced in one step, last
    <folder>/<version>/manifest.json     what the publisher says about the version
    <folder>/<version>/snapshot.csv      symbol, sector, one column per feature

A version folder never changes once it exists. The publisher and the loader share this module, so
that what one writes the other reads. Same values, same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from quant_platform_kit.contracts import FeatureRow, decode, encode
from quant_platform_kit.errors import ContractError, InputError, ReasonCode

LATEST_FILE: Final = "latest.json"
"""Name of the pointer to the current version."""

MANIFEST_FILE: Final = "manifest.json"
"""Name of the manifest in a version folder."""

SNAPSHOT_FILE: Final = "snapshot.csv"
"""Name of the table in a version folder."""

_KEYS: Final = ("symbol", "sector")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SnapshotPointer:
    """The content of ``latest.json``: the current version, and the hash of its manifest's bytes."""

    version: str
    manifest_sha256: str

    def __post_init__(self) -> None:
        """Refuse a version that is no folder name, or something that is not a hash."""
        if not is_plain_name(self.version):
            raise ContractError(
                f"SnapshotPointer.version = {self.version!r}: expected the name of a folder"
            )
        if _SHA256.fullmatch(self.manifest_sha256) is None:
            raise ContractError(
                f"SnapshotPointer.manifest_sha256 = {self.manifest_sha256!r}: expected a SHA-256 "
                "in hexadecimal"
            )


def is_plain_name(name: str) -> bool:
    """Tell whether `name` stays in its folder: letters, digits, ``.``, ``_`` and ``-``."""
    return _PLAIN_NAME.fullmatch(name) is not None


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def encode_document(value: object) -> bytes:
    """Return the bytes of a pointer or manifest: sorted keys, indented for people, one newline."""
    return (json.dumps(encode(value), sort_keys=True, ensure_ascii=False, indent=2) + "\n").encode()


def decode_document(kind: type[T], data: bytes, where: str) -> T:
    """Read a pointer or manifest back from its bytes.

    Parameters
    ----------
    kind : type
        `SnapshotPointer` or `SnapshotManifest`.
    data : bytes
    where : str
        The file's name, for the message.

    Raises
    ------
    InputError
        ``SNAPSHOT_UNREADABLE`` when the bytes are no JSON object of this kind.
    """
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise unreadable(where, f"it is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise unreadable(where, "it is not a JSON object")
    try:
        return decode(kind, fields)
    except ContractError as error:
        raise unreadable(where, error.message) from error


def encode_features(columns: Sequence[str], rows: Sequence[FeatureRow]) -> bytes:
    """Return the bytes of a snapshot's table.

    Every feature is written as the shortest text that reads back as the same float; an undefined
    one (NaN) is a blank cell.

    Parameters
    ----------
    columns : sequence of str
        The header: ``symbol``, ``sector``, then the features in their order.
    rows : sequence of FeatureRow
        Written in the given order.

    Raises
    ------
    ContractError
        When the header does not begin with the two keys, or a row's features are not its columns.
    """
    if tuple(columns[:2]) != _KEYS or len(set(columns)) != len(columns):
        raise ContractError(
            f"encode_features.columns = {tuple(columns)!r}: expected 'symbol', 'sector', then each "
            "feature once"
        )
    names = columns[2:]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if row.features.keys() != set(names):
            raise ContractError(
                f"encode_features.rows[{row.symbol}] has the features {sorted(row.features)}: "
                f"expected {sorted(names)}"
            )
        writer.writerow([row.symbol, row.sector, *(_cell(row.features[name]) for name in names)])
    return text.getvalue().encode()


def decode_features(data: bytes, where: str) -> tuple[tuple[str, ...], tuple[FeatureRow, ...]]:
    """Read a snapshot's table back: its header, and its rows in file order.

    Parameters
    ----------
    data : bytes
    where : str
        The file's name, for the message.

    Raises
    ------
    InputError
        ``SNAPSHOT_UNREADABLE``, naming the line, and the column where there is one.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise unreadable(where, f"it is not UTF-8 text ({error})") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, FeatureRow] = {}
    try:
        columns = tuple(next(lines, ()))
        _check_header(columns, where)
        for cells in lines:
            row = _row(columns, cells, f"line {lines.line_num}", where)
            if row.symbol in rows:
                raise unreadable(where, f"line {lines.line_num} repeats the symbol {row.symbol}")
            rows[row.symbol] = row
    except csv.Error as error:
        raise unreadable(where, f"line {lines.line_num} is not CSV ({error})") from error
    return columns, tuple(rows.values())


def unreadable(where: str, what: str) -> InputError:
    """Build the error for a file of the snapshot that does not parse."""
    return snapshot_fault(
        ReasonCode.SNAPSHOT_UNREADABLE,
        f"{where} cannot be used: {what}.",
        "Publish the snapshot again; a published file is never edited by hand.",
    )


def snapshot_fault(code: ReasonCode, what: str, remedy: str) -> InputError:
    """Build a snapshot's error: what happened, what it means, what to do next."""
    return InputError(
        f"{what} Nothing is decided on it and the strategy's holdings are kept as they are. "
        f"{remedy}",
        code=code,
    )


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _check_header(columns: tuple[str, ...], where: str) -> None:
    if columns[:2] != _KEYS:
        raise unreadable(where, f"its header begins {columns[:2]}, not {_KEYS}")
    for column in columns:
        if columns.count(column) > 1:
            raise unreadable(where, f"its header repeats the column {column!r}")


def _row(columns: tuple[str, ...], cells: list[str], line: str, where: str) -> FeatureRow:
    if len(cells) != len(columns):
        raise unreadable(where, f"{line} has {len(cells)} cells for {len(columns)} columns")
    values = dict(zip(columns, cells, strict=True))
    symbol, sector = values.pop("symbol"), values.pop("sector")
    features = {
        name: _number(text, f"{line}, column {name}", where) for name, text in values.items()
    }
    try:
        return FeatureRow(symbol, sector, features)
    except ContractError as error:
        raise unreadable(where, f"{line}: {error.message}") from error


def _number(text: str, place: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError as error:
        raise unreadable(where, f"{place} reads {text!r}, not a number") from error
    if not math.isfinite(number):
        raise unreadable(where, f"{place} reads {text!r}, not a finite number or a blank")
    return number
