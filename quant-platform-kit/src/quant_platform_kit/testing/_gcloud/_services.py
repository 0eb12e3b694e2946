"""`gcloud run services`: what runs, as revisions of which the newest that starts serves."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.testing._gcloud._flags import (
    LABEL_RULE,
    LABEL_VALUE,
    WRONG,
    Call,
    Command,
    Commands,
    items,
    labels,
    pairs,
)
from quant_platform_kit.testing._gcloud._state import AnswerLost, Refused, State, took

Document = dict[str, Any]

_RESERVED: Final = ("K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT")
_LETTERS: Final = "bcdfghjkmnpqrstvwxz"
_CHANGES: Final = (
    *("image", "update_env_vars", "remove_env_vars", "update_secrets", "remove_secrets"),
    *("update_labels", "remove_labels"),
)
_LOOKS: Final = 4
_PLACE: Final = "cloud.googleapis.com/location"


def describe(call: Call) -> Document:
    """Return a service as it is; one that is slow gets a look further each time."""
    kept = _kept(call, call.asked.region)
    if kept.get("looks"):
        kept["looks"] -= 1
        if not kept["looks"]:
            _serve(kept)
    return copy.deepcopy(kept["service"])


def update(call: Call) -> Document:
    """Change some of a service in a new revision."""
    kept = _kept(call, call.asked.region)
    if not any(getattr(call.asked, flag) for flag in _CHANGES):
        raise Refused("No configuration change requested.")
    changed = copy.deepcopy(kept["service"])
    template = changed["spec"]["template"]
    container = template["spec"]["containers"][0]
    if call.asked.image:
        container["image"] = call.asked.image
    _change_variables(container.setdefault("env", []), call.asked)
    for each in (changed["metadata"], template.setdefault("metadata", {})):
        held = each.setdefault("labels", {})
        held.update(call.asked.update_labels)
        for name in call.asked.remove_labels:
            held.pop(name, None)
    return _roll_out(call, changed, call.asked.region)


def replace(call: Call) -> Document:
    """Make a service as its definition says, or make the one that is there like it."""
    given = _read(call.asked.file)
    if given.get("kind") != "Service" or not given.get("metadata", {}).get("name"):
        raise Refused("New service definition does not match the Knative schema: a name is missing")
    region = call.asked.region or given["metadata"].get("labels", {}).get(_PLACE, "")
    call.tell(
        f"Applying new configuration to Cloud Run service [{given['metadata']['name']}] in "
        f"project [{call.project}] region [{region}]"
    )
    return _roll_out(call, given, region)


def bind(call: Call) -> Document:
    """Give somebody a role for one service."""
    kept = _kept(call, call.asked.region)
    members = kept.setdefault("roles", {}).setdefault(call.asked.role, [])
    if call.asked.member not in members:
        members.append(call.asked.member)
    call.tell(f"Updated IAM policy for service [{call.asked.name}].")
    return {"bindings": [{"members": held, "role": role} for role, held in kept["roles"].items()]}


def key(project: str, region: str, name: str) -> str:
    """Return under what name a service lies in the state."""
    return f"{project}/{region}/{name}"


def place(state: State, name: str) -> str:
    """Return under what a service lies; its name is taken in one region only."""
    services: Document = state["services"]
    return next(where for where in services if where.rpartition("/")[2] == name)


def serving(state: State, where: str) -> tuple[str, Document]:
    """Return the revision that a service serves with, and its name."""
    kept = state["services"][where]
    (only,) = kept["service"]["status"]["traffic"]
    return only["revisionName"], kept["revisions"][only["revisionName"]]


def new_service(project: str, region: str, name: str, container: Document) -> Document:
    """Return the definition of a service that somebody made by hand."""
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": project, "labels": {_PLACE: region}},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [container]}}},
    }


def roll_out(state: State, where: str, wanted: Document) -> str:
    """Put a new revision in place; return why it does not serve, or nothing.

    The definition is kept either way. A revision that does not start gets no traffic: what served
    before goes on. So does one that is slow, until somebody has looked at it a few times.
    """
    kept = state["services"].setdefault(where, {"service": {"status": {}}, "revisions": {}})
    kept["looks"] = 0
    before = kept["service"]
    project, region, name = where.split("/")
    generation = before.get("metadata", {}).get("generation", 0) + 1
    revision = f"{name}-{generation:05d}-{_suffix(where, generation)}"
    wanted["metadata"] |= {"namespace": project, "generation": generation}
    wanted["metadata"].setdefault("labels", {})[_PLACE] = region
    wanted["spec"].setdefault("traffic", [{"latestRevision": True, "percent": 100}])
    template = wanted["spec"]["template"]
    image = template["spec"]["containers"][0]["image"]
    trouble = _trouble(state, where, revision, image)
    kept["revisions"][revision] = copy.deepcopy(template) | {"image": state["images"].get(image)}
    status = copy.deepcopy(before["status"])
    status |= {"observedGeneration": generation, "latestCreatedRevisionName": revision}
    status["conditions"] = list(_conditions("False", trouble))
    kept["service"] = wanted | {"status": status}
    if not trouble:
        status["url"] = f"https://{name}-{_number(project)}.{region}.run.app"
        status["address"] = {"url": status["url"]}
        if took(state["faults"].get("slow", []), name):
            kept["looks"] = _LOOKS
            status["conditions"] = list(_conditions("Unknown", "Deploying revision."))
        else:
            _serve(kept)
    return trouble


def change(state: State, name: str, sets: Mapping[str, str], removes: Iterable[str] = ()) -> None:
    """Let somebody change the variables of a service by hand."""
    where = place(state, name)
    wanted = copy.deepcopy(state["services"][where]["service"])
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    gone = {*sets, *removes}
    kept = [each for each in container.get("env", []) if each["name"] not in gone]
    container["env"] = [*kept, *({"name": each, "value": value} for each, value in sets.items())]
    roll_out(state, where, wanted)


def _serve(kept: Document) -> None:
    """Give the newest revision all traffic."""
    status = kept["service"]["status"]
    newest = status["latestCreatedRevisionName"]
    serves = {"latestRevision": True, "percent": 100, "revisionName": newest}
    status |= {"latestReadyRevisionName": newest, "traffic": [serves]}
    status["conditions"] = list(_conditions("True"))


def _kept(call: Call, region: str) -> Document:
    name = call.asked.name
    _require_permission(call, name, "get")
    where = key(call.project, _required(region), name)
    if where not in call.state["services"]:
        raise Refused(f"Cannot find service [{name}]")
    kept: Document = call.state["services"][where]
    return kept


def _require_permission(call: Call, name: str, verb: str) -> None:
    foreign = call.project != call.state["project"]
    if foreign or name in call.state["faults"]["denied"]:
        raise Refused(
            f"PERMISSION_DENIED: Permission 'run.services.{verb}' denied on resource "
            f"'namespaces/{call.project}/services/{name}' (or resource may not exist)."
        )


def _required(region: str) -> str:
    if not region:
        raise Refused("argument --region: Must be specified.", WRONG)
    return region


def _change_variables(variables: list[Document], asked: argparse.Namespace) -> None:
    """Remove first, then set; a variable that names a secret is no text, and the other way round.

    What is asked to be removed and is not there, or is of the other kind, is passed over.
    """
    plain, secret = (set(asked.remove_env_vars), set(asked.remove_secrets))
    variables[:] = [v for v in variables if v["name"] not in (secret if _hidden(v) else plain)]
    for name, value in asked.update_env_vars.items():
        _set(variables, name, {"value": value} if value else {}, "string literal")
    for name, value in asked.update_secrets.items():
        named, _, version = value.partition(":")
        reference = {"name": named, "key": version or "latest"}
        _set(variables, name, {"valueFrom": {"secretKeyRef": reference}}, "the given type")
    _refuse_reserved(variables)


def _set(variables: list[Document], name: str, value: Document, kind: str) -> None:
    for each in variables:
        if each["name"] == name:
            if _hidden(each) != ("valueFrom" in value):
                raise Refused(
                    f"Cannot update environment variable [{name}] to {kind} because it has "  # noqa: S608
                    "already been set with a different type."
                )
            each.clear()
            each.update({"name": name, **value})
            return
    variables.append({"name": name, **value})


def _hidden(variable: Document) -> bool:
    return "valueFrom" in variable


def _refuse_reserved(variables: list[Document]) -> None:
    reserved = ", ".join(v["name"] for v in variables if v["name"] in _RESERVED)
    if reserved:
        raise Refused(
            "spec.template.spec.containers[0].env: The following reserved env names were "
            f"provided: {reserved}. These values are automatically set by the system."
        )


def _roll_out(call: Call, wanted: Document, region: str) -> Document:
    name = wanted["metadata"]["name"]
    _require_permission(call, name, "update")
    where = key(call.project, _required(region), name)
    template = wanted["spec"]["template"]
    _refuse_reserved(template["spec"]["containers"][0].get("env", []))
    for each in (wanted["metadata"], template.get("metadata", {})):
        for value in each.get("labels", {}).values():
            if not LABEL_VALUE.fullmatch(str(value)):
                raise Refused(f"metadata.labels: Bad value [{value}]: {LABEL_RULE}")
    call.tell("Deploying...")
    trouble = roll_out(call.state, where, wanted)
    if took(call.state["faults"]["lost"], name):
        raise AnswerLost
    kept = call.state["services"][where]
    if kept["looks"]:  # gcloud waits for it
        kept["looks"] = 0
        _serve(kept)
    if trouble:
        call.tell("Deployment failed")
        raise Refused(trouble)
    service: Document = call.state["services"][where]["service"]
    call.tell(
        f"Service [{name}] revision [{service['status']['latestReadyRevisionName']}] has been "
        f"deployed and is serving 100 percent of traffic.\nService URL: {service['status']['url']}"
    )
    return service


def _trouble(state: State, where: str, revision: str, image: str) -> str:
    said = f"Revision '{revision}' is not ready and cannot serve traffic."
    if image not in state["images"]:
        return f"{said} Image '{image}' not found."
    if took(state["faults"]["failing"], where.rpartition("/")[2]):
        return (
            f"{said} The user-provided container failed to start and listen on the port defined "
            "provided by the PORT=8080 environment variable within the allocated timeout. Logs "
            "for this revision might contain more information."
        )
    return ""


def _conditions(ready: str, message: str = "") -> Iterator[Document]:
    outcome = {"status": ready}
    if ready != "True":
        reason = "RevisionFailed" if ready == "False" else "Deploying"
        outcome |= {"reason": reason, "message": message}
    yield {"type": "Ready"} | outcome
    yield {"type": "ConfigurationsReady"} | outcome
    yield {"type": "RoutesReady", "status": "True"}


def _suffix(where: str, generation: int) -> str:
    """Return the letters that make a revision's name unlike any other."""
    drawn = hashlib.sha256(f"{where} {generation}".encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in drawn[:3])


def _number(project: str) -> int:
    return int.from_bytes(hashlib.sha256(project.encode()).digest()[:5], "big")


def _read(file: str) -> Document:
    """Return a definition, in JSON or YAML."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"Unable to read file [{file}]: {error}") from error
    try:
        found = json.loads(text)
    except ValueError:
        import yaml  # a definition that people wrote; other commands need not wait for it

        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise Refused(f"Failed to parse YAML from [{file}]: {error}") from error
    if not isinstance(found, dict):
        raise Refused(f"Failed to parse YAML from [{file}]: no mapping")
    return found


def _named(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("name")
    flags.add_argument("--region", default="")


def _replaced(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("file")
    flags.add_argument("--region", default="")


def _updated(flags: argparse.ArgumentParser) -> None:
    _named(flags)
    flags.add_argument("--image", default="")
    for flag in ("--update-env-vars", "--update-secrets"):
        flags.add_argument(flag, type=pairs, default={})
    for flag in ("--remove-env-vars", "--remove-secrets", "--remove-labels"):
        flags.add_argument(flag, type=items, default=[])
    flags.add_argument("--update-labels", type=labels, default={})


def _bound(flags: argparse.ArgumentParser) -> None:
    _named(flags)
    flags.add_argument("--member", required=True)
    flags.add_argument("--role", required=True)


COMMANDS: Final[Commands] = {
    ("run", "services", "add-iam-policy-binding"): Command(_bound, bind),
    ("run", "services", "describe"): Command(_named, describe),
    ("run", "services", "update"): Command(_updated, update),
    ("run", "services", "replace"): Command(_replaced, replace),
}
