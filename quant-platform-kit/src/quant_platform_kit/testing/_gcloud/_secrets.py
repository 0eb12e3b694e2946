"""`gcloud secrets`: texts in versions, of which none is ever changed."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.testing._gcloud._flags import Call, Command, Commands
from quant_platform_kit.testing._gcloud._state import Refused, State

Document = dict[str, Any]

_NAME: Final = re.compile(r"[\w-]{1,255}")
_MEMBER: Final = re.compile(r"(user|group|serviceAccount):\S+@\S+")
_NONE: Final = "-"  # stands among a secret's versions where there is none yet


def create(call: Call) -> Document:
    """Make a secret, with a first version if there is a file of it."""
    name = _permitted(call)
    if not _NAME.fullmatch(name):
        raise Refused(f"INVALID_ARGUMENT: The provided Secret ID [{name}] does not match the rule.")
    if versions(call.state, name) is not None:
        raise Refused(
            f"Resource in projects [{call.project}] is the subject of a conflict: Secret "
            f"[{_path(call)}] already exists."
        )
    call.state["secrets"][f"{name}:{_NONE}"] = ""
    call.tell(f"Created secret [{name}].")
    return _added(call, name) if call.asked.data_file else {"name": _path(call)}


def add(call: Call) -> Document:
    """Add a version."""
    return _added(call, _existing(call))


def bind(call: Call) -> Document:
    """Give somebody a role for one secret."""
    name = _existing(call)
    if not _MEMBER.fullmatch(call.asked.member):
        raise Refused(f"INVALID_ARGUMENT: The member {call.asked.member} is of an unknown type.")
    roles = call.state.setdefault("roles", {}).setdefault(name, {})
    members = roles.setdefault(call.asked.role, [])
    if call.asked.member not in members:
        members.append(call.asked.member)
    call.tell(f"Updated IAM policy for secret [{name}].")
    return {"bindings": [{"members": held, "role": role} for role, held in roles.items()]}


def listed(call: Call) -> list[Document]:
    """Return the versions of a secret, newest first."""
    found = versions(call.state, _existing(call)) or {}
    state = {"state": "ENABLED"}
    return [{"name": f"{_path(call)}/versions/{each}", **state} for each in sorted(found)[::-1]]


def versions(state: State, name: str) -> dict[int, str] | None:
    """Return the texts of a secret by number; None when there is no such secret."""
    held = {
        key.rpartition(":")[2]: text
        for key, text in state["secrets"].items()
        if key.rpartition(":")[0] == name
    }
    return {int(each): text for each, text in held.items() if each != _NONE} if held else None


def _added(call: Call, name: str) -> Document:
    number = max(versions(call.state, name) or {}, default=0) + 1
    call.state["secrets"][f"{name}:{number}"] = _read(call.asked.data_file)
    call.tell(f"Created version [{number}] of the secret [{name}].")
    return {"name": f"{_path(call)}/versions/{number}", "state": "ENABLED"}


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"Unable to read file [{file}]: {error}") from error


def _existing(call: Call) -> str:
    name = _permitted(call)
    if versions(call.state, name) is None:
        raise Refused(f"NOT_FOUND: Secret [{_path(call)}] not found.")
    return name


def _permitted(call: Call) -> str:
    name: str = call.asked.name
    if call.project != call.state["project"] or name in call.state["faults"]["denied"]:
        raise Refused(
            f"PERMISSION_DENIED: Permission denied for resource '{_path(call)}' (or it may not "
            "exist)."
        )
    return name


def _path(call: Call) -> str:
    return f"projects/{call.project}/secrets/{call.asked.name}"


def _named(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("name")


def _created(flags: argparse.ArgumentParser) -> None:
    _named(flags)
    flags.add_argument("--replication-policy", choices=("automatic", "user-managed"))
    flags.add_argument("--data-file", default="")


def _extended(flags: argparse.ArgumentParser) -> None:
    _named(flags)
    flags.add_argument("--data-file", required=True)


def _bound(flags: argparse.ArgumentParser) -> None:
    _named(flags)
    flags.add_argument("--member", required=True)
    flags.add_argument("--role", required=True)


COMMANDS: Final[Commands] = {
    ("secrets", "add-iam-policy-binding"): Command(_bound, bind),
    ("secrets", "create"): Command(_created, create),
    ("secrets", "versions", "add"): Command(_extended, add),
    ("secrets", "versions", "list"): Command(_named, listed),
}
