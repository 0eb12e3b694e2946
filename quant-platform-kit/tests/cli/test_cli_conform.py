"""`qpk conform`: the cards at a simulator, and the safe ones on an account that is somebody's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.simulators import (
    WIRES,
    Occasion,
    SimulatorProcess,
    WireFault,
    service_variables,
)
from quant_platform_kit.testing import BROKER_CARDS

PAPER, LIVE = "DU1234567", "U1234567"
NOW = datetime(2012, 3, 30, 18, 30, tzinfo=UTC)

Conform = Callable[..., "CompletedProcess[str]"]
Account = Callable[[str], tuple[SimulatorProcess, dict[str, str]]]


@pytest.fixture
def conform() -> Conform:
    """Run the installed command in a process of its own."""

    def call(*arguments: str, **variables: str) -> CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("qpk")), "conform", *arguments],
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """Start TWS with an account, and return the variables of a service that trades it."""
    running: list[SimulatorProcess] = []

    def start(account_id: str) -> tuple[SimulatorProcess, dict[str, str]]:
        simulator = SimulatorProcess.start(
            "ibkr",
            account_id=account_id,
            market="sample",
            start=NOW,
            cash_usd=Decimal(100_000),
            fees=FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal(1)),
        )
        running.append(simulator)
        ports = {"port": simulator.port, "control_port": simulator.control.port}
        variables = service_variables("ibkr", account_id, **ports, folder=tmp_path)
        state = {"QPK_STATE_DIR": str(tmp_path / "state"), "STRATEGY_PROFILE": "spy_macd_vixy"}
        return simulator, {**variables, **state, "EXECUTION_MODE": "paper"}

    yield start
    for simulator in running:
        simulator.close()


def test_at_a_simulator_cards_pass_or_say_why_they_do_not_apply(
    conform: Conform, tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    cards = ("--card", "BRK-011", "--card", "BRK-102", "--card", "BRK-112")
    done = conform("ibkr", *cards, "--json", str(file))
    assert done.returncode == ExitCode.OK, done.stderr
    assert "the client numbers its orders itself" in done.stdout
    told = json.loads(file.read_text())
    assert [(card["card"], card["verdict"]) for card in told["cards"]] == [
        ("BRK-011", "passed"),
        ("BRK-102", "passed"),
        ("BRK-112", "not applicable"),
    ]
    assert told["on"] == "simulator"


def test_on_a_paper_account_the_safe_cards_pass_and_nothing_is_left(
    conform: Conform, account: Account, tmp_path: Path
) -> None:
    simulator, variables = account(PAPER)
    file = tmp_path / "record.json"
    done = conform("ibkr", "--paper", "--json", str(file), **variables)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    told = json.loads(file.read_text())
    verdicts = {card["card"]: card["verdict"] for card in told["cards"]}
    assert set(verdicts) == {card.number for card in BROKER_CARDS}
    assert {verdicts[card.number] for card in BROKER_CARDS if card.is_safe} == {"passed"}
    assert {verdicts[card.number] for card in BROKER_CARDS if not card.is_safe} == {
        "not applicable"
    }
    assert told["sdk"].startswith("ib_")
    book = simulator.control.book()
    assert {order["status"] for order in book["orders"]} == {"cancelled"}
    assert book["fills"] == []


def test_a_record_shows_calls_and_answers_and_not_whose_account_it_is(
    conform: Conform, account: Account, tmp_path: Path
) -> None:
    _, variables = account(PAPER)
    file = tmp_path / "record.json"
    conform("ibkr", "--paper", "--card", "BRK-003", "--json", str(file), **variables)
    (card,) = json.loads(file.read_text())["cards"]
    assert [sight["call"] for sight in card["saw"]] == ["account"]
    assert PAPER not in file.read_text()
    assert "100000" not in file.read_text()


def test_a_live_account_is_refused_before_anything_is_sent(
    conform: Conform, account: Account
) -> None:
    simulator, variables = account(LIVE)
    done = conform("ibkr", "--paper", **variables)
    assert done.returncode == ExitCode.SETTINGS
    assert "The account says that it is live" in done.stderr
    assert "order" not in simulator.control.health()["requests"]


def test_a_card_that_fails_is_shown_and_ends_the_command_with_its_own_code(
    conform: Conform, account: Account
) -> None:
    simulator, variables = account(PAPER)
    quotes = WIRES["ibkr"].operations[Occasion.QUOTES]
    simulator.control.fault(WireFault.NO_MARKET_DATA, operation=quotes)
    done = conform("ibkr", "--paper", "--card", "BRK-061", **variables)
    assert done.returncode == ExitCode.CARD_FAILED
    assert "BRK-061" in done.stdout
    assert "354" in done.stdout
    assert "1 of 1 cards failed" in done.stderr


def test_a_service_without_a_broker_has_no_paper_account(conform: Conform) -> None:
    done = conform("ibkr", "--paper", STRATEGY_PROFILE="spy_macd_vixy")
    assert done.returncode == ExitCode.SETTINGS
    assert "QPK_BROKER" in done.stderr


def test_a_card_that_there_is_not_is_named(conform: Conform) -> None:
    done: Any = conform("ibkr", "--card", "BRK-999")
    assert done.returncode == ExitCode.USAGE
    assert "BRK-999" in done.stderr
