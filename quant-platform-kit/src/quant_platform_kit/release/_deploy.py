"""A platform's commit made into an image, its services moved to it, and its jobs made as declared.

A deployment changes the image and the commit of a service. Its profile, its mode and every other
variable stay as they are: those are switched, and only once the code is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from quant_platform_kit.bundle import Bundle
from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._change import Change, Patience
from quant_platform_kit.release._definitions import (
    definition_of,
    filled_in,
    jobs_of,
    plain_variables,
)
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import (
    Command,
    Service,
    build,
    create,
    describe,
    has_job,
    let_call,
    update,
)
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, PlatformPlace, refused
from quant_platform_kit.release._records import Kind, Record, State
from quant_platform_kit.release._standing import agreed
from quant_platform_kit.release._variables import COMMIT, of_profile
from quant_platform_kit.release._verify import require_pins, require_verified

_LABEL = "commit"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What deploying a platform does.

    Parameters
    ----------
    layout : Layout
    place : PlatformPlace
    commit : str
    bundle : Bundle
    image : Command or None
        Builds it; None when every service has it already.
    changes : tuple of Change
        One for each service that does not serve this commit yet.
    """

    layout: Layout
    place: PlatformPlace
    commit: str
    bundle: Bundle
    image: Command | None
    changes: tuple[Change, ...]

    def jobs(self, service: Service) -> tuple[Command, ...]:
        """Return the commands that let a service be asked, as ``scheduler.yaml`` says.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_TOOL`` when gcloud does not say which there are.
        """
        jobs = jobs_of(self.place.path, self.place, service.name, service.url)
        made = (job.command(self.place, exists=has_job(self.place, job.name)) for job in jobs)
        return (let_call(self.place, service.name), *made)

    def make(self, *, why: str, now: datetime, patience: Patience) -> tuple[Record, ...]:
        """Build the image, move every service to it one after the other, and make their jobs.

        Raises
        ------
        ReleaseRefused
            As `Change.make`; services that come later are left alone.
        """
        if self.image is not None:
            with _saying("Nothing was deployed: the image was not built."):
                self.image.run(self.place)
        records = tuple(each.make(why=why, now=now, patience=patience) for each in self.changes)
        for name in self.place.services:
            done = f"{name} has the new code, and not all of its jobs: run the same command again."
            with _saying(done):
                service = describe(self.place, name)
                for command in () if service is None else self.jobs(service):
                    command.run(self.place)
        return records


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Say what is done and what is not where a call fails."""
    try:
        yield
    except ReleaseRefused as failure:
        raise ReleaseRefused(f"{what}\n{failure.message}", code=failure.code) from failure


def plan_deployment(layout: Layout, place: PlatformPlace) -> Deployment:
    """Return what deploying the commit that is checked out takes; change no service.

    Raises
    ------
    ReleaseRefused
        ``DEPLOY_UNPUBLISHED`` when the platform's folder has changes, or its commit was not pushed;
        ``PIN_UNTRIED`` when nobody has built and started it; ``PIN_MISSING``, ``PIN_EDITED``,
        ``TAG_MISSING`` or ``TAG_MOVED`` when the pins are not what they say; ``RELEASE_LAYOUT``
        when ``release.toml`` does not say where to; as `agreed` when its records say something
        else.
    """
    if not place.cloud.images:
        raise refused("cloud.images is not set: where images lie is not known")
    bundle = require_pins(layout, place)
    commit = _published(place, bundle)
    require_verified(place, bundle)
    image = f"{place.cloud.images}/{place.name}:{commit}"
    target = State(commit, image, bundle.id)
    changes = []
    for name in place.services:
        found = agreed(layout, place, name)
        if found is None or not (found.is_ready and (found.commit, found.image) == (commit, image)):
            changes.append(_change(layout, place, name, found, target))
    built = build(place, place.path, image) if changes else None
    return Deployment(layout, place, commit, bundle, built, tuple(changes))


def _published(place: PlatformPlace, bundle: Bundle) -> str:
    """Return the commit that is checked out, once everybody can have it."""
    repository = Repository(place.repository)
    commit = repository.head()
    changed = repository.changes(place.folder)
    if changed:
        raise ReleaseRefused(
            f"{place.name} has changes that are not committed: {', '.join(changed[:5])}. What "
            "would be deployed has no commit. Nothing was deployed; commit or undo them.",
            code=ReasonCode.DEPLOY_UNPUBLISHED,
        )
    if bundle_at(place, commit) != bundle:
        raise ReleaseRefused(
            f"The pins of {place.name} at commit {commit} are not bundle {bundle.id}. Nothing was "
            "deployed; commit the pins.",
            code=ReasonCode.DEPLOY_UNPUBLISHED,
        )
    if not repository.is_published(commit, place.remote):
        raise ReleaseRefused(
            f"Commit {commit} is on no branch of {place.remote}: nobody else could see what runs. "
            "Nothing was deployed; push it.",
            code=ReasonCode.DEPLOY_UNPUBLISHED,
        )
    return commit


def _change(
    layout: Layout, place: PlatformPlace, name: str, found: Service | None, target: State
) -> Change:
    commit, image = target.commit, target.image
    if found is None:
        text = filled_in(definition_of(place.path, name), place, commit=commit, image=image)
        variables = plain_variables(text)
        command = create(place, text)
    else:
        variables = dict(found.environment)
        labels, sets = {_LABEL: commit}, {COMMIT: commit}
        command = update(place, name, image=image, labels=labels, sets=sets)
    after = replace(target, variables=of_profile(place, variables))
    return Change(layout, place, name, Kind.DEPLOY, found, command, after)
