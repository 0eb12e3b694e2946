"""`qpk reconcile`: what it finds, what it locks, and a difference that an operator explains."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import select, update

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.store import Store, audit, holdings

Qpk = Callable[..., "CompletedProcess[str]"]
IBKR = ("--platform", "ibkr")


@pytest.fixture
def traded(qpk: Qpk, tmp_path: Path) -> Path:
    """Trade once and return where the store is."""
    assert qpk("run", *IBKR).returncode == ExitCode.OK
    return tmp_path / "state" / "paper.sqlite3"


@pytest.fixture
def shares_are_missing(traded: Path) -> Decimal:
    """Let the ledger forget some shares, and return how many there are at the broker."""
    with closing(Store.open(traded)) as store, store.begin() as connection:
        whole = Decimal(connection.execute(select(holdings.c.quantity)).scalar_one())
        connection.execute(update(holdings).values(quantity=whole - 7))
    return whole


@pytest.mark.usefixtures("traded")
def test_broker_and_ledger_that_agree_say_so(qpk: Qpk) -> None:
    done = qpk("reconcile", *IBKR)
    assert (done.returncode, done.stdout) == (ExitCode.OK, "broker and ledger agree\n")


def test_a_difference_locks_its_symbol_and_ends_blocked(
    qpk: Qpk, shares_are_missing: Decimal
) -> None:
    done = qpk("reconcile", *IBKR)
    assert done.returncode == ExitCode.BLOCKED
    detail = f"broker {shares_are_missing:f}, ledger {shares_are_missing - 7:f}"
    assert done.stdout == f"locked: AAPL: {detail}\n"
    found = json.loads(qpk("reconcile", "--json", *IBKR).stdout)
    assert found["locked"] == {"AAPL": detail}


def test_what_an_operator_accepts_is_in_the_ledger_and_in_the_audit_log(
    qpk: Qpk, traded: Path, shares_are_missing: Decimal
) -> None:
    done = qpk("reconcile", "--accept", "AAPL", "--why", "spin-off", "--who", "ann", *IBKR)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout.startswith(f"AAPL accepted: {shares_are_missing - 7:f} shares became ")
    assert qpk("reconcile", *IBKR).stdout == "broker and ledger agree\n"
    with closing(Store.open(traded)) as store:
        assert Ledger(store).quantities() == {"AAPL": shares_are_missing}
        with store.begin() as connection:
            row = connection.execute(select(audit.c.who, audit.c.action, audit.c.payload)).one()
    assert (row.who, row.action) == ("ann", "accept")
    assert json.loads(row.payload) == {"symbols": ["AAPL"], "why": "spin-off"}


def test_accepting_needs_a_reason(qpk: Qpk, shares_are_missing: Decimal) -> None:
    done = qpk("reconcile", "--accept", "AAPL", *IBKR)
    assert done.returncode == ExitCode.USAGE
    assert "give --why" in done.stderr
    assert shares_are_missing


def test_a_dry_run_has_nothing_to_reconcile(qpk: Qpk, environ: dict[str, str]) -> None:
    environ["EXECUTION_MODE"] = "dry_run"
    done = qpk("reconcile", *IBKR)
    assert done.returncode == ExitCode.SETTINGS
    assert "EXECUTION_MODE is dry_run" in done.stderr
