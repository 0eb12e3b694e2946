"""Card A29: no account number and no secret in any log, answer, report, message, error or file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quant_platform_kit.market import SystemClock
from quant_platform_kit.store import AccountLease, Store

if TYPE_CHECKING:
    import pytest
    from flask import Flask

ACCOUNT = "U" + "7733119"
TOKEN = "telltale" + "-token"
URLS = f"json://user:{TOKEN}@127.0.0.1:9/{TOKEN} nonsense://{TOKEN}/"
FAR_SIDE = "simulated-broker.jsonl"  # the broker's own book, which of course knows its account


def test_a29_nothing_the_service_says_or_keeps_holds_a_secret(
    make_app: Callable[..., Flask],
    state: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secrets = {"QPK_ACCOUNT_ID": ACCOUNT, "QPK_NOTIFY_URLS": URLS, "QPK_LANGUAGES": "en,zh"}
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        client = make_app(**secrets).test_client()
        said += [client.get(path).text for path in ("/health", "/ready", "/status")]
        said.append(client.post("/run", json={"session": "2012-02-03"}).text)
        said.append(client.post("/run", json={"session": "2012-02-03"}).text)
        said.append(client.post("/run", json={"session": "2012-02-02"}).text)  # time runs forward
        said.append(client.post("/run", data="{").text)
        said.append(client.get("/status").text)
        store = Store.open(state / "paper.sqlite3")
        with AccountLease(store, "another run", SystemClock().now).held():
            said.append(client.post("/run").text)
        store.close()
        dry = make_app(**secrets, EXECUTION_MODE="dry_run").test_client()
        said.append(dry.post("/run", json={"session": "2012-02-10"}).text)
        # Another account on the same state folder is refused.
        other = make_app(**secrets | {"QPK_ACCOUNT_ID": ACCOUNT + "9"}).test_client()
        said.append(other.post("/run").text)
        (state / FAR_SIDE).write_bytes(b"[]\n")
        said.append(client.post("/run", json={"session": "2012-02-13"}).text)
    said += [caplog.text, *capfd.readouterr()]

    kept = {file.name: file.read_bytes() for file in state.rglob("*") if file.name != FAR_SIDE}

    assert "TRADED" in said[3]  # it did run
    assert any("SESSION_MISMATCH" in text for text in said)
    assert any("QPK_ACCOUNT_ID" in text for text in said)
    assert {"paper.sqlite3", "dry_run.sqlite3", "paper.lock"} <= kept.keys()
    for secret in (ACCOUNT, ACCOUNT[1:], TOKEN):
        assert [text for text in said if secret in text] == []
        assert [name for name in kept if secret in name] == []
        assert [name for name, content in kept.items() if secret.encode() in content] == []
