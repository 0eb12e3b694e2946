"""Google Secret Manager through Google's own client, against a far side of ours on loopback."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from quant_platform_kit.errors import PlatformError, ReasonCode, SettingsError, TransientError
from quant_platform_kit.secret_manager import SecretManager, SecretName
from tests.secret_manager import SecretServer, secret_server

pytest.importorskip("google.cloud.secretmanager_v1")

HUSH = "hush" + "-hush"


@pytest.fixture
def server() -> Iterator[SecretServer]:
    with secret_server() as serving:
        yield serving


@pytest.fixture
def secrets(server: SecretServer) -> SecretManager:
    return SecretManager(server.url, deadline_secs=2.0)


def refusal(secrets: SecretManager, name: str) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        secrets.read(SecretName.parse(name))
    assert raised.value.code is ReasonCode.SECRET_UNUSABLE
    assert HUSH not in str(raised.value)
    assert raised.value.__cause__ is None  # Google's own words repeat what was sent
    return raised.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("projects/p/secrets/s/versions/7", "projects/p/secrets/s/versions/7"),
        ("projects/p/secrets/s", "projects/p/secrets/s/versions/latest"),
        ("projects/1/locations/eu/secrets/s", "projects/1/locations/eu/secrets/s/versions/latest"),
        ("longport-token", "projects/desk/secrets/longport-token/versions/latest"),
    ],
)
def test_a_secret_is_named_as_google_names_it_or_briefly(written: str, meant: str) -> None:
    assert str(SecretName.parse(written, "desk")) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a b",
        "projects/p",
        "projects/p/secrets/s/versions/0",
        "secrets/s",
        "https://x/secrets/s",
    ],
)
def test_what_is_no_name_of_a_secret_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not the name of a secret"):
        SecretName.parse(written, "desk")
    with pytest.raises(ValueError, match="project"):
        SecretName.parse("bare")


def test_the_newest_version_is_read_or_the_one_that_is_named(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("key", "first", HUSH)
    assert secrets.read(SecretName.parse(name)) == HUSH
    assert secrets.read(SecretName.parse(f"{name}/versions/1")) == "first"


def test_a_new_version_leaves_the_earlier_ones(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("token", "first")
    secrets.add(SecretName.parse(name), "second")
    assert server.secrets[name] == ["first", "second"]


def test_the_newest_few_are_read_without_those_taken_away(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("token", "1", "2", None, "4", "5")
    assert secrets.recent(SecretName.parse(name), 4) == ["5", "4", "2"]
    assert secrets.recent(SecretName.parse(name), 9) == ["5", "4", "2", "1"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("absent", "does not exist"),
        ("denied", "role Secret Manager Secret Accessor"),
        ("disabled", "is disabled, destroyed"),
        ("binary", "is not text"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_with_what_to_do(
    case: str, words: str, server: SecretServer, secrets: SecretManager
) -> None:
    name = f"projects/desk/secrets/{case}"
    if case != "absent":
        server.keep(case, None if case == "disabled" else HUSH)
    if case == "denied":
        server.denied.add(name)
    if case == "binary":
        server.unreadable.add(name)
    error = refusal(secrets, name)
    assert isinstance(error, SettingsError)
    assert words in error.message
    assert name in error.message


def test_a_version_that_may_not_be_added_says_which_role_is_missing(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("token", "first")
    server.read_only = True
    with pytest.raises(SettingsError, match="role Secret Manager Secret Version Adder") as raised:
        secrets.add(SecretName.parse(name), HUSH)
    assert HUSH not in str(raised.value)


def test_a_secret_that_was_damaged_on_its_way_is_never_used(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("key", HUSH)
    server.damaging.add(name)
    error = refusal(secrets, name)
    assert isinstance(error, TransientError)
    assert "the checksum differs" in error.message
    server.damaging.clear()
    assert secrets.read(SecretName.parse(name)) == HUSH


def test_a_damaged_version_is_not_passed_over_for_an_older_one(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("token", "first", "second")
    server.damaging.add(name)
    with pytest.raises(TransientError, match="the checksum differs"):
        secrets.recent(SecretName.parse(name), 2)


def test_a_secret_without_a_checksum_is_read(server: SecretServer, secrets: SecretManager) -> None:
    name = server.keep("key", HUSH)
    server.unchecked.add(name)
    assert secrets.read(SecretName.parse(name)) == HUSH


def test_a_new_version_that_is_damaged_on_its_way_is_not_kept(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("token", "first")
    server.damaging.add(name)
    with pytest.raises(SettingsError, match="damaged on its way") as raised:
        secrets.add(SecretName.parse(name), HUSH)
    assert raised.value.code is ReasonCode.SECRET_UNUSABLE
    assert HUSH not in str(raised.value)
    assert server.secrets[name] == ["first"]


def test_a_service_that_fails_for_a_moment_is_asked_again(
    server: SecretServer, secrets: SecretManager
) -> None:
    name = server.keep("key", HUSH)
    server.failures = [503, 429, 500]
    assert secrets.read(SecretName.parse(name)) == HUSH
    assert len(server.asked) == 4


def test_a_service_that_goes_on_failing_is_no_missing_secret(
    server: SecretServer, secrets: SecretManager
) -> None:
    server.failures = [503] * 99
    assert isinstance(refusal(secrets, server.keep("key", HUSH)), TransientError)


def test_a_service_that_never_answers_is_given_up_at_the_deadline(
    server: SecretServer,
) -> None:
    name = server.keep("key", HUSH)
    server.held.clear()
    error = refusal(SecretManager(server.url, deadline_secs=0.3), name)
    assert isinstance(error, TransientError)
    assert "no answer within 0.3 s" in error.message


def test_a_service_that_is_not_there_is_given_up(secrets: SecretManager) -> None:
    nowhere = SecretManager("http://127.0.0.1:9", deadline_secs=0.5)
    assert isinstance(refusal(nowhere, "projects/desk/secrets/key"), TransientError)


def test_two_that_add_at_once_lose_neither(server: SecretServer) -> None:
    name = SecretName.parse(server.keep("token", "first"))
    together = threading.Barrier(2)

    def add(text: str) -> None:
        mine = SecretManager(server.url)
        together.wait()
        mine.add(name, text)

    threads = [threading.Thread(target=add, args=(text,)) for text in ("mine", "yours")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = server.secrets[name.secret]
    assert sorted(map(str, kept)) == ["first", "mine", "yours"]


def test_no_secret_is_logged_even_where_somebody_asked_google_for_it(server: SecretServer) -> None:
    name = server.keep("key", HUSH)
    program = f"""
import logging
logging.basicConfig(level=logging.DEBUG)
from quant_platform_kit.secret_manager import SecretManager, SecretName
secrets = SecretManager({server.url!r})
secrets.add(SecretName({name!r}), secrets.read(SecretName({name!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "GOOGLE_SDK_PYTHON_LOGGING_SCOPE": "google"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert server.secrets[name] == [HUSH, HUSH]
    said = done.stdout + done.stderr
    assert "127.0.0.1" in said  # it did log
    assert HUSH not in said
    assert base64.b64encode(HUSH.encode()).decode() not in said


def test_without_googles_client_the_message_says_what_to_install(server: SecretServer) -> None:
    program = f"""
import sys
sys.modules["google.cloud.secretmanager_v1"] = None
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import load_settings
try:
    load_settings("ibkr", {{
        "STRATEGY_PROFILE": "x",
        "QPK_ACCOUNT_ID_SECRET": "projects/p/secrets/s",
        "QPK_SECRET_MANAGER_URL": {server.url!r},
    }})
except SettingsError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Install quant-platform-kit[gcp]" in done.stdout
    assert server.asked == []
