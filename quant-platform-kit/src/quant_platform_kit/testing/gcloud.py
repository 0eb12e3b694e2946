"""A stand-in for Google Cloud: a project in a folder, its `gcloud`, and services that really run.

`Cloud.path` is put before the rest of PATH; programs that call `gcloud` then reach this project by
the same words and with the same answers. Beside what a command line can do, the methods here do
what happens on Google's side: permissions are taken away, revisions do not start, answers are lost.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.bundle import read_bundle
from quant_platform_kit.release import (
    Served,
    ServiceDown,
    copy_image,
    image_variables,
    log_of,
    served,
)
from quant_platform_kit.testing._gcloud._builds import IMAGES
from quant_platform_kit.testing._gcloud._logging import keep
from quant_platform_kit.testing._gcloud._secrets import versions
from quant_platform_kit.testing._gcloud._services import (
    change,
    key,
    new_service,
    place,
    roll_out,
    serving,
)
from quant_platform_kit.testing._gcloud._state import create, opened
from quant_platform_kit.testing._gcloud._strikes import Strike, barrier, wait

__all__ = ["Cloud", "ServiceDown", "Strike"]

_HAND_MADE: Final = "hand-made"
_BOOT: Final = "python -m gunicorn --bind 127.0.0.1:{port} main:app"
_PROGRAM: Final = "quant_platform_kit.testing._gcloud"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A project of Google Cloud that lies in a folder.

    Parameters
    ----------
    folder : Path
    project : str
    region : str
        Where services are added when nothing else is said.
    """

    folder: Path
    project: str = "desk"
    region: str = "asia-east1"

    @classmethod
    def make(cls, folder: Path, *, project: str = "desk", region: str = "asia-east1") -> Cloud:
        """Begin a project without services, and write its `gcloud`."""
        create(folder, project)
        made = cls(folder, project, region)
        _write_program(made)
        empty = folder / IMAGES / _HAND_MADE
        empty.mkdir(parents=True)
        (empty / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
        with opened(folder) as state:
            state["images"][_HAND_MADE] = _HAND_MADE
        return made

    def copy(self, folder: Path) -> Cloud:
        """Return a project that begins as this one is, and goes its own way."""
        shutil.copytree(self.folder, folder)
        made = replace(self, folder=folder)
        _write_program(made)
        return made

    @property
    def path(self) -> Path:
        """The folder of the program, for PATH."""
        return self.folder / "bin"

    def add(
        self,
        name: str,
        environment: Mapping[str, str] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        region: str = "",
    ) -> None:
        """Let there be a service, deployed by hand and without labels.

        Parameters
        ----------
        name : str
        environment, secrets : mapping, optional
            Its variables; those of `secrets` name a secret and its version, ``token:3``.
        region : str, optional
        """
        variables: list[dict[str, Any]] = [
            {"name": each, "value": value} for each, value in (environment or {}).items()
        ]
        for each, secret in (secrets or {}).items():
            named, _, version = secret.partition(":")
            reference = {"name": named, "key": version or "latest"}
            variables.append({"name": each, "valueFrom": {"secretKeyRef": reference}})
        container = {"image": _HAND_MADE, "env": variables}
        region = region or self.region
        with opened(self.folder) as state:
            wanted = new_service(self.project, region, name, container)
            roll_out(state, key(self.project, region, name), wanted)

    def remove(self, name: str) -> None:
        """Let a service be gone."""
        with opened(self.folder) as state:
            del state["services"][place(state, name)]

    def deny(self, name: str) -> None:
        """Take away the permission to look at a service or job, and to change it."""
        self._fault("denied", name)

    def allow(self, name: str) -> None:
        """Give the permission back."""
        with opened(self.folder) as state:
            state["faults"]["denied"].remove(name)

    def fail(self, name: str) -> None:
        """Let the next revision of a service not start."""
        self._fault("failing", name)

    def lose(self, name: str) -> None:
        """Let the next change of a service land, and its answer get lost."""
        self._fault("lost", name)

    def slow(self, name: str) -> None:
        """Let the next revision of a service need a while, which only a lost answer shows."""
        self._fault("slow", name)

    def strike(
        self,
        call: int,
        how: Strike,
        service: str = "",
        sets: Mapping[str, str] | None = None,
    ) -> None:
        """Let something befall a call of `gcloud`, of which the next one is 1.

        Parameters
        ----------
        call : int
        how : Strike
        service : str, optional
        sets : mapping, optional
            Which variables of which service somebody changes, where that is what happens.
        """
        struck = {"calls": call, "how": how.value, "service": service, "sets": dict(sets or {})}
        with opened(self.folder) as state:
            state["faults"]["strikes"].append(struck)

    def spare(self) -> list[str]:
        """Let nothing more happen, but for permissions; return what has struck since the last."""
        with opened(self.folder) as state:
            faults = state["faults"]
            for kind in ("failing", "lost", "slow", "strikes"):
                faults[kind].clear()
            struck: list[str] = faults.pop("struck", [])
            return struck

    def change(self, name: str, sets: Mapping[str, str], removes: Collection[str] = ()) -> None:
        """Let somebody change the variables of a service by hand."""
        with opened(self.folder) as state:
            change(state, name, sets, removes)

    def barrier(self) -> AbstractContextManager[None]:
        """Let calls of `gcloud` whose caller has died wait until the end of the block."""
        return barrier(self.folder)

    def wait(self) -> None:
        """Wait until no call of `gcloud` is under way, also where who made it has died."""
        wait(self.folder)

    def break_build(self) -> None:
        """Let the next build fail."""
        with opened(self.folder) as state:
            state["faults"]["builds"] += 1

    def keep_secret(self, name: str, version: str, value: str) -> None:
        """Keep a version of a secret, for services whose variables name it."""
        with opened(self.folder) as state:
            state["secrets"][f"{name}:{version}"] = value

    def versions(self, name: str) -> list[str] | None:
        """Return the versions of a secret, oldest first; None when there is no such secret."""
        with opened(self.folder) as state:
            found = versions(state, name)
        return None if found is None else [found[number] for number in sorted(found)]

    def service(self, name: str) -> dict[str, Any]:
        """Return a service as ``describe`` does."""
        with opened(self.folder) as state:
            found: dict[str, Any] = state["services"][place(state, name)]["service"]
            return found

    def services(self) -> dict[str, Any]:
        """Return every service, by project, region and name."""
        with opened(self.folder) as state:
            found: dict[str, Any] = state["services"]
            return found

    def environment(self, name: str) -> dict[str, str]:
        """Return the plain variables of the revision that serves."""
        with opened(self.folder) as state:
            _, revision = serving(state, place(state, name))
        variables = revision["spec"]["containers"][0].get("env", [])
        return {v["name"]: v.get("value", "") for v in variables if "valueFrom" not in v}

    def image(self, name: str) -> Path:
        """Return the folder of the image that serves."""
        with opened(self.folder) as state:
            _, revision = serving(state, place(state, name))
        return self.folder / IMAGES / str(revision["image"])

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the jobs of Cloud Scheduler by their short names."""
        with opened(self.folder) as state:
            return {name.rpartition("/")[2]: job for name, job in state["jobs"].items()}

    def run(self, name: str, python: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start what serves, ask it for a slot, end it, and keep what it printed as log entries.

        Parameters
        ----------
        name : str
        python : Path
            Of an environment in which is installed what the image would install.
        request : mapping
            Body of ``POST /run``.

        Returns
        -------
        dict
            The answer, whatever its status.

        Raises
        ------
        ServiceDown
            The service did not start.
        """
        with self.serving(name, python) as service:
            return service.run(request)

    def lend(self, bundle: str, python: Path) -> None:
        """Let images of a bundle run in an environment in which is installed what they install."""
        with opened(self.folder) as state:
            state.setdefault("lent", {})[bundle] = str(python)

    def ask(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run what serves in the environment that its bundle was lent, as `run` does.

        Raises
        ------
        ServiceDown
            It did not start, or nothing was lent to its bundle.
        """
        path = self.image(name) / "bundle.json"
        bundle = read_bundle(path).id if path.exists() else ""
        with opened(self.folder) as state:
            python = state.get("lent", {}).get(bundle)
        if python is None:
            raise ServiceDown(f"no environment was lent to bundle {bundle or 'of no name'}")
        return self.run(name, Path(python), request)

    @contextmanager
    def serving(self, name: str, python: Path) -> Iterator[Served]:
        """Start what serves, end it after the block, and keep what it printed.

        Raises
        ------
        ServiceDown
            It did not start.
        """
        with opened(self.folder) as state:
            where = place(state, name)
            revision, template = serving(state, where)
            secrets = state["secrets"]
        instance = self.folder / "instances" / revision
        copy_image(self.folder / IMAGES / template["image"], instance)
        variables = image_variables(instance) | {"QPK_STATE_DIR": str(instance / "state")}
        for each in template["spec"]["containers"][0].get("env", []):
            variables[each["name"]] = _resolved(each, secrets)
        variables |= {"K_SERVICE": name, "K_REVISION": revision, "K_CONFIGURATION": name}
        try:
            with served(_BOOT, instance, python, variables) as service:
                yield service
        finally:
            labels = {"service_name": name, "revision_name": revision, "configuration_name": name}
            labels |= {"project_id": self.project, "location": where.split("/")[1]}
            keep(self.folder, labels, _printed(instance), _now())

    def _fault(self, kind: str, name: str) -> None:
        with opened(self.folder) as state:
            state["faults"][kind].append(name)


def _write_program(cloud: Cloud) -> None:
    cloud.path.mkdir(exist_ok=True)
    program = cloud.path / "gcloud"
    words = shlex.join((sys.executable, "-m", _PROGRAM, str(cloud.folder.resolve())))
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _printed(place: Path) -> list[str]:
    path = log_of(place)
    if not path.exists():  # it could not even be started
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _resolved(variable: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    reference = variable["valueFrom"]["secretKeyRef"]
    kept = versions({"secrets": secrets}, reference["name"]) or {}
    version = max(kept, default=0) if reference["key"] == "latest" else int(reference["key"])
    if version not in kept:
        named = f"{reference['name']}:{reference['key']}"
        raise ServiceDown(f"{variable['name']}: secret {named} was not found")
    return kept[version]


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (of this machine, as the log is)
