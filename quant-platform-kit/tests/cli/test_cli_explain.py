"""An explanation stands on the evidence, and says when the evidence was changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import delete, text

from quant_platform_kit.cli import ExitCode, _explain
from quant_platform_kit.contracts import (
    ChainBreak,
    Contribution,
    CycleReport,
    Decision,
    EvidenceEntry,
    EvidenceKind,
    Leg,
    OrderStatus,
    Purpose,
    Side,
    SleeveDecision,
    SnapshotRef,
    canonical,
    decode,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.store import Store, evidence

Qpk = Callable[..., "CompletedProcess[str]"]
IBKR = ("--platform", "ibkr")
AT = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)
RUN = "ibkr-1:2020-03-31:close"


@pytest.fixture
def order() -> JournalOrder:
    leg = Leg(
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(4),
        price_usd=Decimal("250.50"),
        price_at=AT,
        target_usd=Decimal("1252.50"),
        current_usd=Decimal("250.50"),
        target_quantity=Decimal(5),
        current_quantity=Decimal(1),
        exact_quantity=Decimal(5),
        contributors=(Contribution("income", Decimal("1252.50")),),
    )
    return JournalOrder(
        client_id="qpk-abc",
        run_key=RUN,
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(4),
        status=OrderStatus.UNRESOLVED,
        broker_order_id=None,
        code=ReasonCode.ORDER_UNRESOLVED,
        detail="the reply was lost",
        leg=leg,
        created_at=AT,
    )


def kept(*facts: tuple[EvidenceKind, str, object], run_key: str = RUN) -> list[EvidenceEntry]:
    return [
        EvidenceEntry(seq, run_key, kind, key, canonical(content), f"{seq:064d}")
        for seq, (kind, key, content) in enumerate(facts, start=1)
    ]


@pytest.fixture
def chain(order: JournalOrder) -> list[EvidenceEntry]:
    """Return the evidence of a run of two sleeves, up to the order."""

    def sleeve(profile: str) -> SleeveDecision:
        decision = Decision.values({"SPY": Decimal("1252.50")})
        snapshot = SnapshotRef("income", date(2020, 3, 30), "v1", "ab" * 32)
        return SleeveDecision(profile, decision, "cd" * 32, snapshot)

    told = {"config_sha256": "ef" * 32, "versions": {"kit": "1"}, "commit": "0123456789abcdef"}
    return kept(
        (EvidenceKind.INPUTS, "income", told),
        (EvidenceKind.INPUTS, "growth", told),
        (EvidenceKind.DECISION, "income", sleeve("income")),
        (EvidenceKind.DECISION, "growth", sleeve("growth")),
        (EvidenceKind.LEG, "SPY", {"leg": order.leg}),
        (EvidenceKind.LEG, "IEF", {"leg": order.leg}),
        (EvidenceKind.ORDER, order.client_id, {"leg": order.leg}),
    )


def told(
    capfd: pytest.CaptureFixture[str],
    order: JournalOrder,
    entries: list[EvidenceEntry],
    broken: ChainBreak | None = None,
    parent: _explain.Explanation | None = None,
) -> list[str]:
    _explain.show(_explain.Explanation.of(order, entries, broken, parent))
    return [line.lstrip("│├└─ ").rstrip() for line in capfd.readouterr().out.splitlines()]


def test_an_order_whose_run_was_cut_off_is_explained_as_far_as_it_came(
    order: JournalOrder, chain: list[EvidenceEntry], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, chain)
    assert lines[0] == "BUY 4 SPY: nothing is booked as filled"
    assert lines[1].startswith("order qpk-abc, no broker id, FATE UNKNOWN, written 2020-03-31")
    assert lines[1].endswith("ORDER_UNRESOLVED: the reply was lost")
    assert lines[-1] == "evidence: the whole chain verifies"


def test_only_the_sleeves_that_asked_for_the_order_are_named(
    order: JournalOrder, chain: list[EvidenceEntry], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, chain)
    decided = "decision of income: rebalance, 1,252.50 USD in SPY, evidence 000000000000"
    assert decided in lines
    assert not any("growth" in line for line in lines)


def test_inputs_are_named_by_their_hashes(
    order: JournalOrder, chain: list[EvidenceEntry], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, chain)
    assert f"inputs: SHA-256 {'cd' * 32}" in lines
    assert f"snapshot: 2020-03-30, SHA-256 {'ab' * 32}" in lines
    assert f"configuration: SHA-256 {'ef' * 32}" in lines
    assert "versions: kit 1, commit 0123456789ab" in lines


def test_what_a_later_attempt_planned_is_no_reason_for_an_earlier_order(
    order: JournalOrder, chain: list[EvidenceEntry]
) -> None:
    later = replace(chain[4], seq=8, sha256="f" * 64)
    found = _explain.Explanation.of(order, [*chain, later], None)
    assert [entry.seq for entry in found.chain] == [1, 3, 5, 7]


def test_an_order_of_the_whole_wish_says_that_nothing_limited_it(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = told(capfd, order, [])
    assert "size: 5.0000 shares exactly" in lines
    assert "why not larger: nothing limited it, this is the whole wish" in lines
    assert "no decision is kept of its run" in lines


def test_a_limit_is_explained_in_words(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    limited = replace(order, leg=replace(order.leg, limited_by=ReasonCode.SELLS_UNFILLED))
    assert f"why not larger: SELLS_UNFILLED, {ReasonCode.SELLS_UNFILLED.meaning}" in told(
        capfd, limited, []
    )


def test_a_stop_is_explained_by_the_purchase_it_protects(
    order: JournalOrder, chain: list[EvidenceEntry], capfd: pytest.CaptureFixture[str]
) -> None:
    sale = replace(
        order.leg, side=Side.SELL, current_quantity=Decimal(4), contributors=(), limited_by=None
    )
    stop = replace(
        order,
        client_id="qpk-stop",
        side=Side.SELL,
        leg=sale,
        purpose=Purpose.STOP,
        parent_client_id=order.client_id,
    )
    lines = told(capfd, stop, [], None, _explain.Explanation.of(order, chain, None))
    assert lines[0].startswith("SELL 4 SPY")
    assert "protects what qpk-abc bought" in lines
    assert "BUY 4 SPY: nothing is booked as filled" in lines
    assert any(line.startswith("decision of income") for line in lines)


def test_an_operators_order_says_who_and_why(
    order: JournalOrder, capfd: pytest.CaptureFixture[str]
) -> None:
    command = {"action": "close", "who": "ann", "why": "a bad feeling"}
    entries = kept(
        (EvidenceKind.COMMAND, "close", command),
        (EvidenceKind.ORDER, order.client_id, {"leg": order.leg}),
    )
    assert "command: close by ann: a bad feeling" in told(capfd, order, entries)


# ── The whole way ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def report(qpk: Qpk) -> CycleReport:
    return decode(CycleReport, json.loads(qpk("run", *IBKR, "--json").stdout)["report"])


@pytest.fixture
def store(report: CycleReport, tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "state" / "paper.sqlite3")) as opened:
        yield opened


def test_whole_evidence_verifies_by_itself_and_against_a_reports_hash(
    qpk: Qpk, report: CycleReport
) -> None:
    done = qpk("verify-evidence", *IBKR)
    assert done.returncode == ExitCode.OK
    assert done.stdout == f"evidence: whole, {report.evidence_sha256}\n"
    beginning = report.evidence_sha256[:12].upper()
    assert qpk("verify-evidence", *IBKR, "--head", beginning).returncode == ExitCode.OK
    answer = json.loads(qpk("verify-evidence", *IBKR, "--json").stdout)
    assert answer == {"broken": None, "head": report.evidence_sha256}


def test_evidence_that_was_cut_off_fails_against_a_reports_hash(
    qpk: Qpk, report: CycleReport, store: Store
) -> None:
    with store.begin() as connection:
        connection.execute(delete(evidence).where(evidence.c.seq >= 5))
    assert qpk("verify-evidence", *IBKR).returncode == ExitCode.OK
    done = qpk("verify-evidence", *IBKR, "--head", report.evidence_sha256)
    assert done.returncode == ExitCode.FAILED
    assert "entry 5 missing: no entry's hash begins with" in done.stderr


def test_evidence_that_was_changed_fails_and_explains_no_further(
    qpk: Qpk, report: CycleReport, store: Store
) -> None:
    with store.begin() as connection:
        change = "UPDATE evidence SET payload = CAST(x'ff00' AS TEXT) WHERE kind = 'fill'"
        connection.execute(text(change))
    for command in ("verify-evidence", f"explain {report.orders[0].client_id}"):
        done = qpk(*command.split(), *IBKR)
        assert done.returncode == ExitCode.FAILED
        assert "the evidence was changed: entry 8 is not what was written" in done.stderr
    assert "nothing is booked as filled" in done.stdout
    assert "risk: approved" in done.stdout


def test_an_empty_store_has_whole_evidence(qpk: Qpk) -> None:
    assert qpk("verify-evidence", *IBKR).stdout == "evidence: whole, empty\n"
