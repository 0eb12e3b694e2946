"""A service started as an image starts it, asked, and ended."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

_PATIENCE_SECS: Final = 60.0
_PAUSE_SECS: Final = 0.1
_ANSWER_SECS: Final = 5.0
_RUN_SECS: Final = 900.0
_END_SECS: Final = 20.0
_KEPT: Final = ("HOME", "LANG", "PATH", "TMPDIR", "GOOGLE_APPLICATION_CREDENTIALS")
_LAST_CHARACTERS: Final = 2_000


class ServiceDown(Exception):
    """A service does not answer; the message says why, and ends with its last words."""


@dataclass(frozen=True, slots=True)
class Served:
    """A service that answers.

    Parameters
    ----------
    url : str
    health : mapping
        What it says of itself.
    """

    url: str
    health: Mapping[str, Any]

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Let it run a slot, and return its answer: the report, or why there is none."""
        asked = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self.url}/run", json.dumps(request).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(asked, timeout=_RUN_SECS) as answer:  # noqa: S310
                body: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:  # a run that ended badly has a report all the same
            body = json.load(error)
        return body


@contextmanager
def served(boot: str, folder: Path, python: Path, variables: Mapping[str, str]) -> Iterator[Served]:
    """Start a service, wait until it answers, and end it after the block.

    Parameters
    ----------
    boot : str
        Its command, with ``{port}`` where the port belongs.
    folder : Path
        Where it runs; what it prints is kept beside it, in ``NAME.log``.
    python : Path
        Of its environment, whose programs come first.
    variables : mapping of str to str
        All that it is told, besides where things are on this machine.

    Raises
    ------
    ServiceDown
    """
    port = _free_port()
    command = shlex.split(boot.replace("{port}", str(port)))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = f"{python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    program = shutil.which(command[0], path=path)
    if program is None:
        raise ServiceDown(f"{command[0]} is not among what its pins install")
    printed = log_of(folder)
    with printed.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (the layout's own command)
            [program, *command[1:]],
            cwd=folder,
            env=kept | {"PATH": path} | dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        health = _health(port, process)
        if health is None:
            said = printed.read_text(encoding="utf-8", errors="replace")[-_LAST_CHARACTERS:]
            raise ServiceDown(f"its service did not answer. It said:\n{said}")
        yield Served(f"http://127.0.0.1:{port}", health)
    finally:
        process.terminate()
        try:
            process.wait(_END_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def log_of(folder: Path) -> Path:
    """Return where is kept what a service printed that ran in a folder."""
    return folder.with_name(f"{folder.name}.log")


def _health(port: int, process: subprocess.Popen[bytes]) -> Mapping[str, Any] | None:
    """Return what ``/health`` answers; None when the process ended, or took too long."""
    until = time.monotonic() + _PATIENCE_SECS
    url = f"http://127.0.0.1:{port}/health"
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_SECS) as answer:
                body: Mapping[str, Any] = json.load(answer)
                return body
        except (urllib.error.URLError, HTTPException, OSError, ValueError):
            time.sleep(_PAUSE_SECS)
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
