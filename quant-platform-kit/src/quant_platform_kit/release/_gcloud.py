"""The one door to Google Cloud: every call of `gcloud` is made of the words that stand here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._layout import PlatformPlace
from quant_platform_kit.release._run import call, last_words

_FAILED: Final = 1
_UNKNOWN_SERVICE: Final = "Cannot find service"
_UNKNOWN_JOB: Final = "NOT_FOUND"
_DELIMITERS: Final = ",;|#@!~:%/"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_LOGGER: Final = "quant_platform_kit.heartbeat"


@dataclass(frozen=True, slots=True)
class Service:
    """A service on Cloud Run, as gcloud describes it.

    Parameters
    ----------
    name : str
    commit : str
        Label of what was deployed last; empty when it has none.
    is_ready : bool
        Whether what was deployed last is what serves, all of it.
    is_under_way : bool
        Whether that is not decided yet.
    generation : int
        Counts its changes, whoever makes them.
    image, url : str
    revision : str
        What was deployed last, under the name that the logs of its runs carry.
    environment : mapping of str to str
        Its variables, but for those that name a secret of Google's.
    secrets : mapping of str to str
        What each of the others names.
    """

    name: str
    commit: str
    is_ready: bool
    is_under_way: bool = False
    generation: int = 0
    image: str = ""
    url: str = ""
    revision: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    secrets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Command:
    """One call of gcloud, shown in a plan exactly as it is made.

    Parameters
    ----------
    words : tuple of str
    told : str
        What it reads from its standard input.
    """

    words: tuple[str, ...]
    told: str = ""

    def __str__(self) -> str:
        """Return it as a shell takes it."""
        line = shlex.join(self.words)
        return f"{line} <<'END'\n{self.told.rstrip()}\nEND" if self.told else line

    def run(self, place: PlatformPlace, *, holding: tuple[int, ...] = ()) -> None:
        """Make the call in a platform's repository.

        Parameters
        ----------
        place : PlatformPlace
        holding : tuple of int
            Open files that it keeps open until it ends, also where we end before it.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_TOOL`` when it fails; what it did until then is not known.
        """
        every = range(-255, 256)
        done = call(
            self.words, cwd=place.repository, told=self.told, holding=holding, passing=every
        )
        if done.returncode != 0:
            raise ReleaseRefused(
                f"`{shlex.join(self.words)}` ended with {done.returncode}. It said:\n"
                f"{last_words(done)}",
                code=ReasonCode.RELEASE_TOOL,
            )


def describe(place: PlatformPlace, name: str) -> Service | None:
    """Return what a service is now; None when there is none of this name.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when gcloud cannot say, for example for want of a permission.
    """
    done = _asked(place, ("run", "services", "describe", name, "--format=json"))
    if done.returncode == 0:
        return read_service(done.stdout)
    if _UNKNOWN_SERVICE in done.stderr:
        return None
    raise _silent(f"what {name} runs", last_words(done))


def read_service(text: str) -> Service:
    """Return the service that gcloud described in JSON.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when the text is no description.
    """
    try:
        return _service(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise _silent("what the service runs", f"its answer cannot be read: {error!r}") from error


def build(place: PlatformPlace, folder: Path, image: str) -> Command:
    """Return the command that builds an image of a folder."""
    return _command(place, ("builds", "submit", str(folder), "--tag", image), here=False)


def create(place: PlatformPlace, definition: str) -> Command:
    """Return the command that makes a service of its definition, where there is none."""
    return _command(place, ("run", "services", "replace", "-"), told=definition)


def update(
    place: PlatformPlace,
    name: str,
    *,
    image: str = "",
    labels: Mapping[str, str] = _NOTHING,
    sets: Mapping[str, str] = _NOTHING,
    removes: Iterable[str] = (),
) -> Command:
    """Return the command that changes a service in one revision, and leaves all else alone."""
    changes: list[str] = []
    if image:
        changes += ["--image", image]
    if labels:
        changes += ["--update-labels", _pairs(labels)]
    if sets:
        changes += ["--update-env-vars", _pairs(sets)]
    if gone := tuple(removes):
        changes += ["--remove-env-vars", ",".join(gone)]
    return _command(place, ("run", "services", "update", name, *changes))


def let_call(place: PlatformPlace, name: str) -> Command:
    """Return the command that lets Cloud Scheduler ask a service; a second time changes nothing."""
    member = f"--member=serviceAccount:{place.caller}"
    words = ("run", "services", "add-iam-policy-binding", name, member, "--role=roles/run.invoker")
    return _command(place, words)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of Cloud Scheduler that asks a service to run its slot.

    Parameters
    ----------
    name : str
    schedule, time_zone : str
    url, account : str
        The service's address, and as whom it is asked.
    body : str
    deadline_secs, retries : int
    """

    name: str
    schedule: str
    time_zone: str
    url: str
    account: str
    body: str
    deadline_secs: int
    retries: int

    def command(self, place: PlatformPlace, *, exists: bool) -> Command:
        """Return the command that makes this job, or makes the one that exists like it."""
        verb = "update" if exists else "create"
        headers = "--update-headers" if exists else "--headers"
        words = (
            *("scheduler", "jobs", verb, "http", self.name, f"--location={place.region}"),
            *(f"--schedule={self.schedule}", f"--time-zone={self.time_zone}"),
            *(f"--uri={self.url}/run", "--http-method=post", f"--message-body={self.body}"),
            f"{headers}=Content-Type=application/json",
            *(f"--oidc-service-account-email={self.account}", f"--oidc-token-audience={self.url}"),
            *(f"--attempt-deadline={self.deadline_secs}s", f"--max-retry-attempts={self.retries}"),
        )
        return _command(place, words, here=False)


def has_job(place: PlatformPlace, name: str) -> bool:
    """Tell whether Cloud Scheduler has a job of this name.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when gcloud cannot say.
    """
    words = ("scheduler", "jobs", "describe", name, f"--location={place.region}", "--format=json")
    done = _asked(place, words, here=False)
    if done.returncode != 0 and _UNKNOWN_JOB not in done.stderr:
        raise _silent(f"whether there is a job {name}", last_words(done))
    return done.returncode == 0


def newest_heartbeat(place: PlatformPlace, service: Service) -> str | None:
    """Return the newest heartbeat of what was deployed last; None when it has sent none.

    Heartbeats of a service before its last change are of another revision, and not asked for.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when gcloud cannot say.
    """
    wanted = (
        f'resource.type="cloud_run_revision" AND resource.labels.service_name="{service.name}" '
        f'AND resource.labels.revision_name="{service.revision}" AND jsonPayload.logger="{_LOGGER}"'
    )
    words = ("logging", "read", wanted, "--limit=1", "--freshness=7d", "--format=json")
    done = _asked(place, words, here=False)
    if done.returncode != 0:
        raise _silent(f"the heartbeats of {service.name}", last_words(done))
    try:
        return next((str(each["jsonPayload"]["message"]) for each in json.loads(done.stdout)), None)
    except (ValueError, KeyError, TypeError) as error:
        raise _silent(f"the heartbeats of {service.name}", f"cannot be read: {error!r}") from error


def _asked(
    place: PlatformPlace, words: tuple[str, ...], *, here: bool = True
) -> CompletedProcess[str]:
    """Ask what changes nothing; a failure is an answer, too, for the caller to read."""
    return call(_command(place, words, here=here).words, cwd=place.path, passing=(0, _FAILED))


def _command(
    place: PlatformPlace, words: tuple[str, ...], *, here: bool = True, told: str = ""
) -> Command:
    where = _where(place) if here else _project(place)
    return Command(("gcloud", *words, *where, "--quiet"), told)


def _where(place: PlatformPlace) -> tuple[str, ...]:
    region = (f"--region={place.region}",) if place.region else ()
    return (*region, *_project(place))


def _project(place: PlatformPlace) -> tuple[str, ...]:
    return (f"--project={place.cloud.project}",) if place.cloud.project else ()


def _pairs(values: Mapping[str, str]) -> str:
    """Write pairs as gcloud takes them: with another delimiter where a comma stands in one."""
    written = [f"{name}={value}" for name, value in values.items()]
    free = next((d for d in _DELIMITERS if not any(d in pair for pair in written)), None)
    if free is None:
        raise ReleaseRefused(
            f"The values of {', '.join(values)} hold every delimiter that gcloud could take. "
            "Nothing was changed; change one at a time.",
            code=ReasonCode.RELEASE_TOOL,
        )
    joined = free.join(written)
    return joined if free == "," and not joined.startswith("^") else f"^{free}^{joined}"


def _service(found: Mapping[str, Any]) -> Service:
    template = found["spec"]["template"]
    container = template["spec"]["containers"][0]
    variables = container.get("env", [])
    return Service(
        name=found["metadata"]["name"],
        # The labels of the service itself may be newer than what serves.
        commit=template.get("metadata", {}).get("labels", {}).get("commit", ""),
        is_ready=_is_ready(found["status"]),
        is_under_way=_is_under_way(found),
        generation=found["metadata"].get("generation", 0),
        image=container["image"],
        url=found["status"].get("url", ""),
        revision=found["status"].get("latestCreatedRevisionName", ""),
        environment={v["name"]: v.get("value", "") for v in variables if "valueFrom" not in v},
        secrets={v["name"]: _secret(v["valueFrom"]) for v in variables if "valueFrom" in v},
    )


def _secret(origin: Mapping[str, Any]) -> str:
    named = origin["secretKeyRef"]
    return f"{named['name']}:{named['key']}"


def _is_ready(status: Mapping[str, Any]) -> bool:
    newest = status.get("latestReadyRevisionName")  # a service that never served has none
    serving = {each["revisionName"] for each in status.get("traffic", []) if each.get("percent", 0)}
    is_newest = newest == status.get("latestCreatedRevisionName") and serving == {newest}
    return _readiness(status) == "True" and is_newest


def _is_under_way(found: Mapping[str, Any]) -> bool:
    status, wanted = found["status"], found["metadata"].get("generation", 0)
    return _readiness(status) == "Unknown" or status.get("observedGeneration", wanted) < wanted


def _readiness(status: Mapping[str, Any]) -> str:
    """Return ``True``, ``False``, or ``Unknown`` until Google has found out."""
    told = {each["type"]: str(each["status"]) for each in status.get("conditions", [])}
    return told.get("Ready", "Unknown")


def _silent(what: str, why: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"gcloud does not say {what}. It is not known, and nothing follows from that; correct what "
        f"it asks for:\n{why}",
        code=ReasonCode.RELEASE_TOOL,
    )
