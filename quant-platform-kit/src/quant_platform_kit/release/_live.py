"""A service verified after a change: what Cloud Run says it is, and what its heartbeat says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from quant_platform_kit.contracts import Environment, ExecutionMode, InputMode, SnapshotRef
from quant_platform_kit.errors import PlatformError
from quant_platform_kit.inputs import SnapshotSource, read_manifest
from quant_platform_kit.notify import Block, read_block
from quant_platform_kit.release._deployed import against_pins, existing
from quant_platform_kit.release._environments import bundle_at, environment
from quant_platform_kit.release._gcloud import Service, newest_heartbeat
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Records, State
from quant_platform_kit.release._standing import Standing, changing, settle, standing, state_of
from quant_platform_kit.release._status import Finding, Weight
from quant_platform_kit.release._variables import (
    CONFIG,
    MANIFEST,
    MODE,
    PROFILE,
    SNAPSHOT,
    companion,
    companions_without,
    of_profile,
)
from quant_platform_kit.release._verify_live import Expected, differences


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Parameters
    ----------
    expected : Expected
    block : Block or None
        Of the heartbeat; None without a readable one.
    findings : tuple of Finding
        Everything that differs.
    """

    expected: Expected
    block: Block | None
    findings: tuple[Finding, ...]


def verify_live(
    layout: Layout, name: str, *, heartbeat: str | None = None, described: Service | None = None
) -> Verification:
    """Compare a service with its newest record, the pins, and its first heartbeat since.

    A service without a record is compared with the pins and with its own variables. A record that
    was cut off gets its ending and, when nothing differs, the key of that first good run.

    Parameters
    ----------
    layout : Layout
    name : str
        Of the service.
    heartbeat : str, optional
        Text of a heartbeat; the newest in Cloud Logging when left out.
    described : Service, optional
        What the service is, from a saved description; asked for when left out.

    Raises
    ------
    ReleaseRefused
        ``DEPLOY_MISMATCH`` when there is no such service; ``PIN_MISSING`` when what it runs is not
        known; ``RELEASE_TOOL`` when gcloud does not answer.
    """
    place = layout.service(name)
    found = existing(place, name, described)
    text = newest_heartbeat(place, found) if heartbeat is None else heartbeat
    block = None if text is None else read_block(text)
    records = Records(layout.records, name)
    known = standing(records.all(), place, found)
    if described is None and not (known.differences or known.is_under_way):
        with changing(place, name):
            known = settle(records, place, found)
    record = known.newest
    state = state_of(place, found) if record is None else record.after
    profile = _profile(layout, place, found.commit, state)
    expected, unread = _expected(place, name, state, profile)
    if record is not None and heartbeat is not None and not _is_simulated(block):
        expected = replace(expected, changed_at=record.at)
    findings = (
        *against_pins(place, found),
        *unread,
        *_of_record(name, known),
        *differences(expected, found, block),
    )
    if record is not None and block is not None and not findings and not record.heartbeat:
        records.write(replace(record, heartbeat=block.run_key))
    return Verification(expected, block, findings)


def _profile(layout: Layout, place: PlatformPlace, commit: str, state: State) -> Mapping[str, Any]:
    """Return what the code of a commit says of the profile; nothing where the code is not known."""
    if bundle_at(place, commit) is None:
        return {}
    built = environment(layout, place, commit)
    return built.profile(state.variables.get(PROFILE, "")) or {}


def _expected(
    place: PlatformPlace, name: str, state: State, profile: Mapping[str, Any]
) -> tuple[Expected, tuple[Finding, ...]]:
    """Return what the service should be, and why a part of that is not known."""
    snapshot: SnapshotRef | None = None
    findings: tuple[Finding, ...] = ()
    if profile.get("input_mode") == InputMode.SNAPSHOT:
        try:
            snapshot = _published(place, state)
        except PlatformError as error:
            findings = (Finding(Weight.MISMATCH, name, error.message),)
    is_configured = companion(place, state.variables, CONFIG) != ""
    expected = Expected(
        service=name,
        platform=place.name,
        profile=state.variables.get(PROFILE, ""),
        # A configuration may give the profile another name.
        display_name="" if is_configured else profile.get("display_name", {}).get("en", ""),
        input_mode=InputMode(profile.get("input_mode", InputMode.DIRECT)),
        mode=ExecutionMode(state.variables.get(MODE, ExecutionMode.DRY_RUN)),
        commit=state.commit,
        bundle=state.bundle,
        variables=of_profile(place, state.variables),
        absent=companions_without(place, state.variables),
        snapshot=snapshot,
    )
    return expected, findings


def _published(place: PlatformPlace, state: State) -> SnapshotRef:
    path = companion(place, state.variables, SNAPSHOT)
    manifest = companion(place, state.variables, MANIFEST)
    return read_manifest(SnapshotSource(path, manifest or None)).ref()


def _is_simulated(block: Block | None) -> bool:
    """Tell whether a heartbeat is of a simulated account, whose clock is its market's."""
    return block is not None and block.environment is Environment.SIMULATED


def _of_record(name: str, known: Standing) -> Iterator[Finding]:
    if known.trouble:
        yield Finding(Weight.MISMATCH, name, known.trouble)
