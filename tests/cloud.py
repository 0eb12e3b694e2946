"""A `gcloud` of our own: it keeps a project's services in files, and speaks as Google's does."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = f"""#!{sys.executable}
import argparse, json, pathlib, sys

state = pathlib.Path(__file__).parent / "services"
arguments = sys.argv[1:]
if arguments[:2] == ["builds", "submit"]:
    sys.exit(0)
verb, name, *rest = arguments[2:]
path = state / f"{{name}}.json"

def fail(text):
    print(f"ERROR: (gcloud.run.services.{{verb}}) {{text}}", file=sys.stderr)
    sys.exit(1)

if arguments[:2] != ["run", "services"] or verb not in ("describe", "update"):
    print("ERROR: (gcloud) Invalid choice", file=sys.stderr)
    sys.exit(2)
known = argparse.ArgumentParser()
for option in ("region", "format", "image", "update-labels", "update-env-vars"):
    known.add_argument(f"--{{option}}")
asked = known.parse_args(rest)
if (state / f"{{name}}.denied").exists():
    fail(f"PERMISSION_DENIED: Permission 'run.services.get' denied on resource '{{name}}'")
if not path.exists():
    fail(f"Cannot find service [{{name}}]")
service = json.loads(path.read_text())
if verb == "describe":
    print(json.dumps(service))
    sys.exit(0)
container = service["spec"]["template"]["spec"]["containers"][0]
container["image"] = asked.image
labels = dict(pair.split("=", 1) for pair in asked.update_labels.split(","))
service["metadata"].setdefault("labels", {{}}).update(labels)
service["spec"]["template"]["metadata"].setdefault("labels", {{}}).update(labels)
for pair in asked.update_env_vars.split(","):
    key, value = pair.split("=", 1)
    container["env"] = [e for e in container["env"] if e["name"] != key]
    container["env"].append({{"name": key, "value": value}})
number = int(service["status"]["latestCreatedRevisionName"].rpartition("-")[2]) + 1
newest = f"{{name}}-{{number}}"
service["status"]["latestCreatedRevisionName"] = newest
if not (state / f"{{name}}.failing").exists():
    service["status"]["latestReadyRevisionName"] = newest
    service["status"]["traffic"] = [{{"revisionName": newest, "percent": 100}}]
path.write_text(json.dumps(service))
"""


@dataclass(frozen=True)
class Cloud:
    """A project with services."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Cloud:
        """Write the program, for a PATH that starts with `folder`."""
        (folder / "services").mkdir(parents=True)
        program = folder / "gcloud"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        return cls(folder)

    def add(self, name: str) -> None:
        """Let there be a service, deployed by hand and without labels."""
        first = f"{name}-1"
        container = {"image": "none", "env": [{"name": "STRATEGY_PROFILE", "value": "a,b=c"}]}
        self._path(name, "json").write_text(
            json.dumps(
                {
                    "metadata": {"name": name},
                    "spec": {"template": {"metadata": {}, "spec": {"containers": [container]}}},
                    "status": {
                        "conditions": [{"type": "Ready", "status": "True"}],
                        "latestCreatedRevisionName": first,
                        "latestReadyRevisionName": first,
                        "traffic": [{"revisionName": first, "percent": 100}],
                    },
                }
            )
        )

    def deny(self, name: str) -> None:
        """Take away the permission to look at a service."""
        self._path(name, "denied").touch()

    def fail(self, name: str) -> None:
        """Let no later revision of a service become ready."""
        self._path(name, "failing").touch()

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a service."""
        found: dict[str, Any] = json.loads(self._path(name, "json").read_text())
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return {each["name"]: each["value"] for each in container["env"]}

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / "services" / f"{name}.{kind}"
