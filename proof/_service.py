"""The real service, started as in production and killed without a word."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent
_CONFIG: Final = {
    "pool": ["AAPL", "AMD", "BAC", "GE", "HD", "JNJ", "JPM", "KO", "MSFT", "PFE", "WMT", "XOM"],
    "canary": ["SP500"],
    "canary_bad_threshold": 1,
    "safe_haven": None,
    "benchmark": "SP500",
    "top_n": 6,
}
_PATIENCE_SECS: Final = 60.0

Order = tuple[str, str, str]
"""Side, symbol and quantity of an order that filled."""


def eventually(condition: Callable[[], bool], *, within_secs: float = _PATIENCE_SECS) -> None:
    """Return as soon as `condition` holds.

    Raises
    ------
    TimeoutError
        When it does not come to that in time.
    """
    deadline = time.monotonic() + within_secs
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come to that within {within_secs:.0f} s")
        time.sleep(0.005)


class Service:
    """One service process on one folder; a new object on the same folder is a restart.

    Parameters
    ----------
    folder : Path
    latency_secs : float
        What a submission takes to the broker, and back again.
    start : str
        First session of a new account.
    store_url : str, optional
        PostgreSQL; SQLite in the folder when absent.
    """

    def __init__(
        self,
        folder: Path,
        *,
        latency_secs: float = 0.0,
        start: str = "2019-03-29",
        store_url: str | None = None,
    ) -> None:
        self.folder = folder
        self.port = _free_port()
        environ = settings_of(folder, latency_secs=latency_secs, start=start, store_url=store_url)
        command = (sys.executable, "-m", "gunicorn", "--workers", "1", "main:app")
        with (folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--bind", f"127.0.0.1:{self.port}"],
                cwd=_ROOT / "platforms" / "schwab",
                env={"PATH": os.environ["PATH"], **environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            eventually(self._healthy)
        except BaseException:
            self.kill()
            raise

    def run(self, session: str) -> dict[str, Any]:
        """Run a slot and return the answer."""
        body = json.dumps({"session": session}).encode()
        request = urllib.request.Request(self._url("/run"), data=body)
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECS) as answer:
            answered: dict[str, Any] = json.load(answer)
        return answered

    def run_until(self, session: str, fatal: Callable[[], bool]) -> bool:
        """Call a slot and kill the service once `fatal` holds; tell whether it was answered."""
        answers: list[dict[str, Any]] = []

        def call() -> None:
            with suppress(OSError, urllib.error.URLError, ConnectionError, EOFError):
                answers.append(self.run(session))

        caller = threading.Thread(target=call)
        caller.start()
        try:
            eventually(lambda: fatal() or not caller.is_alive())
        finally:
            self.kill()
            caller.join()
        return bool(answers)

    def kill(self) -> None:
        """Kill every process of the service."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _healthy(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError((self.folder / "service.log").read_text())
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(self._url("/health"), timeout=5).close()
            return True
        return False

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def settings_of(
    folder: Path, *, latency_secs: float, start: str, store_url: str | None
) -> dict[str, str]:
    """Write the strategy's configuration into `folder` and return the service's variables."""
    config = folder / "config.json"
    config.write_text(json.dumps(_CONFIG))
    environ = {
        "STRATEGY_PROFILE": "global_etf_rotation",
        "STRATEGY_CONFIG_PATH": str(config),
        "EXECUTION_MODE": "paper",
        "QPK_STATE_DIR": str(folder / "state"),
        "QPK_SIMULATED_MARKET": _market(),
        "QPK_SIMULATED_START": start,
        "QPK_SIMULATED_LATENCY_SECS": str(latency_secs),
    }
    return environ if store_url is None else environ | {"QPK_STORE_URL": store_url}


def orders_at_the_broker(folder: Path) -> list[Order]:
    """Return every order the far side has booked, with what it filled."""
    book = folder / "state" / "simulated-broker.jsonl"
    if not book.exists():
        return []
    lines = book.read_bytes()
    # A line without its end is being written, or never happened.
    whole = lines[: lines.rfind(b"\n") + 1].splitlines()
    events = [event for line in whole for event in json.loads(line)]
    fills = [event["fill"] for event in events if event["event"] == "fill"]
    orders = sum(event["event"] == "order" for event in events)
    if len(fills) != orders:
        raise AssertionError(f"{orders} orders and {len(fills)} fills at the broker")
    return [(fill["side"], fill["symbol"], fill["quantity"]) for fill in fills]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _market() -> str:
    package = find_spec("skfolio")
    if package is None or package.submodule_search_locations is None:
        raise RuntimeError("skfolio, which has the prices, is not installed: make install")
    data = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    return os.pathsep.join(
        str(data / f"{name}.csv.gz") for name in ("sp500_dataset", "sp500_index")
    )
