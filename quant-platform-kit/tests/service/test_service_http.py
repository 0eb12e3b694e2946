"""What the service answers, with which status, and that looking never trades."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quant_platform_kit import __version__
from quant_platform_kit import service as room
from quant_platform_kit.contracts import CycleReport, Heartbeat, Outcome, decode
from quant_platform_kit.market import SystemClock
from quant_platform_kit.risk import GateMode, TradingGate
from quant_platform_kit.store import AccountLease, Store

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

SESSION, LATER = "2012-02-03", "2012-02-10"


def post(client: FlaskClient, session: str = SESSION, **more: object) -> TestResponse:
    return client.post("/run", json={"session": session, **more})


def report_of(answer: TestResponse) -> CycleReport:
    return decode(CycleReport, answer.get_json()["report"])


def files(state: Path) -> dict[str, bytes]:
    """Return every document of the service; ``-shm`` is SQLite's own memory of who reads."""
    return {
        file.name: file.read_bytes() for file in state.iterdir() if not file.name.endswith("-shm")
    }


def test_the_door_is_the_factory() -> None:
    assert room.__all__ == ["create_app"]


def test_a_slot_runs_once_and_later_callers_get_its_report(client: FlaskClient) -> None:
    first, second = post(client, slot="close"), post(client)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.mimetype == "application/json"
    assert (first.get_json()["repeated"], second.get_json()["repeated"]) == (False, True)
    assert second.get_json()["report"] == first.get_json()["report"]
    report = report_of(first)
    assert report.outcome is Outcome.TRADED
    assert [order.symbol for order in report.orders] == ["AAPL"]
    assert report.commit == "0123abc"


def test_heartbeats_come_in_every_language_of_the_settings(make_app: Callable[..., Flask]) -> None:
    answer = post(make_app(QPK_LANGUAGES="en,zh").test_client())
    beats = [decode(Heartbeat, beat) for beat in answer.get_json()["heartbeats"]]
    assert [beat.language for beat in beats] == ["en", "zh"]
    assert {beat.run_key for beat in beats} == {report_of(answer).run_key}


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"], ids=["none", "blank", "empty"])
def test_a_call_without_wishes_runs_the_scheduled_slot_of_the_clock(
    client: FlaskClient, body: bytes
) -> None:
    answer = client.post("/run", data=body)
    assert answer.status_code == 200
    assert (report_of(answer).slot, str(report_of(answer).session)) == ("close", SESSION)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\udcff".encode("utf-8", "surrogateescape"), "not JSON"),
        ("[]", "must be a JSON object"),
        ('"close"', "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"slot": 5}', "CycleRequest.slot"),
        ('{"slot": ""}', "CycleRequest.slot"),
        ('{"slot": "a:b"}', "CycleRequest.slot"),
        ('{"slot": "收盘"}', "Slot.name"),
        ('{"session": "tomorrow"}', "CycleRequest.session"),
        ('{"session": 20120203}', "CycleRequest.session"),
        ('{"strategies": []}', "CycleRequest.strategies"),
        ('{"strategies": "spy_macd_vixy"}', "CycleRequest.strategies"),
        ('{"strategies": [5]}', "CycleRequest.strategies"),
        ('{"dry_run": true}', "CycleRequest.dry_run"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_a_malformed_request_is_400_names_what_is_wrong_and_runs_nothing(
    client: FlaskClient, state: Path, body: str | bytes, said: str
) -> None:
    answer = client.post("/run", data=body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "VALUE_MALFORMED"
    assert said in answer.get_json()["error"]["message"]
    assert not (state / "simulated-broker.jsonl").exists()
    assert client.get("/status").json == {"report": None}


def test_a_malformed_request_is_400_even_when_nothing_else_works(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(QPK_SIMULATED_MARKET="/nowhere.csv").test_client()
    assert client.post("/run", data="{").status_code == 400


def test_a_second_run_at_the_same_time_is_409(client: FlaskClient, state: Path) -> None:
    store = Store.open(state / "paper.sqlite3")
    with AccountLease(store, "another run", SystemClock().now).held():
        busy = post(client)
    store.close()
    assert busy.status_code == 409
    assert busy.get_json()["error"]["code"] == "LEASE_HELD"
    assert post(client).status_code == 200


def test_a_blocked_run_is_503_and_may_be_tried_again(client: FlaskClient, state: Path) -> None:
    store = Store.open(state / "paper.sqlite3")
    gate = TradingGate(store, SystemClock())
    gate.set(GateMode.HALTED, who="operator", why="earnings")
    blocked = post(client)
    gate.set(GateMode.ACTIVE, who="operator", why="over")
    store.close()

    assert blocked.status_code == 503
    assert report_of(blocked).outcome is Outcome.BLOCKED
    assert post(client).status_code == 200


@pytest.mark.parametrize(
    "variables",
    [
        {"QPK_SIMULATED_MARKET": "/nowhere.csv"},
        {"STRATEGY_PROFILE": "no_such_profile"},
        {"IBKR_STRATEGY_CONFIG_PATH": "/nowhere.json"},
        {"QPK_SIMULATED_START": "2012-02-04"},
    ],
    ids=lambda variables: next(iter(variables)),
)
@pytest.mark.parametrize("path", ["/run", "/ready", "/status"])
def test_a_service_that_cannot_be_built_is_503_and_says_why(
    make_app: Callable[..., Flask], variables: dict[str, str], path: str
) -> None:
    client = make_app(**variables).test_client()
    answer = client.open(path, method="POST" if path == "/run" else "GET")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["message"]
    assert client.get("/health").status_code == 200


def test_a_run_that_fails_after_an_order_is_500(client: FlaskClient, state: Path) -> None:
    assert post(client).status_code == 200
    # As if the process had died before its report, and the broker had then lost its book.
    with sqlite3.connect(state / "paper.sqlite3") as database:
        database.execute("UPDATE runs SET consumed = 0")
    database.close()
    (state / "simulated-broker.jsonl").unlink()

    answer = post(client)

    assert answer.status_code == 500
    report = report_of(answer)
    assert (report.outcome, report.attempt, len(report.orders)) == (Outcome.FAILED, 2, 1)


@contextmanager
def heard(log: logging.Logger) -> Iterator[list[str]]:
    """Collect the lines that the service writes."""
    lines: list[str] = []
    written = log.handlers[0]

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(written.format(record))

    listening = Listening()
    log.addHandler(listening)
    yield lines
    log.removeHandler(listening)


def test_a_defect_is_500_and_its_log_says_where_but_not_what(
    client: FlaskClient, state: Path, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(client).status_code == 200
    with sqlite3.connect(state / "paper.sqlite3") as database:
        database.execute("UPDATE runs SET report = '{a telltale'")
    database.close()

    with heard(log) as lines:
        answer = post(client)

    assert answer.status_code == 500
    assert answer.get_json()["error"]["code"] == "UNEXPECTED"
    (line,) = map(json.loads, lines)
    assert (line["severity"], line["error"]) == ("ERROR", "JSONDecodeError")
    assert "run_cycle" in line["where"]
    assert "telltale" not in "".join(lines)
    assert "telltale" not in answer.text


def test_a_store_that_fails_in_the_middle_is_500_and_says_so_also_in_the_log(
    client: FlaskClient, state: Path, log: logging.Logger
) -> None:
    assert client.get("/ready").status_code == 200
    with sqlite3.connect(state / "paper.sqlite3") as database:
        database.execute("DROP TABLE fills")
    database.close()
    with heard(log) as lines:
        answer = post(client)
    assert answer.status_code == 500
    error = answer.get_json()["error"]
    assert error["code"] == "STORE_UNAVAILABLE"
    line = json.loads(lines[-1])  # there is no report, and no heartbeat, of such a run
    assert line["severity"] == "ERROR"
    assert line["message"] == f"refused with 500 STORE_UNAVAILABLE: {error['message']}"


def test_health_touches_nothing(client: FlaskClient, state: Path) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {
            "status": "ok",
            "platform": "ibkr",
            "profile": "spy_macd_vixy",
            "mode": "paper",
            "version": __version__,
            "commit": "0123abc",
            "bundle": "",
        },
    )
    assert not state.exists()


def test_ready_says_what_the_broker_says_it_is(client: FlaskClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"status": "ready", "environment": "simulated"},
    )


def test_status_is_the_latest_report(client: FlaskClient) -> None:
    assert client.get("/status").json == {"report": None}
    post(client)
    latest = post(client, LATER)
    assert client.get("/status").json == {"report": latest.get_json()["report"]}


@pytest.mark.parametrize("traded", [False, True], ids=["new", "traded"])
def test_looking_never_trades(client: FlaskClient, state: Path, traded: bool) -> None:
    assert client.get("/ready").status_code == 200
    if traded:
        post(client)
    before = files(state)
    for path in ("/health", "/ready", "/status", "/run", "/", "/run?slot=close"):
        for method in ("GET", "HEAD", "OPTIONS"):
            client.open(path, method=method)
    assert files(state) == before
    assert client.get("/run").status_code == 405


def test_the_log_is_one_json_object_a_line(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    post(make_app().test_client())
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line
    ]
    assert {line["severity"] for line in lines} == {"INFO"}
    assert all(line["logger"].startswith("quant_platform_kit.") for line in lines)
    assert all(line["time"].endswith("+00:00") for line in lines)
    (beat,) = [line for line in lines if line["logger"].endswith(".heartbeat")]
    assert "AAPL" in beat["message"]


def test_two_services_in_one_process_log_once(
    make_app: Callable[..., Flask], log: logging.Logger
) -> None:
    make_app()
    make_app()
    assert len(log.handlers) == 1
