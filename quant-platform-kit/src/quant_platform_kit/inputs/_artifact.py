"""The published form of a feature snapshot: file names, and one way to write and read each file.

::

    <root>/latest.json                 which version is current; replaced in one step, last
    <root>/<version>/manifest.json     what the publisher says about the version, and its files
    <root>/<version>/snapshot.csv      symbol, sector, price_date, one column per feature

A version never changes once its manifest exists. The publisher and the loader share this module,
so that what one writes the other reads. Same values, same bytes.
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
from datetime import date
from typing import Final, TypeVar

from quant_platform_kit.contracts import FeatureRow, decode, encode
from quant_platform_kit.errors import ContractError
from quant_platform_kit.inputs._objects import not_readable as unreadable

LATEST_FILE: Final = "latest.json"
"""Name of the pointer to the current version."""

HISTORY_FILE: Final = "history.json"
"""Name of the list of past versions, where a store has one."""

MANIFEST_FILE: Final = "manifest.json"
"""Name of the manifest in a version folder."""

SNAPSHOT_FILE: Final = "snapshot.csv"
"""Name of the table in a version folder."""

PRICE_DATE: Final = "price_date"
"""The column that holds the session of a row's last price, where there is one: the third."""

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


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One line of ``history.json``: the version of a session, as a pointer would name it."""

    as_of: date
    version: str
    manifest_sha256: str

    @property
    def pointer(self) -> SnapshotPointer:
        """What ``latest.json`` said, or would have said, after that session."""
        return SnapshotPointer(self.version, self.manifest_sha256)


@dataclass(frozen=True, slots=True)
class SnapshotHistory:
    """The content of ``history.json``: past versions, ascending by date."""

    versions: tuple[PastVersion, ...]

    def before(self, session: date) -> PastVersion | None:
        """Return the version that was current when `session` began."""
        known = [each for each in self.versions if each.as_of < session]
        return known[-1] if known else None


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
        The header: ``symbol``, ``sector``, ``price_date`` where rows have one, then the features
        in their order.
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
    dated, names = _split(columns)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if row.features.keys() != set(names):
            raise ContractError(
                f"encode_features.rows[{row.symbol}] has the features {sorted(row.features)}: "
                f"expected {sorted(names)}"
            )
        keys = [row.symbol, row.sector, *([_day(row)] if dated else [])]
        writer.writerow([*keys, *(_cell(row.features[name]) for name in names)])
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


def _split(columns: Sequence[str]) -> tuple[bool, Sequence[str]]:
    """Tell whether rows have dates, and return the features among `columns`."""
    dated = tuple(columns[2:3]) == (PRICE_DATE,)
    return dated, columns[3 if dated else 2 :]


def _day(row: FeatureRow) -> str:
    if row.price_date is None:
        raise ContractError(f"encode_features.rows[{row.symbol}] has no price_date")
    return row.price_date.isoformat()


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
    dated, names = _split(columns)
    symbol, sector = cells[:2]
    price_date = _date(cells[2], f"{line}, column {PRICE_DATE}", where) if dated else None
    features = {
        name: _number(text, line, name, where)
        for name, text in zip(names, cells[3 if dated else 2 :], strict=True)
    }
    try:
        return FeatureRow(symbol, sector, features, price_date)
    except ContractError as error:
        raise unreadable(where, f"{line}: {error.message}") from error


def _date(text: str, place: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise unreadable(where, f"{place} reads {text!r}, not a date") from error


def _number(text: str, line: str, name: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError as error:
        raise unreadable(where, f"{line}, column {name} reads {text!r}, not a number") from error
    if not math.isfinite(number):
        raise unreadable(
            where, f"{line}, column {name} reads {text!r}, not a finite number or a blank"
        )
    return number
