"""The platform services as an operator meets them: processes, variables and HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from demo._accounts import DemoAccount
from demo._errors import DemoError
from quant_platform_kit.contracts import CycleReport, Heartbeat, decode

_ROOT = Path(__file__).parent.parent
_HOST = "127.0.0.1"
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_START_SECS = 30.0
_STOP_SECS = 5.0
_CALL_SECS = 60.0
_POLL_SECS = 0.05
_WATCH_SECS = 0.5
_LOG_LINES = 15

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the demo, and with it the services."""


@dataclass(frozen=True, slots=True)
class SlotRun:
    """A service's answer to one ``POST /run``."""

    account: DemoAccount
    session: date
    http_status: int
    report: CycleReport
    heartbeats: tuple[Heartbeat, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One running service."""

    account: DemoAccount
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """The service's address on this machine."""
        return f"http://{_HOST}:{self.port}"

    def run(self, session: date, slot: str = "close") -> SlotRun:
        """Ask the service to run one slot, and wait for its report.

        Raises
        ------
        DemoError
            When the service does not answer with a report.
        """
        status, answer = self._call("POST", "/run", {"slot": slot, "session": session.isoformat()})
        if "report" not in answer:
            raise self._broken(f"answered POST /run with HTTP {status} and no report: {answer}")
        return SlotRun(
            account=self.account,
            session=session,
            http_status=status,
            report=decode(CycleReport, answer["report"]),
            heartbeats=tuple(decode(Heartbeat, item) for item in answer["heartbeats"]),
            repeated=bool(answer["repeated"]),
        )

    def wait_until_healthy(self) -> None:
        """Return when ``GET /health`` answers.

        Raises
        ------
        DemoError
            When the process ends first, or does not answer in time.
        """
        deadline = time.monotonic() + _START_SECS
        while time.monotonic() < deadline:
            self.require_running()
            try:
                status, _ = self._call("GET", "/health")
            except DemoError:
                status = None
            if status == http.HTTPStatus.OK:
                return
            time.sleep(_POLL_SECS)
        raise self._broken(f"did not answer /health within {_START_SECS:.0f} s")

    def require_running(self) -> None:
        """Raise `DemoError` when the process has ended."""
        if self.process.poll() is not None:
            raise self._broken(f"ended by itself with code {self.process.returncode}")

    def _call(
        self, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_CALL_SECS)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise self._broken(f"gave no answer to {method} {path} ({error!r})") from error
        finally:
            connection.close()

    def _broken(self, what: str) -> DemoError:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return DemoError(
            f"The {self.account.platform} service {what}. The end of {self.log}:\n"
            + "\n".join(f"  {line}" for line in lines)
        )


class Fleet:
    """One service per account, started together; a context that leaves none of them running.

    Parameters
    ----------
    accounts : sequence of DemoAccount
    folder : Path
        Gets a log file per service.
    variables : mapping of str to mapping
        The services' settings, by platform; they see nothing else of ours.
    """

    def __init__(
        self,
        accounts: Sequence[DemoAccount],
        folder: Path,
        variables: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._accounts = tuple(accounts)
        self._folder = folder
        self._variables = variables
        self._services: list[Service] = []

    @property
    def services(self) -> tuple[Service, ...]:
        """The running services, in the accounts' order."""
        return tuple(self._services)

    def __enter__(self) -> Self:
        """Start every service and wait until all of them serve."""
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every service: politely, then not."""
        self._stop()

    def kill_and_restart(self) -> None:
        """Kill every service without warning, as a power cut would, and start them again."""
        with _undisturbed():
            for service in self._services:
                _kill(service.process)
            self._services.clear()
        self._start()

    def watch(self) -> NoReturn:
        """Wait while every service runs; raise `DemoError` when one has ended."""
        while True:
            for service in self._services:
                service.require_running()
            time.sleep(_WATCH_SECS)

    def _start(self) -> None:
        for account in self._accounts:
            with _undisturbed():
                service = _start(account, self._folder, self._variables[account.platform])
                self._services.append(service)
        for service in self._services:
            service.wait_until_healthy()

    def _stop(self) -> None:
        with _undisturbed():
            for service in self._services:
                if service.process.poll() is None:
                    service.process.terminate()
                else:
                    _kill(service.process)  # its workers may have outlived it
            deadline = time.monotonic() + _STOP_SECS
            for service in self._services:
                try:
                    service.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    _kill(service.process)


def _start(account: DemoAccount, folder: Path, variables: Mapping[str, str]) -> Service:
    log = folder / f"{account.platform}.log"
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The listening socket is ours and handed over, so that no other program can take the port
    # between our choice and the service's start.
    with socket.create_server((_HOST, 0)) as listener, log.open("ab") as sink:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "main:app"),
                *("--bind", f"fd://{listener.fileno()}", "--threads", "4"),
            ],
            cwd=_ROOT / "platforms" / account.platform,
            env=inherited | dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(),),
            start_new_session=True,  # a Ctrl-C is ours to pass on; the group is killed as one
        )
        return Service(account, process, listener.getsockname()[1], log)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # A group whose leader has ended may be gone; one whose leader still runs is not.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put signals off, so that no process is lost between its start and our knowing of it."""
    noted: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: noted.append(number))
        for number in STOPPING_SIGNALS
    }
    try:
        yield
    finally:
        for stopping, handler in before.items():
            signal.signal(stopping, handler)
        if noted:
            signal.raise_signal(noted[0])
