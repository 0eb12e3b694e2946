"""A simulator as a process: it serves, obeys its control port, and ends with its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from select import select

import pytest

from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import FeeModel, Side, canonical
from quant_platform_kit.errors import ContractError, TransientError
from quant_platform_kit.simulators import (
    HostOptions,
    SimulatorControl,
    SimulatorProcess,
)

Launch = Callable[[str], SimulatorProcess]


@pytest.fixture
def control(launch: Launch, fresh: HostOptions) -> SimulatorControl:
    control = launch("schwab").control
    control.open_account(fresh)
    return control


def test_the_clock_moves_when_it_is_told_to_and_never_back(control: SimulatorControl) -> None:
    begun = control.now()
    control.sleep(2.5)
    assert control.now() - begun == timedelta(seconds=2.5)
    control.advance_to(begun + timedelta(hours=1))
    assert control.now() - begun == timedelta(hours=1)
    with pytest.raises(ContractError, match="simulated time never runs backwards"):
        control.advance_to(begun)


def test_somebody_can_trade_by_hand(control: SimulatorControl) -> None:
    assert control.trade("AAA", Side.BUY, Decimal(3))["outcome"] == "acked"
    book = control.book()
    assert [(p["symbol"], p["quantity"]) for p in book["positions"]] == [("AAA", "3")]
    assert [order["client_id"] for order in book["orders"]] == [None]
    assert book["account"]["cash_usd"] == "970.00"


def test_a_new_account_has_no_memory_and_no_faults(
    control: SimulatorControl, fresh: HostOptions
) -> None:
    control.trade("AAA", Side.BUY, Decimal(3))
    control.fault(Fault.REJECT)
    fees = FeeModel(minimum_usd=Decimal(1))
    control.open_account(replace(fresh, account_id="other", cash_usd=Decimal(50), fees=fees))
    assert control.health()["account_id"] == "other"
    control.trade("AAA", Side.BUY, Decimal(1))
    assert control.book()["account"]["cash_usd"] == "39.00"


def test_an_account_with_a_file_survives_its_simulator(
    control: SimulatorControl, fresh: HostOptions, tmp_path: Path
) -> None:
    kept = replace(fresh, book_path=str(tmp_path / "book.jsonl"))
    control.open_account(kept)
    control.trade("AAA", Side.BUY, Decimal(3))
    before = control.book()
    control.open_account(fresh)
    assert control.book()["positions"] == []
    control.open_account(kept)
    assert control.book() == before


def test_another_market_has_other_prices(
    control: SimulatorControl, fresh: HostOptions, tmp_path: Path
) -> None:
    control.trade("AAA", Side.BUY, Decimal(10))
    path = tmp_path / "dearer.csv"
    path.write_text(Path(fresh.market).read_text().replace(",10.0,", ",12.0,"))
    control.set_market(str(path))
    assert control.book()["account"]["equity_usd"] == "1020.00"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/faults", [{"fault": "bad_mood"}], "'bad_mood' is not a valid WireFault"),
        ("/faults", [{"fault": "reject", "often": 3}], "unexpected keyword argument 'often'"),
        ("/faults", [{"fault": "wire_reject", "nth": 0}], "expected 1 or more"),
        ("/clock", {"secs": "soon"}, "The request is malformed"),
        ("/market", {}, "KeyError"),
        ("/trade", {"symbol": "AAA", "side": "buy", "quantity": "-1"}, "quantity"),
        ("/connections", {"action": "shake"}, "expected one of drop, refuse, accept"),
        ("/account", {"account_id": "x", "colour": "red"}, "there is no such field"),
    ],
)
def test_a_request_that_cannot_be_done_says_why(
    path: str, body: object, words: str, control: SimulatorControl
) -> None:
    method = "PUT" if path == "/faults" else "POST"
    with pytest.raises(ContractError, match=words):
        control._call(method, path, body)  # noqa: SLF001 (what no method sends)


def test_an_unknown_command_is_an_error(control: SimulatorControl) -> None:
    with pytest.raises(ContractError, match="There is no GET /weather"):
        control._call("GET", "/weather")  # noqa: SLF001 (what no method sends)


def test_an_unplugged_simulator_refuses_connections_and_keeps_its_control_port(
    launch: Launch, control: SimulatorControl
) -> None:
    port = launch("schwab").port
    control.unplug()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    control.plug()
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_connection_that_is_dropped_is_reset(launch: Launch, control: SimulatorControl) -> None:
    with closing(HTTPConnection("127.0.0.1", launch("schwab").port, timeout=5)) as client:
        client.request("GET", "/")
        assert client.getresponse().read()
        control.drop()
        with pytest.raises(ConnectionResetError):
            client.sock.recv(1024)


@pytest.fixture
def parent(fresh: HostOptions) -> Iterator[subprocess.Popen[str]]:
    """Start a process that starts a simulator, prints its control port and waits."""
    program = (
        "import sys, json\n"
        "from quant_platform_kit.contracts import decode\n"
        "from quant_platform_kit.simulators import HostOptions, SimulatorProcess\n"
        f"o = decode(HostOptions, json.loads({canonical(fresh)!r}))\n"
        "s = SimulatorProcess.start('schwab', account_id=o.account_id, market=o.market,\n"
        "    start=o.start, cash_usd=o.cash_usd)\n"
        "print(s.control.port, s.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", program]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_simulator_ends_when_its_parent_is_killed(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    port, pid = map(int, parent.stdout.readline().split())
    simulator = os.pidfd_open(pid)
    assert SimulatorControl(port).health()["broker"] == "schwab"
    os.kill(parent.pid, signal.SIGKILL)
    ended, _, _ = select([simulator], [], [], 10)
    os.close(simulator)
    assert ended
    with pytest.raises(TransientError, match="does not answer"):
        SimulatorControl(port).health()


def test_a_simulator_ends_at_once_wherever_a_signal_finds_it(fresh: HostOptions) -> None:
    program = (
        "import json\n"
        "from quant_platform_kit.contracts import decode\n"
        "from quant_platform_kit.simulators import HostOptions, _run, run_simulator\n"
        "_run._TICK_SECS = 0.0\n"  # looks all the time: a signal comes in the middle of it
        f"options = decode(HostOptions, json.loads({canonical(fresh)!r}))\n"
        "tell = lambda ports: print(ports, flush=True)\n"
        "run_simulator('schwab', options, announce=tell, attached=True)\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert "control_port" in process.stdout.readline()
            process.terminate()
        assert [process.communicate(timeout=10)[1] for process in running] == [""] * 4
        assert [process.returncode for process in running] == [0] * 4
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_a_simulator_that_cannot_start_is_an_error(fresh: HostOptions) -> None:
    with pytest.raises(ContractError, match="The simulator of nobody did not start"):
        SimulatorProcess.start(
            "nobody",
            account_id=fresh.account_id,
            market=fresh.market,
            start=fresh.start,
            cash_usd=fresh.cash_usd,
        )


def test_a_simulator_on_the_machine_s_clock_cannot_be_moved(
    control: SimulatorControl, fresh: HostOptions
) -> None:
    control.open_account(replace(fresh, start=None))
    assert abs(control.now() - datetime.now(UTC)) < timedelta(seconds=5)
    with pytest.raises(ContractError, match="nobody moves"):
        control.sleep(1)


def test_qpk_simulates_a_broker_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("qpk")), "simulate", "schwab"]
    command += ["--start", "2012-12-03T19:30:00+00:00", "--cash", "5000"]
    command += ["--login", str(tmp_path / "login")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second, *_ = lines = [process.stdout.readline() for _ in range(10)]
        control = SimulatorControl(int(second.rpartition(":")[2]))
        assert f"export QPK_SIMULATOR_CONTROL={control.port}\n" in lines
        assert f"export SCHWAB_TOKEN_PATH={tmp_path / 'login' / 'schwab-token.json'}\n" in lines
        assert first == f"schwab on 127.0.0.1:{control.health()['port']}\n"
        assert control.book()["account"]["cash_usd"] == "5000"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert (tmp_path / "login" / "schwab-token.json").exists()


def test_qpk_says_when_a_port_is_taken() -> None:
    command = [str(Path(sys.executable).with_name("qpk")), "simulate", "schwab", "--port"]
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*command, port], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "the port cannot be served: Address already in use" in ended.stderr
