"""`gcloud logging read`: what services printed, newest first."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.testing._gcloud._flags import Call, Command, Commands
from quant_platform_kit.testing._gcloud._state import Refused

Entry = dict[str, Any]

_FILE: Final = "log.jsonl"
_TERM: Final = re.compile(
    r"\s*(?P<path>[\w.]+)\s*(?P<sign><=|>=|!=|[=:<>])\s*"
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s"()=:]+)(?:\s+(?:AND\s+)?|$)'
)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COMPARED: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": lambda held, wanted: held == wanted,
    "!=": lambda held, wanted: held != wanted,
    ":": lambda held, wanted: wanted.casefold() in held.casefold(),
    "<": lambda held, wanted: held < wanted,
    "<=": lambda held, wanted: held <= wanted,
    ">": lambda held, wanted: held > wanted,
    ">=": lambda held, wanted: held >= wanted,
}


def keep(folder: Path, labels: dict[str, str], lines: list[str], at: datetime) -> None:
    """Keep what a service printed as the entries that Cloud Logging makes of it.

    A line of JSON becomes a payload with its fields, of which the time and the severity are taken
    out; any other line is a text.
    """
    resource = {"type": "cloud_run_revision", "labels": labels}
    with (folder / _FILE).open("a", encoding="utf-8") as file:
        for line in lines:
            entry = {"resource": resource, **_payload(line, at)}
            file.write(f"{json.dumps(entry)}\n")


def read(call: Call) -> list[Entry]:
    """Return the entries that a filter lets through."""
    if call.project != call.state["project"]:
        raise Refused("PERMISSION_DENIED: Permission denied for all log views")
    terms = list(_terms(call.asked.filter))
    if not any(path == "timestamp" for path, _, _ in terms):
        newest = datetime.now(UTC)  # noqa: TID251 (of this machine, as the log is)
        terms.append(("timestamp", ">=", _stamp(newest - _span(call.asked.freshness))))
    path = call.folder / _FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = [json.loads(line) for line in text.splitlines()]
    found = [entry for entry in found if all(_holds(entry, *term) for term in terms)]
    # Of one instant, what was printed last comes first.
    found.reverse()
    found.sort(key=lambda entry: str(entry["timestamp"]), reverse=True)
    return found[: call.asked.limit]


def _payload(line: str, at: datetime) -> Entry:
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return {"timestamp": _stamp(at), "severity": "DEFAULT", "textPayload": line}
    with suppress(ValueError):  # a time that cannot be read is when the line arrived
        at = datetime.fromisoformat(told.pop("time", "")).astimezone(UTC)
    severity = told.pop("severity", "DEFAULT")
    return {"timestamp": _stamp(at), "severity": severity, "jsonPayload": told}


def _terms(text: str) -> Iterator[tuple[str, str, str]]:
    """Split a filter, of which only comparisons joined by AND are understood."""
    place = 0
    while place < len(text.rstrip()):
        term = _TERM.match(text, place)
        if term is None or term["value"] in ("AND", "OR"):
            raise Refused(
                "INVALID_ARGUMENT: Unparseable filter: syntax error at line 1, column "
                f"{place + 1}, token '{text[place : place + 1]}'"
            )
        value = term["value"]
        plain = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        yield term["path"], term["sign"], plain
        place = term.end()


def _holds(entry: Entry, path: str, sign: str, wanted: str) -> bool:
    held: Any = entry
    for part in path.split("."):
        held = held.get(part) if isinstance(held, dict) else None
    if held is None:
        return sign == "!="
    if path == "timestamp":
        wanted = _stamp(datetime.fromisoformat(wanted).astimezone(UTC))
    return _COMPARED[sign](str(held), wanted)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _span(text: str) -> timedelta:
    if not re.fullmatch(r"\d+[smhdw]", text):
        raise Refused(f"argument --freshness: Failed to parse duration: [{text}]", 2)
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _flags(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("filter", nargs="?", default="")
    flags.add_argument("--limit", type=int)
    flags.add_argument("--freshness", default="1d")


COMMANDS: Final[Commands] = {("logging", "read"): Command(_flags, read)}
