"""Whether a service runs what it was switched to: its description and its first heartbeat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from quant_platform_kit.contracts import ExecutionMode, InputMode, Outcome, SnapshotRef
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.notify import Block, BlockSnapshot, BlockStrategy
from quant_platform_kit.release._gcloud import Service
from quant_platform_kit.release._status import Finding, Weight

_UNASKED: Final = frozenset({ReasonCode.MARKET_CLOSED, ReasonCode.OUTSIDE_WINDOW})
"""A run that ended with one of these has asked no strategy, so it shows nothing of one."""

_CONFIDENTIAL: Final = re.compile(r"SECRET|TOKEN|KEY|URL|ACCOUNT_ID")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a service should be.

    Parameters
    ----------
    service, platform : str
    profile : str
        The canonical name.
    display_name : str
        In English; empty when it is not known, as under a configuration of the service's own.
    input_mode : InputMode
    mode : ExecutionMode
    commit : str
        The whole of it.
    bundle : str
        The id of the pins.
    variables : mapping of str to str
        What each has to say, by name.
    absent : tuple of str
        Names that must not be set.
    snapshot : SnapshotRef or None
        What a snapshot-backed profile should have read; None for any.
    versions : mapping of str to str
        Of our packages; those that are left out are not compared.
    changed_at : datetime or None
        When it was changed: an earlier heartbeat says nothing about it.
    """

    service: str
    platform: str
    profile: str
    display_name: str
    input_mode: InputMode
    mode: ExecutionMode
    commit: str
    bundle: str
    variables: Mapping[str, str]
    absent: tuple[str, ...] = ()
    snapshot: SnapshotRef | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    changed_at: datetime | None = None


def differences(expected: Expected, service: Service, block: Block | None) -> tuple[Finding, ...]:
    """Return everything that is not as it should be, each of which fails a verification.

    Parameters
    ----------
    expected : Expected
    service : Service
        As Cloud Run describes it.
    block : Block or None
        Of its latest heartbeat; None when there is none.
    """
    texts = (*_of_service(expected, service), *_of_heartbeat(expected, block))
    return tuple(Finding(Weight.MISMATCH, expected.service, text) for text in texts)


# ── As it was deployed ─────────────────────────────────────────────────────────────────


def _of_service(expected: Expected, service: Service) -> Iterator[str]:
    if service.name != expected.service:
        yield f"the description is of {service.name}; names of services never change"
    if not service.is_ready:
        yield "what was deployed last is not what serves; see its log"
    if service.commit != expected.commit:
        yield f"it runs commit {service.commit or 'unknown'} and not {expected.commit}"
    for name, wanted in expected.variables.items():
        yield from _variable_differs(service, name, wanted)
    for name in expected.absent:
        if name in service.environment or name in service.secrets:
            yield f"{name} is still set: it is stale, and has to be removed"


def _variable_differs(service: Service, name: str, wanted: str) -> Iterator[str]:
    found = service.environment.get(name, service.secrets.get(name))
    if found is None:
        yield f"{name} is not set; expected {wanted}"
    elif found != wanted:
        shown = "something else" if _CONFIDENTIAL.search(name) else found
        yield f"{name} is {shown} and not {wanted}"


# ── As it says it is ───────────────────────────────────────────────────────────────────


def _of_heartbeat(expected: Expected, block: Block | None) -> Iterator[str]:
    if block is None:
        yield (
            "it has sent no heartbeat that can be read; run a slot, and verify again. Where "
            "today's has run it sends none, and the next session's shows it; until then "
            f"`./release.sh at {expected.service} run --dry-run --slot seen` shows what it would do"
        )
        return
    if expected.changed_at is not None and block.finished_at <= expected.changed_at:
        yield (
            f"its last heartbeat is of {block.finished_at:%Y-%m-%d %H:%M} UTC, before the change; "
            "run a slot, and verify again"
        )
        return
    yield from _identity_differs(expected, block)
    yield from _build_differs(expected, block)
    yield from _profile_differs(expected, block)
    if block.stale_variables:
        yield f"it was started with stale variables: {', '.join(block.stale_variables)}"
    yield from _cannot_trade(block)


def _identity_differs(expected: Expected, block: Block) -> Iterator[str]:
    if block.service != expected.service:
        yield f"the heartbeat is of {block.service or 'a service without a name'}"
    if block.platform != expected.platform:
        yield f"it serves {block.platform} and not {expected.platform}"
    if block.mode is not expected.mode:
        yield f"its mode is {block.mode.value} and not {expected.mode.value}"


def _build_differs(expected: Expected, block: Block) -> Iterator[str]:
    if not block.commit or not expected.commit.startswith(block.commit):
        yield f"it says that it is of commit {block.commit or 'unknown'}, not {expected.commit}"
    if block.bundle != expected.bundle:
        yield f"it is made of bundle {block.bundle or 'none'} and not {expected.bundle}"
    for package, version in expected.versions.items():
        found = block.versions.get(package, "missing")
        if found != version:
            yield f"{package} is {found} and not {version}"


def _profile_differs(expected: Expected, block: Block) -> Iterator[str]:
    found = next((each for each in block.strategies if each.profile == expected.profile), None)
    if found is None or len(block.strategies) > 1:
        profiles = " + ".join(each.profile for each in block.strategies) or "no profile"
        yield f"it runs {profiles} and not {expected.profile}"
    if found is None:
        return
    if expected.display_name and found.display_name != expected.display_name:
        yield f"it calls the profile {found.display_name!r} and not {expected.display_name!r}"
    if found.input_mode is not expected.input_mode:
        yield f"its inputs are {found.input_mode.value} and not {expected.input_mode.value}"
    if not _asked_nobody(block):
        yield from _snapshot_differs(expected, found)


def _snapshot_differs(expected: Expected, strategy: BlockStrategy) -> Iterator[str]:
    read, wanted = strategy.snapshot, expected.snapshot
    if expected.input_mode is InputMode.DIRECT:
        if read is not None:
            yield f"it read the snapshot of {read.as_of}, which {expected.profile} has no use for"
    elif read is None:
        yield "it read no snapshot, and cannot decide without one"
    elif wanted is not None and not _is_of(read, wanted):
        yield (
            f"it read the snapshot {read.version} of {read.as_of} ({read.sha256}), and not "
            f"{wanted.version} of {wanted.as_of} ({wanted.sha256[: len(read.sha256)]})"
        )


def _is_of(read: BlockSnapshot, wanted: SnapshotRef) -> bool:
    same_file = bool(read.sha256) and wanted.sha256.startswith(read.sha256)
    return same_file and (read.as_of, read.version) == (wanted.as_of, wanted.version)


def _cannot_trade(block: Block) -> Iterator[str]:
    """Tell why nothing follows from the slot for the account, though everything may be in place."""
    if not block.gate_is_open:
        yield f"its trading gate is {block.gate or 'not known'}, and not active; see `qpk risk`"
    code = f" {block.code}" if block.code else ""
    if block.outcome in (Outcome.BLOCKED, Outcome.FAILED):
        yield f"its slot {block.slot} ended {block.outcome.value}{code}; see the heartbeat"
    elif _asked_nobody(block):
        yield f"its slot {block.slot} asked no strategy ({block.code}); run one while it is open"
    elif block.exposure_ratio is None:
        yield "what it holds is not known; see the heartbeat"
    elif not block.exposure_ratio:
        yield (
            "nothing that it holds bears risk: all is cash or safe haven. Where the signal asks "
            "for that, verify again when it asks for more; otherwise something is missing"
        )


def _asked_nobody(block: Block) -> bool:
    return block.code in _UNASKED
