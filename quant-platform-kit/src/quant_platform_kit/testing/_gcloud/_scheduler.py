"""`gcloud scheduler jobs`: when a service is asked, and as whom."""

from __future__ import annotations

import argparse
import base64
import json
import re
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quant_platform_kit.testing._gcloud._flags import Call, Command, Commands, items, pairs
from quant_platform_kit.testing._gcloud._state import Refused

Document = dict[str, Any]

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
_DEADLINES: Final = range(15, 1_801)
_CRON: Final = re.compile(r"[\d*/,-]+( [\d*/,\w-]+){4}")


def describe(call: Call) -> Document:
    """Return a job as it is."""
    return _existing(call)


def create(call: Call) -> Document:
    """Make a job."""
    name = _name(call)
    if name in call.state["jobs"]:
        raise Refused(f"ALREADY_EXISTS: Job {name} already exists.")
    job: Document = {"name": name, "state": "ENABLED", "timeZone": "Etc/UTC", "httpTarget": {}}
    job |= {"attemptDeadline": "180s", "retryConfig": {}}
    job["httpTarget"] |= {"httpMethod": "POST", "headers": {"User-Agent": "Google-Cloud-Scheduler"}}
    call.state["jobs"][name] = _changed(job, call.asked)
    return job


def update(call: Call) -> Document:
    """Change some of a job."""
    return _changed(_existing(call), call.asked)


def pause(call: Call) -> Document:
    """Keep a job from running by itself."""
    return _become(call, "PAUSED", "Job has been paused.")


def resume(call: Call) -> Document:
    """Let a job run by itself again."""
    return _become(call, "ENABLED", "Job has been resumed.")


def ask(call: Call, job: Document) -> None:
    """Ask the service of a job at once; the real one does not wait for the answer."""
    from quant_platform_kit.testing.gcloud import Cloud  # which is made of these commands

    url = job["httpTarget"]["uri"].removesuffix("/run")
    body = json.loads(base64.b64decode(job["httpTarget"]["body"]))
    for where, kept in call.state["services"].items():
        if kept["service"]["status"].get("url") == url:
            _, region, name = where.split("/")
            Cloud(call.folder, call.project, region).ask(name, body)


def listed(call: Call) -> list[Document]:
    """Return the jobs of a place."""
    parent = f"projects/{call.project}/locations/{call.asked.location}/jobs/"
    jobs: Document = call.state["jobs"]
    return [job for name, job in sorted(jobs.items()) if name.startswith(parent)]


def _name(call: Call) -> str:
    if call.project != call.state["project"] or call.asked.name in call.state["faults"]["denied"]:
        raise Refused("PERMISSION_DENIED: The principal lacks IAM permission for the action.")
    return f"projects/{call.project}/locations/{call.asked.location}/jobs/{call.asked.name}"


def _existing(call: Call) -> Document:
    name = _name(call)
    if name not in call.state["jobs"]:
        raise Refused("NOT_FOUND: Job not found.")
    job: Document = call.state["jobs"][name]
    return job


def _become(call: Call, state: str, told: str) -> Document:
    job = _existing(call)
    job["state"] = state
    call.tell(told)
    return job


def _changed(job: Document, asked: argparse.Namespace) -> Document:
    """Write what a command names into a job, once all of it is seen to be right."""
    zone, schedule = asked.time_zone or job["timeZone"], asked.schedule or job["schedule"]
    if not _CRON.fullmatch(schedule) or not _is_zone(zone):
        raise Refused("INVALID_ARGUMENT: Schedule or time zone is invalid.")
    deadline = _seconds(asked.attempt_deadline or job["attemptDeadline"])
    if deadline not in _DEADLINES:
        raise Refused("INVALID_ARGUMENT: attempt_deadline must be within [15s, 30m].")
    job |= {"schedule": schedule, "timeZone": zone, "attemptDeadline": f"{deadline}s"}
    if asked.max_retry_attempts is not None:
        job["retryConfig"]["retryCount"] = asked.max_retry_attempts
    target = job["httpTarget"]
    if asked.uri:
        target["uri"] = asked.uri
    if asked.http_method:
        target["httpMethod"] = asked.http_method.upper()
    if asked.message_body is not None:
        target["body"] = base64.b64encode(asked.message_body.encode()).decode()
    target["headers"] |= asked.headers
    if asked.oidc_service_account_email:
        audience = asked.oidc_token_audience or target["uri"]
        email = asked.oidc_service_account_email
        target["oidcToken"] = {"serviceAccountEmail": email, "audience": audience}
    return job


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    return int(number) * _UNITS[unit] if number.isdigit() and unit in _UNITS else -1


def _placed(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--location", required=True)


def _named(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("name")
    _placed(flags)


def _described(*, new: bool) -> Any:  # noqa: ANN401 (a function of a parser)
    def add(flags: argparse.ArgumentParser) -> None:
        _named(flags)
        for flag in ("--schedule", "--uri"):
            flags.add_argument(flag, required=new)
        for flag in ("--time-zone", "--http-method", "--attempt-deadline"):
            flags.add_argument(flag, default="")
        for flag in ("--oidc-service-account-email", "--oidc-token-audience"):
            flags.add_argument(flag, default="")
        flags.add_argument("--message-body")
        flags.add_argument("--max-retry-attempts", type=int)
        headers = "--headers" if new else "--update-headers"
        flags.add_argument(headers, dest="headers", type=pairs, default={})
        if not new:
            flags.add_argument("--remove-headers", type=items, default=[])

    return add


COMMANDS: Final[Commands] = {
    ("scheduler", "jobs", "describe"): Command(_named, describe),
    ("scheduler", "jobs", "create", "http"): Command(_described(new=True), create),
    ("scheduler", "jobs", "update", "http"): Command(_described(new=False), update),
    ("scheduler", "jobs", "list"): Command(_placed, listed),
    ("scheduler", "jobs", "pause"): Command(_named, pause),
    ("scheduler", "jobs", "resume"): Command(_named, resume),
    ("scheduler", "jobs", "run"): Command(_named, describe, ask),
}
