"""Card A9 on the real thing: kill -9 of a gunicorn service in the middle of a slot."""

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
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FIRST, SECOND = "2019-03-29", "2019-06-28"  # ends of two quarters: buy, then rotate
POOL = ("AAPL", "AMD", "BAC", "GE", "HD", "JNJ", "JPM", "KO", "MSFT", "PFE", "WMT", "XOM")


def eventually(condition: Callable[[], bool], *, within_secs: float = 30.0) -> None:
    """Return as soon as `condition` holds."""
    deadline = time.monotonic() + within_secs
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.005)


class Service:
    """One service process on one folder; a new object on the same folder is a restart."""

    def __init__(self, folder: Path, *, latency_secs: float = 0.0) -> None:
        self.folder = folder
        self.port = _free_port()
        config = folder / "config.json"
        config.write_text(
            json.dumps(
                {
                    "pool": POOL,
                    "canary": ["SP500"],
                    "canary_bad_threshold": 1,
                    "safe_haven": None,
                    "benchmark": "SP500",
                    "top_n": 6,
                }
            )
        )
        environ = {
            "PATH": os.environ["PATH"],
            "STRATEGY_PROFILE": "global_etf_rotation",
            "STRATEGY_CONFIG_PATH": str(config),
            "EXECUTION_MODE": "paper",
            "QPK_STATE_DIR": str(folder / "state"),
            "QPK_SIMULATED_MARKET": _market(),
            "QPK_SIMULATED_START": FIRST,
            "QPK_SIMULATED_LATENCY_SECS": str(latency_secs),
        }
        with (folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "--bind",
                    f"127.0.0.1:{self.port}",
                    "--workers",
                    "1",
                    "main:app",
                ],
                cwd=ROOT / "platforms" / "schwab",
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._healthy)

    def run(self, session: str) -> dict[str, Any]:
        """Run a slot and return the answer."""
        body = json.dumps({"session": session}).encode()
        request = urllib.request.Request(self._url("/run"), data=body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answered: dict[str, Any] = json.load(answer)
        return answered

    def kill(self) -> None:
        """Kill every process of the service, without a word."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _healthy(self) -> bool:
        assert self._process.poll() is None, (self.folder / "service.log").read_text()
        with suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(self._url("/health"), timeout=5).close()
            return True
        return False

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _market() -> str:
    package = find_spec("skfolio")
    assert package is not None
    assert package.submodule_search_locations is not None
    data = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    return os.pathsep.join(
        str(data / f"{name}.csv.gz") for name in ("sp500_dataset", "sp500_index")
    )


def orders_at_the_broker(folder: Path) -> list[tuple[str, str, str]]:
    """Return every order the far side has booked, with what it filled."""
    events = [
        event
        for line in (folder / "state" / "simulated-broker.jsonl").read_text().splitlines()
        for event in json.loads(line)
    ]
    fills = [event["fill"] for event in events if event["event"] == "fill"]
    assert len(fills) == sum(event["event"] == "order" for event in events)
    return [(fill["side"], fill["symbol"], fill["quantity"]) for fill in fills]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    service = Service(folder)
    try:
        service.run(FIRST)
        service.run(SECOND)
    finally:
        service.kill()
    return orders_at_the_broker(folder)


@pytest.mark.parametrize("booked_before_death", [1, 4, 7])
def test_a_killed_slot_run_again_leaves_exactly_the_orders_of_an_undisturbed_run(
    tmp_path: Path, undisturbed: list[tuple[str, str, str]], booked_before_death: int
) -> None:
    service = Service(tmp_path)
    service.run(FIRST)
    service.kill()
    bought = len(orders_at_the_broker(tmp_path))

    service = Service(tmp_path, latency_secs=0.05)
    caller = threading.Thread(target=_call_in_vain, args=(service,))
    caller.start()
    eventually(lambda: len(orders_at_the_broker(tmp_path)) >= bought + booked_before_death)
    service.kill()
    caller.join()
    assert bought < len(orders_at_the_broker(tmp_path)) < len(undisturbed)

    service = Service(tmp_path)
    try:
        answer = service.run(SECOND)
        repeated = service.run(SECOND)
    finally:
        service.kill()

    assert (answer["report"]["outcome"], answer["report"]["attempt"]) == ("TRADED", 2)
    assert repeated["repeated"]
    assert repeated["report"] == answer["report"]
    assert orders_at_the_broker(tmp_path) == undisturbed


def _call_in_vain(service: Service) -> None:
    with suppress(OSError, urllib.error.URLError):
        service.run(SECOND)
