"""What `qpk` prints: tables and trees for people, canonical JSON for programs, no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.contracts import CycleReport, Outcome, canonical, decode
from quant_platform_kit.errors import ReasonCode

Qpk = Callable[..., "CompletedProcess[str]"]
SCHWAB = ("--platform", "schwab")


def answer(done: CompletedProcess[str]) -> object:
    """Read an answer that must be one line of canonical JSON and nothing else."""
    value = json.loads(done.stdout)
    assert done.stdout == canonical(value) + "\n"
    return value


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def traded(qpk: Qpk) -> CycleReport:
    result = answer(qpk("run", *SCHWAB, "--json"))
    assert isinstance(result, dict)
    assert result["repeated"] is False
    return decode(CycleReport, result["report"])


def test_the_list_of_runs_is_newest_first_for_people_too(qpk: Qpk, traded: CycleReport) -> None:
    assert qpk("run", *SCHWAB, "--session", "2012-02-06").returncode == 0
    rows = [line.split()[:2] for line in qpk("show", *SCHWAB).stdout.splitlines()]
    later = traded.run_key.replace("2012-02-03", "2012-02-06")
    listed = [row for row in rows if row and row[0].startswith("schwab-")]
    assert listed == [[later, "NO_ACTION"], [traded.run_key, "TRADED"]]


def test_a_run_is_found_again_by_its_key_as_the_latest_and_in_the_list(
    qpk: Qpk, traded: CycleReport
) -> None:
    assert traded.outcome is Outcome.TRADED
    by_key = answer(qpk("show", traded.run_key, *SCHWAB, "--json"))
    assert decode(CycleReport, by_key) == traded
    assert answer(qpk("show", "latest", *SCHWAB, "--json")) == by_key
    assert answer(qpk("show", *SCHWAB, "--json")) == [by_key]


def test_a_shown_run_tells_its_orders_positions_and_what_was_left_alone(
    qpk: Qpk, traded: CycleReport
) -> None:
    shown = words(qpk("show", traded.run_key, *SCHWAB).stdout)
    (order,) = traded.orders
    assert f"BUY AAPL 1,691 1,691 59.08 49.96 filled {order.client_id[:12]}" in shown
    assert "AAPL 1,691 59.08 99,904.28 99.9% 100.0% yes" in shown
    assert "AT_TARGET not held, not wanted 1 IBM" in shown
    assert "paper, connected to: simulated broker" in shown


def test_an_order_is_explained_back_to_its_inputs(qpk: Qpk, traded: CycleReport) -> None:
    (order,) = traded.orders
    done = qpk("explain", order.client_id[:10], *SCHWAB)
    lines = [line.lstrip("│├└─ ") for line in done.stdout.rstrip().splitlines()]
    sent = f"{order.client_id}, the broker's sim-000001"
    for kept in ("leg of run", "decision of"):  # names its entry of the evidence
        [(place, line)] = [(n, s) for n, s in enumerate(lines) if s.startswith(kept)]
        lines[place], _, found = line.partition(", evidence ")
        assert re.fullmatch("[0-9a-f]{12}", found)
    assert lines == [
        "BUY 1,691 AAPL: 1,691 filled at 59.08 on average, fee 49.96 USD",
        "fill sim-fill-000001: 1,691 at 59.08, 2012-02-03 20:30:00 UTC: spy_macd_vixy +1,691",
        f"order {sent}, filled, written 2012-02-03 20:30:00 UTC",
        "the broker: submitted, sim-000001",
        "the broker: filled, sim-000001",
        f"leg of run {traded.run_key}, rebalance",
        "target: 100,000.00 USD; held: 0.00 USD, 0 shares",
        "price: 59.08 of 2012-02-03 20:30:00 UTC",
        "size: 1,692.6202 shares exactly, 1,691 in whole lots: 95.72 USD stay out",
        "order: 1,691 wanted, 0 held: buy 1,691",
        f"why not larger: FEES, {ReasonCode.FEES.meaning}",
        "risk: approved",
        "gate: passed",
        "session: passed",
        "freshness: passed, 0 of 900",
        "scope: passed",
        "portfolio.max_exposure_pct: passed, 99.9043 of 100",
        "portfolio.buying_power: passed, 99954.24 of 100000",
        "decision of spy_macd_vixy: rebalance, 100.0% of the capital in AAPL",
        f"inputs: SHA-256 {traded.decisions[0].inputs_sha256}",
        f"configuration: SHA-256 {_configuration(qpk)}",
        "versions: " + ", ".join(f"{name} {v}" for name, v in sorted(traded.versions.items())),
        "evidence: the whole chain verifies",
    ]


def _configuration(qpk: Qpk) -> str:
    explained = json.loads(qpk("explain", "sim-000001", *SCHWAB, "--json").stdout)
    [told] = [e for e in explained["chain"] if e["kind"] == "inputs"]
    return str(json.loads(told["payload"])["config_sha256"])


def test_an_explanation_as_json_holds_the_whole_chain(qpk: Qpk, traded: CycleReport) -> None:
    explained = answer(qpk("explain", "sim-000001", *SCHWAB, "--json"))
    assert isinstance(explained, dict)
    assert explained["order"]["client_id"] == traded.orders[0].client_id
    assert explained["order"]["leg"]["limited_by"] == "FEES"
    assert explained["broken"] is None
    kept = {entry["kind"]: json.loads(entry["payload"]) for entry in explained["chain"]}
    kinds = ["inputs", "decision", "target", "leg", "verdict", "order", "answer", "fill"]
    assert list(kept) == kinds
    assert kept["fill"]["fill"]["fee_usd"] == "49.96"
    assert kept["decision"]["inputs_sha256"] == traded.decisions[0].inputs_sha256
    assert kept["inputs"]["inputs_sha256"] == traded.decisions[0].inputs_sha256


def test_the_beginning_of_several_orders_is_asked_to_be_longer(
    qpk: Qpk, traded: CycleReport
) -> None:
    later = qpk("run", *SCHWAB, "--session", "2012-05-04", "--json")
    report = decode(CycleReport, json.loads(later.stdout)["report"])
    assert len(traded.orders) + len(report.orders) > 1
    done = qpk("explain", "qpk-", *SCHWAB)
    assert done.returncode == 2
    assert "'qpk-' is the start of 3 orders" in done.stderr


def test_a_dry_run_answers_like_a_run_and_leaves_the_state_as_it_was(
    qpk: Qpk, traded: CycleReport, tmp_path: Path
) -> None:
    live = [tmp_path / "state" / name for name in ("paper.sqlite3", "simulated-broker.jsonl")]
    before = [path.read_bytes() for path in live]
    done = qpk("run", *SCHWAB, "--session", "2012-05-04", "--dry-run", "--json")
    result = answer(done)
    assert isinstance(result, dict)
    assert result["report"]["mode"] == "dry_run"
    assert result["report"]["orders"]
    assert [path.read_bytes() for path in live] == before
    assert answer(qpk("show", "latest", *SCHWAB, "--json")) == json.loads(canonical(traded))


def test_nothing_that_is_printed_holds_the_account_number_or_an_address(
    shell: Qpk, environ: dict[str, str]
) -> None:
    secret = "token-of-a-channel"  # noqa: S105 (nobody's)
    environ["QPK_NOTIFY_URLS"] = f"json://127.0.0.1:1/{secret}/ nosuch://{secret}"
    calls = [
        shell("run", *SCHWAB),
        shell("run", *SCHWAB, "--json"),
        shell("show", "latest", *SCHWAB),
        shell("show", *SCHWAB, "--json"),
        shell("explain", "sim-000001", *SCHWAB, "--json"),
    ]
    environ["QPK_NOTIFY_URL"] = secret  # a wrong name, and a value that nobody may see
    calls.append(shell("run", *SCHWAB))
    printed = "".join(done.stdout + done.stderr for done in calls)
    assert "messages waiting" in printed
    assert secret not in printed
    assert environ["QPK_ACCOUNT_ID"] not in printed
