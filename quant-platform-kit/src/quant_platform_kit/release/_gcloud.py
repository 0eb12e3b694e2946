"""The one door to Google Cloud: what a service on Cloud Run is now. Nothing is changed here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._layout import PlatformPlace
from quant_platform_kit.release._run import call, last_words

_FAILED: Final = 1
_UNKNOWN: Final = "Cannot find service"


@dataclass(frozen=True, slots=True)
class Service:
    """A service on Cloud Run.

    Parameters
    ----------
    name : str
    commit : str
        Label of what was deployed last; empty when it has none.
    is_ready : bool
        Whether that is what serves.
    """

    name: str
    commit: str
    is_ready: bool


def describe(place: PlatformPlace, name: str) -> Service | None:
    """Return what a service is now; None when there is none of this name.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when gcloud cannot say, for example for want of a permission.
    """
    where = ("--region", place.region) if place.region else ()
    command = ("gcloud", "run", "services", "describe", name, *where, "--format=json")
    done = call(command, cwd=place.path, passing=(0, _FAILED))
    if done.returncode == 0:
        return _read(name, done.stdout)
    if _UNKNOWN in done.stderr:
        return None
    raise ReleaseRefused(
        f"gcloud does not say what {name} runs. Nothing was done; correct what it asks for:\n"
        f"{last_words(done)}",
        code=ReasonCode.RELEASE_TOOL,
    )


def _read(name: str, text: str) -> Service:
    try:
        found = json.loads(text)
        conditions = found["status"]["conditions"]
        ready = {each["type"]: each["status"] for each in conditions}["Ready"] == "True"
        return Service(name, _labels(found).get("commit", ""), ready and _serves_latest(found))
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseRefused(
            f"gcloud's answer about {name} cannot be read ({error!r}). What it runs is not known, "
            "and nothing was done.",
            code=ReasonCode.RELEASE_TOOL,
        ) from error


def _labels(found: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of the revision; those of the service may be newer than what serves."""
    labels: Mapping[str, str] = found["spec"]["template"]["metadata"].get("labels", {})
    return labels


def _serves_latest(found: Mapping[str, Any]) -> bool:
    status = found["status"]
    newest = status["latestReadyRevisionName"]
    serving = {each["revisionName"] for each in status.get("traffic", []) if each.get("percent", 0)}
    return newest == status["latestCreatedRevisionName"] and serving == {newest}
