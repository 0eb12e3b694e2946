"""What the services run, compared with the pins and the records that lie here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quant_platform_kit.bundle import Bundle
from quant_platform_kit.errors import PlatformError, ReasonCode, ReleaseRefused
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import Service, describe
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._pins import stored_bundle
from quant_platform_kit.release._records import Records
from quant_platform_kit.release._standing import standing
from quant_platform_kit.release._status import Finding, Weight


@dataclass(frozen=True, slots=True)
class Deployed:
    """What one service runs.

    Parameters
    ----------
    place : PlatformPlace
    name : str
    service : Service or None
        None when there is no such service, or it is not known.
    bundle : Bundle or None
        What the deployed commit holds; None when that is not known.
    findings : tuple of Finding
    """

    place: PlatformPlace
    name: str
    service: Service | None
    bundle: Bundle | None
    findings: tuple[Finding, ...]


def deployed(layout: Layout) -> tuple[Deployed, ...]:
    """Ask Cloud Run what each service runs; change nothing.

    A service matches when the bundle at its commit is the one that lies here: commits that change
    nothing of a platform are no difference.
    """
    places = ((place, name) for place in layout.platforms for name in place.services)
    return tuple(_look(Records(layout.records, name), place, name) for place, name in places)


def existing(place: PlatformPlace, name: str, described: Service | None = None) -> Service:
    """Return what a service is, from a saved description or as gcloud says.

    Raises
    ------
    ReleaseRefused
        ``DEPLOY_MISMATCH`` when there is none; ``RELEASE_TOOL`` when gcloud does not answer.
    """
    service = describe(place, name) if described is None else described
    if service is None:
        raise _mismatch(name, "it is not deployed yet")
    return service


def require_deployed(place: PlatformPlace, name: str, described: Service | None = None) -> Service:
    """Return what a service is, once it serves what is pinned here.

    Raises
    ------
    ReleaseRefused
        As `existing`; ``DEPLOY_MISMATCH``, too, when it serves something else.
    """
    service = existing(place, name, described)
    for finding in against_pins(place, service):
        raise _mismatch(name, finding.text)
    return service


def against_pins(place: PlatformPlace, service: Service) -> tuple[Finding, ...]:
    """Return how a service differs from what is pinned here."""
    return tuple(_differences(place, service, bundle_at(place, service.commit)))


def _mismatch(name: str, why: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{name}: {why}. Its profile is switched only where the code is there. Nothing was "
        "changed; deploy first: `qpk release deploy`.",
        code=ReasonCode.DEPLOY_MISMATCH,
    )


def _look(records: Records, place: PlatformPlace, name: str) -> Deployed:
    try:
        service = describe(place, name)
        trouble = standing(records.all(), place, service).trouble
        told = (Finding(Weight.MISMATCH, name, trouble),) if trouble else ()
        if service is None:
            note = Finding(Weight.NOTE, name, "it is not deployed yet")
            return Deployed(place, name, None, None, told or (note,))
        bundle = bundle_at(place, service.commit)
        findings = (*_differences(place, service, bundle), *told)
        return Deployed(place, name, service, bundle, findings)
    except PlatformError as error:
        problem = Finding(Weight.MISMATCH, name, error.message)
        return Deployed(place, name, None, None, (problem,))


def _differences(
    place: PlatformPlace, service: Service, bundle: Bundle | None
) -> Iterator[Finding]:
    here = stored_bundle(place)
    if not service.is_ready:
        text = "what was deployed last is not what serves; see its log"
        yield Finding(Weight.MISMATCH, service.name, text)
    if not service.commit:
        text = "it has no label `commit`, so what it runs is not known; deploy it by the plan"
        yield Finding(Weight.MISMATCH, service.name, text)
    elif bundle is None:
        text = f"commit {service.commit} is not here, or has no pins; fetch, or deploy again"
        yield Finding(Weight.MISMATCH, service.name, text)
    elif here is not None and bundle.id != here.id:
        text = f"it runs bundle {bundle.id}, and {here.id} is pinned; deploy it before any switch"
        yield Finding(Weight.MISMATCH, service.name, text)
