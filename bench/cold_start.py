"""Cold start: from exec to the first 200 of /health, against a bare Flask application."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

from bench._measure import BenchResult, interleaved_medians

_PLATFORM = Path(__file__).parent.parent / "platforms" / "ibkr"
_ROUNDS = 15
_TARGET = 1.3
_DEADLINE_SECS = 30.0
_BARE = """\
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return {"status": "ok"}
"""


def run() -> BenchResult:
    """Start both under gunicorn, in turns; `docs/benchmarks.md` has the result."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare"
        bare.mkdir()
        (bare / "main.py").write_text(_BARE)
        # The bare application gets the same gunicorn settings.
        (bare / "gunicorn.conf.py").write_bytes((_PLATFORM / "gunicorn.conf.py").read_bytes())
        settings = {
            "STRATEGY_PROFILE": "global_etf_rotation",
            "EXECUTION_MODE": "paper",
            "QPK_STATE_DIR": folder,
        }
        seconds = interleaved_medians(
            {
                "bare": partial(_first_answer, bare, {}),
                "service": partial(_first_answer, _PLATFORM, settings),
            },
            rounds=_ROUNDS,
        )
    ratio = seconds["service"] / seconds["bare"]
    return BenchResult(
        what="cold start of a service to the first 200 of /health",
        figure=f"{seconds['service'] * 1e3:.0f} ms",
        ratio=f"{ratio:.2f}x a bare Flask + gunicorn application",
        target=f"at most {_TARGET}x",
        met=ratio <= _TARGET,
    )


def _first_answer(folder: Path, settings: Mapping[str, str]) -> None:
    """Start gunicorn in `folder`, return at the first 200, and leave nothing running."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "main:app"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + _DEADLINE_SECS
        while not _healthy(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{folder.name} did not start: run gunicorn there by hand")
            time.sleep(0.002)
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGKILL)  # a worker left behind slows the next start
        server.wait()


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    return False
