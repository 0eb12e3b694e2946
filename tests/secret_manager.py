"""A far side for Google's own Secret Manager client: its REST calls, on loopback."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c

PROJECT = "projects/desk"

_CALL = re.compile(
    r"/v1/(?P<secret>projects/[\w-]+(?:/locations/[\w-]+)?/secrets/[\w-]+)"
    r"(?:/versions/(?P<version>\w+))?:(?P<what>access|addVersion)(?:\?.*)?"
)
_STATUS = {400: "FAILED_PRECONDITION", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


@dataclass
class SecretServer:
    """Secrets by name, each a list of versions; None is one that was disabled or destroyed.

    `damaging` and `unchecked` hold names of secrets: of those whose data changes on its way, in
    either direction, and of those that are answered without a checksum.
    """

    url: str = ""
    secrets: dict[str, list[str | None]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    damaging: set[str] = field(default_factory=set)
    unchecked: set[str] = field(default_factory=set)
    read_only: bool = False
    failures: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Answer at once; `held.clear()` keeps every answer back."""
        self.held.set()

    def keep(self, name: str, *texts: str | None) -> str:
        """Keep versions of a secret, oldest first; return its name."""
        self.secrets[f"{PROJECT}/secrets/{name}"] = list(texts)
        return f"{PROJECT}/secrets/{name}"

    def answer(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 (JSON)
        """Return the code and the body of an answer."""
        call = _CALL.fullmatch(path)
        assert call is not None, path
        with self.lock:
            self.asked.append(f"{call['what']} {call['secret'].rpartition('/')[2]}")
            if self.failures:
                return _refusal(self.failures.pop(0))
            if call["secret"] in self.denied or (self.read_only and call["what"] != "access"):
                return _refusal(403)
            versions = self.secrets.get(call["secret"])
            if versions is None:
                return _refusal(404)
            if call["what"] == "addVersion":
                return self._add(call["secret"], body["payload"], versions)
            return self._version(call["secret"], call["version"], versions)

    def _add(
        self, secret: str, payload: dict[str, str], versions: list[str | None]
    ) -> tuple[int, dict[str, Any]]:
        data = self._carried(secret, base64.b64decode(payload["data"]))
        if int(payload["dataCrc32c"]) != google_crc32c.value(data):
            return _refusal(400)
        versions.append(data.decode())
        return 200, {"name": f"{secret}/versions/{len(versions)}"}

    def _version(
        self, secret: str, version: str, versions: list[str | None]
    ) -> tuple[int, dict[str, Any]]:
        number = len(versions) if version == "latest" else int(version)
        if not 0 < number <= len(versions):
            return _refusal(404)
        text = versions[number - 1]
        if text is None:
            return _refusal(400)
        data = b"\xff\xfe" if secret in self.unreadable else text.encode()
        payload = {"data": base64.b64encode(self._carried(secret, data)).decode()}
        if secret not in self.unchecked:
            payload["dataCrc32c"] = str(google_crc32c.value(data))
        return 200, {"name": f"{secret}/versions/{number}", "payload": payload}

    def _carried(self, secret: str, data: bytes) -> bytes:
        """Return data as it arrives."""
        return data[:-1] + b"?" if secret in self.damaging else data


@contextmanager
def secret_server() -> Iterator[SecretServer]:
    """Serve secrets on a free loopback port for the block."""
    server = SecretServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: Any) -> None:  # noqa: ANN401 (JSON)
            server.held.wait()
            code, answer = server.answer(self.path, body)
            text = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_port}"
        serving = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        try:
            yield server
        finally:
            server.held.set()
            http.shutdown()
            serving.join()


def _refusal(code: int) -> tuple[int, dict[str, Any]]:
    status = _STATUS.get(code, "UNAVAILABLE")
    return code, {"error": {"code": code, "message": f"refused: {status}", "status": status}}
