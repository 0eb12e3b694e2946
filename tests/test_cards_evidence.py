"""Acceptance cards about evidence: why every order exists, written when it happened."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event, select

from quant_platform_kit.contracts import (
    CycleReport,
    Decision,
    EvidenceEntry,
    EvidenceKind,
    ExecutionMode,
    OrderStatus,
    Outcome,
    Purpose,
    Signal,
    SignalAction,
    digest,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.notify import heartbeat
from quant_platform_kit.orders import Journal
from quant_platform_kit.risk import GateMode, TradingGate, load_limits
from quant_platform_kit.store import Evidence, Store, fills, orders
from tests.house import MONDAY, TUESDAY, House, always, by_session, flat_market

INVESTED = Decision.weights({"SIM_A": 0.4, "SIM_B": 0.3})
ROTATED = Decision.weights({"SIM_B": 0.1, "SIM_C": 0.5})


def kept(house: House, report: CycleReport) -> tuple[EvidenceEntry, ...]:
    return Evidence(house.store).of_order("none", report.run_key)


def content(entry: EvidenceEntry) -> dict[str, object]:
    found = json.loads(entry.payload)
    assert isinstance(found, dict)
    return found


def every_fact_has_its_entry(store: Store) -> bool:
    """Tell whether every order and every fill that is booked is in the evidence, and verified."""
    with store.begin() as connection:
        sent = set(connection.scalars(select(orders.c.client_id)))
        filled = Counter(connection.scalars(select(fills.c.client_id)))
        keys = {key: Evidence(store) for key in sent}
    for client_id, reader in keys.items():
        found = Counter(entry.kind for entry in reader.of_order(client_id, "no run"))
        if not found[EvidenceKind.ORDER] or found[EvidenceKind.FILL] != filled[client_id]:
            return False
    return Evidence(store).verify() is None


def test_a_run_keeps_every_link_from_its_inputs_to_its_fills(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    report = house.run()
    chain = kept(house, report)
    assert [entry.seq for entry in chain] == list(range(1, len(chain) + 1))
    kinds = [entry.kind for entry in chain]
    one = ["inputs", "decision", "target"]
    two_legs = ["leg", "leg", "verdict", "verdict", "order", "order"]
    assert kinds[:9] == one + two_legs
    assert kinds[-1] == "outcome"
    counts = Counter(kinds[9:-1])
    assert counts == {"answer": 4, "fill": 2}  # submitted and filled, of both


def test_links_name_what_they_follow_from(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    report = house.run()
    chain = {(entry.kind, entry.key): content(entry) for entry in kept(house, report)}
    line = report.orders[0]
    [decided] = report.decisions
    assert chain["inputs", "scripted"]["inputs_sha256"] == decided.inputs_sha256
    assert chain["decision", "scripted"]["inputs_sha256"] == decided.inputs_sha256
    assert digest(chain["decision", "scripted"]) == digest(decided)
    assert chain["leg", line.symbol]["leg"] == chain["order", line.client_id]["leg"]
    assert chain["leg", line.symbol]["capital_base_usd"] == "10000"
    assert chain["order", line.client_id]["purpose"] == "rebalance"
    assert chain["fill", line.client_id]["parts"][0]["sleeve"] == "scripted"  # type: ignore[index]
    assert chain["answer", line.client_id]["broker_order_id"] == line.broker_order_id
    assert chain["outcome", "1"]["outcome"] == "TRADED"


def test_report_and_heartbeats_carry_the_hash_of_the_last_entry(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    first, second = house.run(), house.run(TUESDAY)
    assert second.evidence_sha256 == Evidence(house.store).head()
    assert second.evidence_sha256 == kept(house, second)[-1].sha256
    for report in (first, second):
        assert Evidence(house.store).verify(report.evidence_sha256) is None
        for language in ("en", "zh"):
            assert report.evidence_sha256 in heartbeat(report, language).body


def test_the_checks_that_let_an_order_go_are_kept_with_its_answer(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    report = house.run()
    for line in report.orders:
        answers = [e for e in kept(house, report) if (e.kind, e.key) == ("answer", line.client_id)]
        verdict = content(answers[0])["verdict"]
        assert verdict["code"] is None  # type: ignore[index]
        names = [check["name"] for check in verdict["checks"]]  # type: ignore[index]
        assert names[:4] == ["gate", "session", "freshness", "scope"]


def test_a_leg_that_a_check_refused_is_kept_with_the_reason(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED))
    TradingGate(house.store, house.clock).set(GateMode.REDUCING, who="ann", why="storm")
    report = house.run()
    assert (report.outcome, report.code) == (Outcome.BLOCKED, ReasonCode.GATE_CLOSED)
    verdicts = [content(e)["verdict"] for e in kept(house, report) if e.kind == "verdict"]
    assert [verdict["code"] for verdict in verdicts] == ["GATE_CLOSED"] * 2  # type: ignore[index]


def test_a_leg_that_was_made_smaller_says_so_in_its_order(tmp_path: Path) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("risk: {position: {max_shares_per_symbol: 10}}", encoding="utf-8")
    house = House(tmp_path, always(INVESTED))
    house.with_parts(limits=load_limits(limits))
    report = house.run()
    sent = [content(e) for e in kept(house, report) if e.kind == "order"]
    assert [order["leg"]["limited_by"] for order in sent] == ["POSITION_LIMIT"] * 2  # type: ignore[index]
    assert [order["order"]["quantity"] for order in sent] == ["10", "10"]  # type: ignore[index]


def test_a_run_without_orders_keeps_why_there_are_none(tmp_path: Path) -> None:
    blocked = Decision.blocked(ReasonCode.HISTORY_STALE, "no bar of Friday")
    house = House(tmp_path, by_session({MONDAY: blocked, TUESDAY: Decision.hold("a quiet day")}))
    for session, outcome in ((MONDAY, "BLOCKED"), (TUESDAY, "NO_ACTION")):
        chain = kept(house, house.run(session))
        assert [entry.kind for entry in chain] == ["inputs", "decision", "outcome"]
        assert content(chain[2])["outcome"] == outcome


def test_a_dry_run_keeps_its_evidence_apart(tmp_path: Path) -> None:
    house = House(tmp_path, always(INVESTED), mode=ExecutionMode.DRY_RUN)
    report = house.run()
    assert report.run_key.endswith(":dry_run")
    assert Evidence(house.store).verify(report.evidence_sha256) is None


class _Killed(BaseException):
    """Stands for kill -9: nothing in the platform may catch it."""


def test_killed_at_any_commit_and_resumed_nothing_is_lost_repeated_or_broken(
    tmp_path: Path,
) -> None:
    deaths = 0
    for number in range(1, 200, 5):  # the proof goes through all of them
        (tmp_path / str(number)).mkdir()
        house = House(tmp_path / str(number), by_session({MONDAY: INVESTED, TUESDAY: ROTATED}))
        house.run()
        left = number

        def count(_connection: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise _Killed

        event.listen(house.store.engine, "commit", count)
        try:
            house.run(TUESDAY)
        except _Killed:
            deaths += 1
        else:
            break
        house.restart()
        assert every_fact_has_its_entry(house.store), number
        report = house.run(TUESDAY)
        assert every_fact_has_its_entry(house.store), number
        assert Evidence(house.store).verify(report.evidence_sha256) is None
        words = Counter((e.kind, e.key, e.payload) for e in kept(house, report))
        assert set(words.values()) == {1}, number
        decided = [e for e in kept(house, report) if e.kind == "decision"]
        assert len(decided) == 1, number
    assert deaths > 4


def test_every_order_of_a_resumed_run_is_told_apart_from_those_of_the_first_attempt(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, always(INVESTED))
    house.run()
    with house.store.begin() as connection:
        rows = connection.execute(select(orders.c.client_id, orders.c.status)).all()
    assert {row.status for row in rows} == {OrderStatus.FILLED.value}
    assert every_fact_has_its_entry(house.store)


@pytest.mark.parametrize("column", ["run_key", "kind", "key", "payload", "previous_sha256"])
def test_one_changed_byte_of_a_real_run_is_found(tmp_path: Path, column: str) -> None:
    house = House(tmp_path, always(INVESTED))
    report = house.run()
    engine = house.store.engine
    for entry in kept(house, report):
        with engine.connect() as connection:
            table = "evidence"
            found = connection.exec_driver_sql(
                f"SELECT {column} FROM {table} WHERE seq = {entry.seq}"  # noqa: S608 (ours)
            ).scalar_one()
            middle = len(found) // 2
            changed = found[:middle] + chr(ord(found[middle]) ^ 1) + found[middle + 1 :]
            mark = "?" if engine.dialect.name == "sqlite" else "%s"
            connection.exec_driver_sql(
                f"UPDATE {table} SET {column} = {mark} WHERE seq = {entry.seq}",  # noqa: S608 (ours)
                (changed,),
            )
            connection.commit()
        broken = Evidence(house.store).verify()
        assert broken is not None
        assert broken.seq == entry.seq
        with engine.connect() as connection:
            connection.exec_driver_sql(
                f"UPDATE {table} SET {column} = {mark} WHERE seq = {entry.seq}",  # noqa: S608 (ours)
                (found,),
            )
            connection.commit()
    assert Evidence(house.store).verify(report.evidence_sha256) is None


def test_a_stop_that_filled_leads_back_to_the_purchase_it_protected(tmp_path: Path) -> None:
    calm, crash = flat_market({"SIM_A": 100.0}), flat_market({"SIM_A": 70.0})
    signal = Signal("SIM_A", SignalAction.BUY, Decimal(1), stop_loss_pct=Decimal(10))
    asked = replace(Decision.weights({"SIM_A": 0.5}), signals=(signal,))
    script = by_session({MONDAY: asked, TUESDAY: Decision.hold("a quiet day")})
    house = House(tmp_path, script, market=calm)
    bought = house.run()
    house.market = crash
    house.restart()
    house.run(TUESDAY)
    journal = Journal(house.store, house.clock)
    [stop] = [order for order in journal.of_run(bought.run_key) if order.purpose is Purpose.STOP]
    own = Evidence(house.store).of_order(stop.client_id, "no run")
    kinds = [entry.kind for entry in own]
    assert (kinds[0], kinds[-2:]) == ("order", ["fill", "answer"])
    order = content(own[0])["order"]
    assert order["parent_client_id"] == bought.orders[0].client_id  # type: ignore[index]
    assert {entry.run_key for entry in own[:2]} == {bought.run_key}
    assert own[-2].run_key == bought.run_key.replace("2020-03-02", "2020-03-03")
    assert every_fact_has_its_entry(house.store)
