"""How the Schwab adapter keeps its tokens: refreshed once, stored whole, and watched for age."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.contracts import OrderRequest, Side, SubmitOutcome
from quant_platform_kit.errors import SettingsError, TransientError
from quant_platform_kit.simulators import SimulatorControl, WireFault, WireSwitch
from quant_platform_kit.simulators.schwab import token_document

schwab = pytest.importorskip("quant_platform_kit.brokers.schwab")
SchwabLogin, TokenFile = schwab.SchwabLogin, schwab.TokenFile

Connect = Callable[..., Any]
DAY = 86400


@pytest.fixture
def token_path(connect_schwab: Connect, tmp_path: Path) -> Path:
    return tmp_path / "token.json"


def store(path: Path, *, left_secs: float = 1800, days: float = 0) -> None:
    """Write a token whose access ends soon, of a login some days ago."""
    now = datetime.now(UTC).timestamp()
    document = token_document(now - 1800 + left_secs, created_secs=now - days * DAY)
    path.write_text(json.dumps(document))


def access(path: Path) -> str:
    token: str = json.loads(path.read_text())["token"]["access_token"]
    return token


def refreshes(control: SimulatorControl) -> int:
    return int(control.health()["requests"].get("token", 0))


def test_a_token_that_is_about_to_end_is_renewed_and_the_old_one_kept(
    connect_schwab: Connect, schwab_control: SimulatorControl, token_path: Path
) -> None:
    store(token_path, left_secs=60)
    old = token_path.read_text()
    connect_schwab()
    assert refreshes(schwab_control) == 1
    assert access(token_path) == "simulated-access-1"
    assert token_path.with_name("token.json.previous").read_text() == old
    assert token_path.stat().st_mode & 0o077 == 0


def test_eight_threads_at_the_end_of_a_token_renew_it_once(
    connect_schwab: Connect, schwab_control: SimulatorControl, token_path: Path
) -> None:
    broker = connect_schwab()
    schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
    answers: list[object] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        answers.append(broker.account())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert refreshes(schwab_control) == 1


def test_a_token_that_another_process_stored_is_taken_over(
    connect_schwab: Connect, schwab_control: SimulatorControl, token_path: Path
) -> None:
    first, second = connect_schwab(), connect_schwab()
    schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
    first.account()
    second.account()
    assert refreshes(schwab_control) == 1


def test_a_revoked_token_is_renewed_and_the_question_asked_again(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab()
    schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
    assert broker.positions() == ()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (WireFault.REFRESH_DENIED, "The login has ended: log in to Schwab again"),
        (WireFault.SERVER_ERROR, "Schwab cannot be asked for a new token"),
        (WireFault.DROP_CONNECTION, "Schwab cannot be asked for a new token"),
    ],
)
def test_without_a_new_token_orders_are_denied_and_questions_say_what_to_do(
    fault: WireFault, words: str, connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab()
    revoked = WireSwitch(WireFault.AUTH_EXPIRED, nth=1)
    schwab_control.set_faults(revoked, WireSwitch(fault, operation="token"))
    with pytest.raises(TransientError, match=words):
        broker.positions()
    answer = broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(1)))
    assert answer.outcome is SubmitOutcome.DENIED
    assert words in answer.detail
    schwab_control.clear()
    assert broker.find_order("ours") is None
    assert broker.positions() == ()


def test_a_damaged_answer_to_a_renewal_never_costs_the_login(
    connect_schwab: Connect, schwab_control: SimulatorControl, token_path: Path
) -> None:
    store(token_path, left_secs=60)
    login = token_path.read_text()
    for seed in range(16):
        token_path.write_text(login)
        schwab_control.set_faults(WireSwitch(WireFault.MALFORMED, "token", seed=seed))
        with suppress(TransientError):
            connect_schwab()
        kept = json.loads(token_path.read_text())["token"]
        assert kept["refresh_token"] == json.loads(login)["token"]["refresh_token"], seed
        assert isinstance(kept["access_token"], str), seed
    schwab_control.clear()
    connect_schwab()


def test_a_token_that_cannot_be_stored_is_used_and_told_of(
    connect_schwab: Connect,
    schwab_control: SimulatorControl,
    token_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(document: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    tokens = TokenFile(token_path)
    monkeypatch.setattr(TokenFile, "write", lambda _, document: full(document))
    store(token_path, left_secs=60)
    broker = connect_schwab(tokens=tokens)
    for _ in range(2):  # what the disk has is not taken for news
        schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
        assert broker.positions() == ()
    assert refreshes(schwab_control) == 3
    assert access(token_path) == "simulated-access-0"
    (alert,) = broker.health()
    assert "could not be stored (No space left on device)" in alert


def test_a_token_file_that_was_cut_off_is_refused_and_the_previous_one_still_there(
    connect_schwab: Connect, token_path: Path
) -> None:
    store(token_path, left_secs=60)
    connect_schwab()
    token_path.write_text(token_path.read_text()[:40])
    with pytest.raises(SettingsError, match=r"token\.json cannot be used"):
        connect_schwab()
    token_path.with_name("token.json.previous").replace(token_path)
    assert connect_schwab().positions() == ()


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (4.9, None),
        (5.1, "Log in to Schwab again within 1.9 days"),
        (7.5, "until then nothing can be traded"),
    ],
)
def test_the_age_of_the_login_is_told_before_it_ends(
    days: float, words: str | None, connect_schwab: Connect, token_path: Path
) -> None:
    store(token_path, days=days)
    alerts = connect_schwab().health()
    assert alerts == () if words is None else words in alerts[0]


def test_a_renewed_token_does_not_make_the_login_younger(
    connect_schwab: Connect, token_path: Path
) -> None:
    store(token_path, left_secs=60, days=6)
    assert "6.0 days old" in connect_schwab().health()[0]
    assert "6.0 days old" in connect_schwab().health()[0]


def test_a_new_login_is_taken_over_without_a_restart(
    connect_schwab: Connect, schwab_control: SimulatorControl, token_path: Path
) -> None:
    store(token_path, days=6)
    broker = connect_schwab()
    document = token_document(datetime.now(UTC).timestamp())
    document["token"]["access_token"] = "of-the-new-login"  # noqa: S105 (a simulator's)
    token_path.write_text(json.dumps(document))
    schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
    with suppress(TransientError):  # the simulator does not know that login's token
        broker.positions()
    assert broker.health() == ()


def test_an_account_that_the_login_does_not_open_stops_the_start(connect_schwab: Connect) -> None:
    with pytest.raises(SettingsError, match="not the one that is configured") as error:
        connect_schwab(account_id="87654321")
    assert "87654321" not in str(error.value)


def test_secrets_are_not_shown() -> None:
    login = SchwabLogin(app_key="shy", app_secret="hush", account_id="1234")  # noqa: S106
    assert not {"shy", "hush", "1234"} & set(re.findall(r"\w+", repr(login)))


def test_the_sdk_with_another_http_library_is_refused(
    connect_schwab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quant_platform_kit.brokers.schwab._session.OAuth2Client", object)
    with pytest.raises(SettingsError, match="Uninstall httpx2"):
        connect_schwab()
