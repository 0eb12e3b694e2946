"""Schwab's tokens in Secret Manager: every renewal a version, and none of them lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.secret_manager import SecretManager, SecretName
from quant_platform_kit.simulators import SimulatorControl, WireFault, WireSwitch
from quant_platform_kit.simulators.schwab import token_document
from tests.secret_manager import SecretServer, secret_server

schwab = pytest.importorskip("quant_platform_kit.brokers.schwab")
pytest.importorskip("google.cloud.secretmanager_v1")

Connect = Callable[..., Any]
NAME = "projects/desk/secrets/schwab-token"


@pytest.fixture
def server() -> Iterator[SecretServer]:
    with secret_server() as serving:
        yield serving


def document(*, left_secs: float = 1800, days: float = 0, access: str = "") -> str:
    """Return a token whose access ends soon, of a login some days ago."""
    now = datetime.now(UTC).timestamp()
    fresh = token_document(now - 1800 + left_secs, created_secs=now - days * 86400)
    if access:
        fresh["token"]["access_token"] = access
    return json.dumps(fresh)


def token_secret(server: SecretServer) -> Any:  # noqa: ANN401 (the SDK may be missing)
    return schwab.TokenSecret(SecretName(NAME), SecretManager(server.url, deadline_secs=2.0))


def kept(server: SecretServer) -> list[str]:
    """Return the access token of every version, oldest first."""
    return [json.loads(text or "{}")["token"]["access_token"] for text in server.secrets[NAME]]


def test_a_renewed_token_is_a_new_version_and_the_old_one_stays(
    connect_schwab: Connect, server: SecretServer
) -> None:
    server.keep("schwab-token", document(left_secs=60))
    connect_schwab(tokens=token_secret(server))
    assert kept(server) == ["simulated-access-0", "simulated-access-1"]


def test_two_processes_that_renew_at_once_lose_no_token(
    connect_schwab: Connect, server: SecretServer, schwab_control: SimulatorControl
) -> None:
    server.keep("schwab-token", document())
    brokers = [connect_schwab(tokens=token_secret(server)) for _ in range(2)]
    schwab_control.fault(WireFault.AUTH_EXPIRED, nth=1)
    together = threading.Barrier(2)
    answers: list[object] = []

    def ask(broker: Any) -> None:  # noqa: ANN401 (the SDK may be missing)
        together.wait()
        answers.append(broker.positions())

    threads = [threading.Thread(target=ask, args=(broker,)) for broker in brokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(), ()]
    assert kept(server)[0] == "simulated-access-0"
    assert len(kept(server)) == len(set(kept(server))) >= 2
    assert connect_schwab(tokens=token_secret(server)).positions() == ()


def test_a_renewal_that_another_process_won_is_taken_over(
    connect_schwab: Connect, server: SecretServer, schwab_control: SimulatorControl
) -> None:
    server.keep("schwab-token", document())
    other = connect_schwab(tokens=token_secret(server))

    class Overtaken:
        """Reads, and stores nothing, before the other process has renewed the token."""

        armed = False
        inner = token_secret(server)

        def read(self) -> Any:  # noqa: ANN401 (JSON)
            found = self.inner.read()
            if self.armed:
                self.armed = False
                other.positions()
            return found

        def write(self, document: dict[str, Any]) -> None:
            self.inner.write(document)

        @contextmanager
        def held(self) -> Iterator[None]:
            yield

    tokens = Overtaken()
    broker = connect_schwab(tokens=tokens)
    tokens.armed = True
    schwab_control.set_faults(
        WireSwitch(WireFault.AUTH_EXPIRED, nth=1),
        WireSwitch(WireFault.REFRESH_DENIED, operation="token", nth=2),
    )
    assert broker.positions() == ()
    assert kept(server) == ["simulated-access-0", "simulated-access-1"]


def test_a_late_renewal_of_an_old_login_does_not_hide_a_new_one(server: SecretServer) -> None:
    server.keep(
        "schwab-token",
        document(days=6, access="old"),
        document(access="of the new login"),
        document(days=6, access="old, renewed late"),
    )
    assert token_secret(server).read()["token"]["access_token"] == "of the new login"  # noqa: S105


def test_of_one_login_the_token_that_is_good_for_longest_counts(server: SecretServer) -> None:
    now = datetime.now(UTC).timestamp()
    texts = [
        json.dumps(token_document(now + secs, created_secs=now)) for secs in (0.0, 900.0, 300.0)
    ]
    server.keep("schwab-token", *texts, None, "not a token")
    server.secrets[NAME].insert(3, texts[0])
    best = token_secret(server).read()
    assert best == json.loads(texts[2])  # of the newest four; the second is too old to be looked at


def test_a_secret_without_a_token_says_what_to_store(
    connect_schwab: Connect, server: SecretServer
) -> None:
    server.keep("schwab-token", "hush, no token")
    with pytest.raises(SettingsError, match="add the token file") as raised:
        connect_schwab(tokens=token_secret(server))
    assert "hush" not in str(raised.value)


def test_a_token_that_may_not_be_stored_is_used_and_told_of(
    connect_schwab: Connect, server: SecretServer
) -> None:
    server.keep("schwab-token", document(left_secs=60))
    server.read_only = True
    broker = connect_schwab(tokens=token_secret(server))
    assert broker.positions() == ()
    assert kept(server) == ["simulated-access-0"]
    (alert,) = broker.health()
    assert "could not be stored" in alert
    assert "role Secret Manager Secret Version Adder" in alert
