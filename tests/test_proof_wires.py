"""The fault matrix in its shortest form, and that it would notice what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import update

from proof import __main__ as proof
from proof._invariants import Broken
from proof._report import Part, render
from proof._wire_account import NEXT, SESSION, SETUP, WireAccount
from proof._wire_cases import BROKERS, Cut, Trouble, WireCase, cases
from proof._wire_matrix import broken, lines, table
from proof._wires import BOOKS, NONE_LOST, ONCE, Tried, judge, plan_of, try_case
from quant_platform_kit.brokers import Fault
from quant_platform_kit.contracts import CycleReport, Side
from quant_platform_kit.simulators import WIRES, Occasion, WireFault
from quant_platform_kit.store import cash, fills

STRIKING = [
    WireCase("ibkr", Cut.RESTART, None, 55, stops=True),
    WireCase("schwab", WireFault.REPLY_LOST_AFTER_BOOKING, Occasion.SUBMIT, 2),
    WireCase("longbridge", Cut.KILL, None, 30, in_flight=True),
]


@pytest.mark.parametrize("case", STRIKING, ids=str)
def test_a_fault_of_a_wire_leaves_nothing_twice_and_nothing_lost(case: WireCase) -> None:
    tried = try_case(case)
    assert tried.broke == ""
    assert tried.struck
    assert tried.ending == "TRADED"
    assert tried.same


def test_the_long_form_tries_every_fault_wherever_a_client_can_meet_it() -> None:
    tried = {(case.broker, case.trouble, case.occasion) for case in cases(long=True)}
    wanted: set[tuple[str, Trouble, Occasion | None]] = {
        (broker, fault, occasion)
        for broker, wire in WIRES.items()
        for fault, occasions in wire.faults.items()
        for occasion in occasions
    }
    wanted |= {(broker, each, None) for broker in BROKERS for each in (*Fault, *Cut)}
    assert wanted <= tried
    assert len(cases(long=True)) > 500


def test_the_short_form_is_a_part_of_every_brokers_cases() -> None:
    sample = cases(long=False)
    assert 30 <= len(sample) <= 60
    assert {case.broker for case in sample} == set(BROKERS)


@pytest.mark.parametrize("case", cases(long=True)[::23], ids=str)
def test_a_case_is_read_as_it_is_written(case: WireCase) -> None:
    assert WireCase.parse(str(case)) == case


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ibkr",
        "etrade:Cut.DROP:-:5",
        "ibkr:Cut.NOTHING:-:5",
        "ibkr:Cut.DROP:-:x",
        "ibkr:Cut.DROP:-:5fs",
    ],
)
def test_what_is_no_case_is_turned_down(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (argparse makes the message)
        WireCase.parse(text)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WireAccount, CycleReport]]:
    """Return an account that has been through its three sessions, and the last report."""
    folder: Path = tmp_path_factory.mktemp("wire")
    with WireAccount("longbridge", folder, plan_of(stops=False)) as account:
        yield account, [account.run(session) for session in (SETUP, SESSION, NEXT)][-1]


def test_an_account_without_a_fault_is_in_order(traded: tuple[WireAccount, CycleReport]) -> None:
    account, report = traded
    judge(account, [report])


def test_a_share_that_was_not_booked_is_noticed(traded: tuple[WireAccount, CycleReport]) -> None:
    account, report = traded
    with account.store.begin() as connection:
        row = connection.execute(fills.select()).mappings().first()
        assert row is not None
        mine = update(fills).where(fills.c.fill_id == row["fill_id"])
        connection.execute(mine.values(quantity=row["quantity"] - 1))
    with pytest.raises(Broken, match=NONE_LOST):
        judge(account, [report])
    with account.store.begin() as connection:
        connection.execute(mine.values(quantity=row["quantity"]))
    judge(account, [report])


def test_a_cent_that_is_missing_is_noticed(traded: tuple[WireAccount, CycleReport]) -> None:
    account, report = traded
    with account.store.begin() as connection:
        row = connection.execute(cash.select()).mappings().first()
        assert row is not None
        mine = update(cash).where(cash.c.sleeve == row["sleeve"])
        connection.execute(mine.values(amount_usd=row["amount_usd"] - Decimal("0.01")))
    with pytest.raises(Broken, match=BOOKS):
        judge(account, [report])
    with account.store.begin() as connection:
        connection.execute(mine.values(amount_usd=row["amount_usd"]))
    judge(account, [report])


def test_a_call_beyond_its_deadline_is_noticed(
    traded: tuple[WireAccount, CycleReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _ = traded
    monkeypatch.setattr("proof._wire_account._DEADLINE_SECS", 0.0)
    account.watched.positions()
    assert account.watched.late
    account.watched.late.clear()


def test_an_order_that_the_journal_does_not_know_is_noticed(
    traded: tuple[WireAccount, CycleReport],
) -> None:
    account, report = traded  # the last of these tests: what was sold is gone
    account.simulator.control.trade("SIM_B", Side.SELL, Decimal(1))
    with pytest.raises(Broken, match=ONCE):
        judge(account, [report])


def test_the_matrix_shows_how_slots_came_out_and_what_broke() -> None:
    unplugged = WireCase("ibkr", Cut.UNPLUG, None, 5)
    torn = WireCase("ibkr", WireFault.TORN_FRAMES, Occasion.QUOTES, 1)
    tried = [
        Tried(unplugged, struck=True, outcome="FAILED BROKER_UNAVAILABLE", attempts=2, same=True),
        Tried(unplugged, struck=True, outcome="TRADED", attempts=1, broke=f"{ONCE}: twice"),
        Tried(torn, struck=False, outcome="TRADED", attempts=1, same=True),
    ]
    assert table(tried) == [
        ["fault", "IBKR", "Schwab", "LongBridge"],
        ["unplugged", "2: TRADED 1, FAILED 1, **1 broken**", "–", "–"],
        ["torn frames", "0", "–", "–"],
    ]
    told = "\n".join(lines(tried))
    assert "struck: 2 (IBKR 2, Schwab 0, LongBridge 0)" in told
    assert "duplicates 1, lost fills 0, wrong books 0, hangs beyond the deadline 0" in told
    assert broken(tried) == [f"{ONCE}: twice"]
    page = render([Part.now("Faults", "command", lines(tried), 1, long=True, table=table(tried))])
    assert "| fault | IBKR | Schwab | LongBridge |\n| --- | --- | --- | --- |\n" in page


def test_a_broken_case_fails_the_command_and_says_how_to_try_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = WireCase("ibkr", Cut.DROP, None, 50)
    again = f"{ONCE}: twice\n  again: python -m proof wires --case '{case}'"
    monkeypatch.setattr(proof, "be_quiet", lambda: None)
    monkeypatch.setattr(proof, "end_politely", lambda: None)
    monkeypatch.setattr(proof, "try_case", lambda tried: Tried(tried, broke=again))
    assert proof.main(["wires", "--case", str(case)]) == 1
    assert f"BROKEN {again}" in capsys.readouterr().err
