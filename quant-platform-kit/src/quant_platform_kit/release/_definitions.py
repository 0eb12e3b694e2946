"""What lies in a platform's folder about its services: their definitions, and when they are asked.

`service*.yaml` hold ``${COMMIT}``, ``${IMAGE}``, ``${PROJECT}`` and ``${ACCOUNT}``, which are the
desk's; everything else is reviewed like code.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from quant_platform_kit.release._gcloud import Job
from quant_platform_kit.release._layout import PlatformPlace, refused

_SCHEDULER: Final = "scheduler.yaml"


def definition_of(folder: Path, service: str) -> str:
    """Return the text of the definition of a service among a platform's files.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when there is none.
    """
    for path in sorted(folder.glob("service*.yaml")):
        text = path.read_text(encoding="utf-8")
        if _read(path, text)["metadata"]["name"] == service:
            return text
    raise refused(f"{folder} has no service*.yaml that defines {service}")


def filled_in(text: str, place: PlatformPlace, *, commit: str, image: str) -> str:
    """Return a definition with everything of the desk in it."""
    values = {
        "COMMIT": commit,
        "IMAGE": image,
        "PROJECT": place.cloud.project,
        "ACCOUNT": place.cloud.account,
    }
    missing = [name for name, value in values.items() if not value and f"${{{name}}}" in text]
    if missing:
        raise refused(f"cloud.{missing[0].lower()} is not set, and {place.name}'s services need it")
    return Template(text).safe_substitute(values)


def plain_variables(definition: str) -> dict[str, str]:
    """Return the variables that a definition gives a service."""
    (container,) = yaml.safe_load(definition)["spec"]["template"]["spec"]["containers"]
    variables = container.get("env", [])
    return {each["name"]: str(each["value"]) for each in variables if "value" in each}


def jobs_of(folder: Path, place: PlatformPlace, service: str, url: str) -> tuple[Job, ...]:
    """Return the jobs that ask a service, as its platform's ``scheduler.yaml`` says.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when the file is missing or lacks something.
    """
    path = folder / _SCHEDULER
    if not path.exists():
        raise refused(f"{path} does not exist: nobody would ask {service} to run")
    found = _read(path, path.read_text(encoding="utf-8"))
    try:
        return tuple(
            Job(
                name=f"{service}-{name}",
                schedule=job["schedule"],
                time_zone=found["time_zone"],
                url=url,
                account=place.caller,
                body=f'{{"slot": "{found["slot"]}"}}',
                deadline_secs=found["attempt_deadline_secs"],
                retries=job["retries"],
            )
            for name, job in found["jobs"].items()
        )
    except KeyError as error:
        raise refused(f"{path} does not say {error.args[0]}") from error


def image_variables(folder: Path) -> dict[str, str]:
    """Return the variables that an image's Dockerfile sets for what runs in it, but for PATH.

    None where a platform has no Dockerfile.
    """
    lines = re.findall(r"(?m)^ENV (.*)$", _last_stage(folder))
    pairs = (pair.split("=", 1) for line in lines for pair in shlex.split(line))
    return {name: value for name, value in pairs if name != "PATH"}


def copy_image(folder: Path, to: Path) -> None:
    """Copy what an image's Dockerfile copies into it from a platform's folder, and the file itself.

    Everything where a platform has no Dockerfile.
    """
    lines = re.findall(r"(?m)^COPY (?!--)(.+) (\S+)$", _last_stage(folder))
    if not lines:
        shutil.copytree(folder, to, dirs_exist_ok=True)
        return
    to.mkdir(parents=True, exist_ok=True)
    shutil.copy2(folder / "Dockerfile", to)
    for names, place in lines:
        for name in shlex.split(names):
            source = folder / name
            if source.is_dir():  # of a folder its content is copied
                shutil.copytree(source, to / place, dirs_exist_ok=True)
            else:
                shutil.copy2(source, to / place)


def _last_stage(folder: Path) -> str:
    path = folder / "Dockerfile"
    return path.read_text(encoding="utf-8").rpartition("\nFROM ")[2] if path.exists() else ""


def _read(path: Path, text: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise refused(f"{path} does not parse: {error}") from error
    return found
