"""Every check that a fetched snapshot has to pass, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from quant_platform_kit.contracts import FeatureRow, SnapshotInput, SnapshotManifest
from quant_platform_kit.errors import CalendarError, InputError, ReasonCode
from quant_platform_kit.inputs._artifact import SnapshotPointer
from quant_platform_kit.inputs._objects import store_fault
from quant_platform_kit.market import ExchangeCalendar

_PUBLISH_AGAIN: Final = "Publish the snapshot again; a version is never copied, renamed or edited."


@dataclass(frozen=True, slots=True)
class Publication:
    """One version as it was fetched: everything parses, and only its manifest is verified yet.

    Parameters
    ----------
    manifest : SnapshotManifest
    manifest_where, manifest_sha256 : str
        Its address, and the hash of the bytes that were read.
    pointer : SnapshotPointer or None
        What named the version; None when its table was named directly.
    table_where : str
        Address of the table.
    columns : tuple of str
        Header of the table.
    rows : tuple of FeatureRow
    found : mapping of str to str
        SHA-256 of every file that was read, by name.
    """

    manifest: SnapshotManifest
    manifest_where: str
    manifest_sha256: str
    pointer: SnapshotPointer | None
    table_where: str
    columns: tuple[str, ...]
    rows: tuple[FeatureRow, ...]
    found: Mapping[str, str]


def check(
    publication: Publication,
    need: SnapshotInput,
    *,
    profile: str,
    config_sha256: str,
    session: date,
    calendar: ExchangeCalendar,
) -> None:
    """Raise the first fault, in the order of the checks; see `load_snapshot`."""
    manifest = publication.manifest
    _check_columns(publication, need)
    _check_dates(publication, calendar)
    _check_not_future(publication, session, calendar)
    _check_age(manifest, need, session, calendar)
    check_description(publication)
    _check_identity(manifest, need, profile, config_sha256)
    check_hashes(publication)


def check_description(publication: Publication) -> None:
    """Refuse a version whose manifest describes something else.

    Raises
    ------
    InputError
        ``SNAPSHOT_MANIFEST``.
    """
    manifest = publication.manifest
    if len(publication.rows) != manifest.row_count:
        raise _of_table(
            publication,
            ReasonCode.SNAPSHOT_MANIFEST,
            f"{publication.table_where} has {len(publication.rows)} rows and its manifest "
            f"{manifest.row_count}.",
            _PUBLISH_AGAIN,
        )
    if publication.columns != manifest.columns:
        raise _of_table(
            publication,
            ReasonCode.SNAPSHOT_MANIFEST,
            f"The columns of {publication.table_where} are {publication.columns} and its "
            f"manifest's {manifest.columns}.",
            _PUBLISH_AGAIN,
        )
    if publication.pointer is not None and manifest.version != publication.pointer.version:
        raise store_fault(
            ReasonCode.SNAPSHOT_MANIFEST,
            f"{publication.manifest_where} is the manifest of {manifest.version}.",
            _PUBLISH_AGAIN,
        )


def check_hashes(publication: Publication) -> None:
    """Refuse a version of which any file differs from what its manifest says was published.

    Raises
    ------
    InputError
        ``SNAPSHOT_HASH``.
    """
    manifest = publication.manifest
    folder = publication.manifest_where.rpartition("/")[0]
    for name in publication.found:
        if not _is_published(publication, name):
            where = (
                publication.table_where if name == manifest.snapshot_file else f"{folder}/{name}"
            )
            raise changed(where, publication.manifest_where)


def changed(where: str, witness: str) -> InputError:
    """Build the error for a file that is not the published one, as `witness` knows it."""
    return store_fault(
        ReasonCode.SNAPSHOT_HASH,
        f"{where} is not the file that {witness} describes: its SHA-256 differs.",
        "It was changed or cut after it was published: publish the snapshot again, and find out "
        "who writes there.",
    )


def _is_published(publication: Publication, name: str) -> bool:
    manifest = publication.manifest
    stated = {**manifest.files, manifest.snapshot_file: manifest.snapshot_sha256}
    return publication.found[name] == stated[name]


def _of_table(publication: Publication, code: ReasonCode, what: str, remedy: str) -> InputError:
    """Build the error for what a table holds; in another table than the published one it is moot.

    What does not fit is the symptom then, and that the bytes are others the cause.
    """
    if _is_published(publication, publication.manifest.snapshot_file):
        return store_fault(code, what, remedy)
    return changed(publication.table_where, publication.manifest_where)


def _check_columns(publication: Publication, need: SnapshotInput) -> None:
    missing = [column for column in need.columns if column not in publication.columns]
    if missing:
        raise _of_table(
            publication,
            ReasonCode.SNAPSHOT_COLUMNS,
            f"{publication.table_where} has no column {', '.join(missing)}, and the profile "
            "declares it.",
            "Publish it with the pipeline version that computes the column.",
        )


def _check_dates(publication: Publication, calendar: ExchangeCalendar) -> None:
    manifest = publication.manifest
    try:
        is_session = calendar.is_session(manifest.as_of)
        oldest = calendar.previous(manifest.as_of)
    except CalendarError:  # no date that anybody published on
        is_session, oldest = False, manifest.as_of
    if not is_session:
        raise store_fault(
            ReasonCode.SNAPSHOT_DATES,
            f"Snapshot {manifest.version} is dated {manifest.as_of}, which is not a session.",
            "Publish it for the last session.",
        )
    for row in publication.rows:
        if row.price_date is not None and row.price_date < oldest:
            raise _of_table(
                publication,
                ReasonCode.SNAPSHOT_DATES,
                f"The last price of {row.symbol} in snapshot {manifest.version} is of "
                f"{row.price_date}, and the snapshot is dated {manifest.as_of}.",
                "Publish it again without the symbol, or with its prices.",
            )


def _check_not_future(publication: Publication, session: date, calendar: ExchangeCalendar) -> None:
    manifest = publication.manifest
    dates = (row.price_date for row in publication.rows if row.price_date is not None)
    newest = max((manifest.as_of, *dates))
    if newest > manifest.as_of:
        raise _of_table(
            publication,
            ReasonCode.SNAPSHOT_FUTURE,
            f"Snapshot {manifest.version} is dated {manifest.as_of} and holds a price of {newest}.",
            "Publish it again; nothing in it may be later than its date.",
        )
    if manifest.as_of >= session:
        raise store_fault(
            ReasonCode.SNAPSHOT_FUTURE,
            f"Snapshot {manifest.version} is dated {manifest.as_of}, and a decision on {session} "
            f"may know nothing after the close of {calendar.previous(session)}.",
            "Publish it for that session, or correct the session of the run.",
        )


def _check_age(
    manifest: SnapshotManifest, need: SnapshotInput, session: date, calendar: ExchangeCalendar
) -> None:
    age = calendar.sessions_between(manifest.as_of, session)
    if age > need.max_age_sessions:
        raise store_fault(
            ReasonCode.SNAPSHOT_STALE,
            f"Snapshot {manifest.version} is dated {manifest.as_of}: {age} sessions before "
            f"{session}, and the profile allows {need.max_age_sessions}.",
            "Publish a new snapshot, and find out why the scheduled publication did not run.",
        )


def _check_identity(
    manifest: SnapshotManifest, need: SnapshotInput, profile: str, config_sha256: str
) -> None:
    what = f"Snapshot {manifest.version}"
    if manifest.profile != profile:
        raise store_fault(
            ReasonCode.SNAPSHOT_PROFILE,
            f"{what} belongs to the profile {manifest.profile}, not to {profile}.",
            f"Point the FEATURE_SNAPSHOT_PATH setting at the snapshots of {profile}.",
        )
    if manifest.config_sha256 != config_sha256:
        name = f"{manifest.config_name} " if manifest.config_name else ""
        raise store_fault(
            ReasonCode.SNAPSHOT_CONFIG,
            f"{what} was built for the configuration {name}{manifest.config_sha256[:12]}, and "
            f"{profile} runs with {config_sha256[:12]}.",
            "Publish it with the configuration file that STRATEGY_CONFIG_PATH names, or restore "
            "that file.",
        )
    if manifest.contract != need.contract:
        raise store_fault(
            ReasonCode.SNAPSHOT_CONTRACT,
            f"{what} follows the contract {manifest.contract}, and {profile} reads "
            f"{need.contract}.",
            "Publish it with the pipeline version that writes this contract.",
        )
