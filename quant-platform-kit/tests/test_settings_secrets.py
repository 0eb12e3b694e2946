"""Secrets of a service: from the environment, a file or Secret Manager, and never in a message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_platform_kit.errors import PlatformError, ReasonCode, SettingsError
from quant_platform_kit.secret_manager import GOOGLE_URL, SecretName
from quant_platform_kit.settings import Settings, load_settings
from tests.secret_manager import SecretServer, secret_server

pytest.importorskip("google.cloud.secretmanager_v1")

HUSH = "hush" + "-hush"
LEAST = {"STRATEGY_PROFILE": "spy_macd_vixy", "QPK_ACCOUNT_ID": "12345678"}
LONGBRIDGE = {
    "QPK_BROKER": "longbridge",
    "LONGPORT_APP_KEY": "key",
    "LONGPORT_APP_SECRET": "secret",
}
SCHWAB = {"QPK_BROKER": "schwab", "SCHWAB_APP_KEY": "key", "SCHWAB_APP_SECRET": "secret"}
SECRET_VARIABLES = [
    ("ibkr", "QPK_STORE_URL", "store_url"),
    ("ibkr", "QPK_NOTIFY_URLS", "notify_urls"),
    ("schwab", "SCHWAB_APP_KEY", "app_key"),
    ("schwab", "SCHWAB_APP_SECRET", "app_secret"),
    ("longbridge", "LONGPORT_APP_KEY", "app_key"),
    ("longbridge", "LONGPORT_APP_SECRET", "app_secret"),
    ("longbridge", "LONGPORT_ACCESS_TOKEN", "access_token"),
]
VALUES = {
    "QPK_STORE_URL": f"postgresql+psycopg://desk:{HUSH}@db/desk",
    "QPK_NOTIFY_URLS": f"json://{HUSH}/",
}


@pytest.fixture
def server() -> Iterator[SecretServer]:
    with secret_server() as serving:
        yield serving


def load(platform: str, server: SecretServer, **variables: str) -> Settings:
    usual = {"longbridge": LONGBRIDGE | {"LONGPORT_ACCESS_TOKEN": "t"}, "schwab": SCHWAB}
    schwab = {} if platform != "schwab" else {"SCHWAB_TOKEN_PATH": "/token.json"}
    given = {**LEAST, **usual.get(platform, {}), **schwab}
    for name in variables:
        for spelling in (name, name.removesuffix("_FILE"), name.removesuffix("_SECRET")):
            given.pop(spelling, None)
    return load_settings(platform, {**given, "QPK_SECRET_MANAGER_URL": server.url, **variables})


def refused(server: SecretServer, platform: str = "ibkr", **variables: str) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        load(platform, server, **variables)
    assert HUSH not in str(raised.value)
    return raised.value


def value(settings: Settings, field: str) -> object:
    found = settings.login.get(field) if field in settings.login else getattr(settings, field)
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize(("platform", "name", "field"), SECRET_VARIABLES)
def test_every_secret_may_come_from_the_environment_a_file_or_secret_manager(
    platform: str, name: str, field: str, server: SecretServer, tmp_path: Path
) -> None:
    text = VALUES.get(name, HUSH)
    file = tmp_path / "secret"
    file.write_text(f"{text}\n")
    kept = server.keep("kept", "older", f"{text}\n")
    spellings = {name: text, f"{name}_FILE": str(file), f"{name}_SECRET": kept}
    for spelling, given in spellings.items():
        settings = load(platform, server, **{spelling: given})
        assert value(settings, field) == text, spelling
        assert HUSH not in repr(settings)
    for first, second in (("", "_FILE"), ("_FILE", "_SECRET")):
        both = {f"{name}{end}": spellings[f"{name}{end}"] for end in (first, second)}
        message = refused(server, platform, **both).message
        assert f"{name}{first} and {name}{second} are both set" in message


def test_the_account_may_be_a_secret_too(server: SecretServer, tmp_path: Path) -> None:
    (tmp_path / "account").write_text("U1")
    assert load("ibkr", server, QPK_ACCOUNT_ID_FILE=str(tmp_path / "account")).account_id == "U1"
    assert load("ibkr", server, QPK_ACCOUNT_ID_SECRET=server.keep("a", "U2")).account_id == "U2"


def test_longports_secret_name_is_the_one_of_the_access_token(server: SecretServer) -> None:
    name = server.keep("longport-token-hk", HUSH)
    given = {**LEAST, **LONGBRIDGE, "QPK_SECRET_MANAGER_URL": server.url}
    whole = load_settings("longbridge", {**given, "LONGPORT_SECRET_NAME": name})
    brief = {"LONGPORT_SECRET_NAME": "longport-token-hk", "GOOGLE_CLOUD_PROJECT": "desk"}
    assert load_settings("longbridge", given | brief).login == whole.login
    assert whole.login["access_token"] == HUSH
    with pytest.raises(SettingsError, match="LONGPORT_ACCESS_TOKEN and LONGPORT_SECRET_NAME"):
        load_settings("longbridge", {**given, **brief, "LONGPORT_ACCESS_TOKEN": HUSH})
    with pytest.raises(SettingsError, match="GOOGLE_CLOUD_PROJECT set"):
        load_settings("longbridge", {**given, "LONGPORT_SECRET_NAME": "longport-token-hk"})


def test_secret_manager_is_asked_for_nothing_that_no_variable_names(server: SecretServer) -> None:
    load("schwab", server)
    assert server.asked == []


def test_a_secret_where_its_name_belongs_is_not_repeated(server: SecretServer) -> None:
    message = refused(server, "longbridge", LONGPORT_ACCESS_TOKEN_SECRET=f"{HUSH}!").message
    assert message.startswith("LONGPORT_ACCESS_TOKEN_SECRET = ***: expected the name of a secret")


@pytest.mark.parametrize("content", ["", " \n"])
def test_a_blank_secret_is_no_secret(content: str, server: SecretServer, tmp_path: Path) -> None:
    (tmp_path / "blank").write_text(content)
    name = server.keep("blank", content)
    assert "is blank" in refused(server, QPK_STORE_URL_FILE=str(tmp_path / "blank")).message
    assert "is blank" in refused(server, QPK_STORE_URL_SECRET=name).message


def test_a_file_that_is_no_text_is_refused_without_its_bytes(
    server: SecretServer, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff" + HUSH.encode())
    error = refused(server, QPK_STORE_URL_FILE=str(tmp_path / "binary"))
    assert "not text" in error.message
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_value_that_cannot_be_read_is_not_shown_wherever_it_is_kept(
    server: SecretServer, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(f"mysql://{HUSH}")
    name = server.keep("url", f"mysql://{HUSH}")
    for variables in (
        {"QPK_STORE_URL": f"mysql://{HUSH}"},
        {"QPK_STORE_URL_FILE": str(tmp_path / "url")},
        {"QPK_STORE_URL_SECRET": name},
    ):
        message = refused(server, **variables).message
        assert message.startswith(f"{next(iter(variables))} = ***: expected postgresql")


def test_a_secret_that_is_denied_stops_the_start(server: SecretServer) -> None:
    name = server.keep("url", HUSH)
    server.denied.add(name)
    error = refused(server, QPK_STORE_URL_SECRET=name)
    assert isinstance(error, SettingsError)
    assert error.code is ReasonCode.SECRET_UNUSABLE


@pytest.mark.parametrize("url", ["http://example.org", "https://x/v1", "secretmanager", "ftp://x"])
def test_secrets_travel_encrypted_or_stay_on_the_machine(url: str, server: SecretServer) -> None:
    server.url = url
    assert "expected an https:// address, or http:// on loopback" in refused(server).message


# ── Schwab's token ─────────────────────────────────────────────────────────────────────


def schwab(**variables: str) -> Settings:
    return load_settings("schwab", {**LEAST, **SCHWAB, **variables})


def test_schwabs_token_is_kept_in_a_file_or_in_a_secret() -> None:
    in_a_file = {"SCHWAB_TOKEN_PATH": "/t.json"}
    assert schwab(**in_a_file).login["token_path"] == Path("/t.json")
    given = {"SCHWAB_TOKEN_SECRET_NAME": "schwab-token", "GOOGLE_CLOUD_PROJECT": "desk"}
    login = schwab(**given).login
    assert login["token_path"] is None
    assert login["token_secret"] == SecretName("projects/desk/secrets/schwab-token")
    assert login["secret_manager_url"] == GOOGLE_URL


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "SCHWAB_TOKEN_PATH is not set, and SCHWAB_TOKEN_SECRET_NAME neither"),
        (
            {"SCHWAB_TOKEN_PATH": "/t.json", "SCHWAB_TOKEN_SECRET_NAME": "projects/p/secrets/s"},
            "are both set",
        ),
        (
            {"SCHWAB_TOKEN_SECRET_NAME": "projects/p/secrets/s/versions/3"},
            "names version 3: a token is renewed",
        ),
        ({"SCHWAB_TOKEN_SECRET_NAME": "a b"}, "expected the name of a secret"),
    ],
)
def test_schwabs_token_has_one_place(variables: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        schwab(**variables)
