"""Card A29 over the wires: whatever a login needs, nothing printed, kept or sent repeats it.

Every secret is unlike anything else, comes from another source, and is looked for in all that a
service says, stores and sends: through logins that succeed and through every kind that fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quant_platform_kit.simulators import WireFault, WireSwitch
from quant_platform_kit.simulators.longbridge import access_token
from quant_platform_kit.simulators.schwab import token_document
from tests.secret_manager import SecretServer, secret_server
from tests.wires import FIRST, Wire

pytest.importorskip("google.cloud.secretmanager_v1")

Environ = dict[str, str]

CANARY = "canary" + "-7f3a"
NOT_OURS = {"ibkr": "DU9988776", "schwab": "99887766", "longbridge": "29988776"}
SERVICE = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from quant_platform_kit.service import create_app
client = create_app(sys.argv[1]).test_client()
for path in ("/health", "/ready", "/status"):
    print(client.get(path).text)
print(client.post("/run", json={"session": sys.argv[2]}).text)
print(client.get("/status").text)
"""


@pytest.fixture
def secrets() -> Iterator[SecretServer]:
    with secret_server() as serving:
        yield serving


@pytest.fixture
def received() -> Iterator[tuple[str, list[bytes]]]:
    """Return where heartbeats go, and what has come."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        yield f"json://desk:{CANARY}-channel@127.0.0.1:{http.server_port}/", bodies
        http.shutdown()


@contextmanager
def service(broker: str, folder: Path) -> Iterator[tuple[Wire, Environ]]:
    """Start a broker's simulator, and return the variables of a service that trades through it."""
    wire = Wire.to(broker, folder)
    yield wire, dict(wire.environ)
    wire.simulator.close()


def run(broker: str, environ: Mapping[str, str], state: Path) -> str:
    """Run one slot in a service of its own; return everything that its processes printed."""
    done = subprocess.run(
        [sys.executable, "-c", SERVICE, broker, FIRST.isoformat()],
        env={**environ, "QPK_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def moved(environ: Environ, name: str, source: str, place: Path | SecretServer) -> str:
    """Give a variable's value in another way; return the value."""
    value = environ.pop(name)
    if isinstance(place, SecretServer):
        environ[f"{name}_{source}"] = place.keep(name.lower(), value)
    else:
        file = place / name.lower()
        file.write_text(f"{value}\n")
        environ[f"{name}_{source}"] = str(file)
    return value


def assert_silent(
    hidden: set[str], printed: Mapping[str, str], kept: Path, sent: list[bytes]
) -> None:
    """Assert that nothing that was printed, kept or sent holds one of the secrets."""
    assert all(len(secret) >= 7 for secret in hidden)
    files = {str(file): file.read_bytes() for file in kept.rglob("*") if file.is_file()}
    for secret in hidden:
        assert [name for name, text in printed.items() if secret in text] == []
        assert [name for name, content in files.items() if secret.encode() in content] == []
        assert [body for body in sent if secret.encode() in body] == []


def test_a29_no_secret_of_an_ibkr_login_is_repeated(
    tmp_path: Path, secrets: SecretServer, received: tuple[str, list[bytes]]
) -> None:
    url, sent = received
    with service("ibkr", tmp_path) as (_, environ):
        environ |= {"QPK_NOTIFY_URLS": url, "QPK_SECRET_MANAGER_URL": secrets.url}
        account = environ["QPK_ACCOUNT_ID"]
        groups = json.dumps({"desk": {"client_ids": {account: 3, NOT_OURS["ibkr"]: 4}}})
        environ |= {"IBKR_ACCOUNT_GROUP": "desk", "IBKR_ACCOUNT_GROUPS": groups}
        hidden = {account, NOT_OURS["ibkr"], CANARY}
        moved(environ, "QPK_ACCOUNT_ID", "FILE", tmp_path)
        moved(environ, "IBKR_ACCOUNT_GROUPS", "SECRET", secrets)
        moved(environ, "QPK_NOTIFY_URLS", "SECRET", secrets)
        printed = {"good": run("ibkr", environ, tmp_path / "kept/good")}
        (tmp_path / "qpk_account_id").write_text(NOT_OURS["ibkr"])
        printed["other"] = run("ibkr", environ, tmp_path / "kept/other")
        (tmp_path / "qpk_account_id").write_text("DU1")
        printed["no member"] = run("ibkr", environ, tmp_path / "kept/none")
        secrets.denied.add("projects/desk/secrets/qpk_notify_urls")
        printed["denied"] = run("ibkr", environ, tmp_path / "kept/denied")
    assert "TRADED" in printed["good"]
    assert "is not among the 1 of this login" in printed["other"]
    assert "is not among the 2 account(s)" in printed["no member"]
    assert "is kept from this service" in printed["denied"]
    assert sent
    assert_silent(hidden, printed, tmp_path / "kept", sent)


def test_a29_no_secret_of_a_schwab_login_is_repeated(
    tmp_path: Path, secrets: SecretServer, received: tuple[str, list[bytes]]
) -> None:
    url, sent = received
    token = "schwab-token"  # noqa: S105 (the name of a secret)
    with service("schwab", tmp_path) as (wire, environ):
        environ |= {"QPK_NOTIFY_URLS": url, "QPK_SECRET_MANAGER_URL": secrets.url}
        environ |= {"SCHWAB_APP_KEY": f"{CANARY}-key", "SCHWAB_APP_SECRET": f"{CANARY}-secret"}
        moved(environ, "SCHWAB_APP_KEY", "FILE", tmp_path)
        moved(environ, "SCHWAB_APP_SECRET", "SECRET", secrets)
        document = Path(environ.pop("SCHWAB_TOKEN_PATH")).read_text()
        old = json.dumps(token_document(datetime.now(UTC).timestamp() - 1790))
        environ["SCHWAB_TOKEN_SECRET_NAME"] = secrets.keep(token, old)
        tokens = json.loads(document)["token"]
        hidden = {environ["QPK_ACCOUNT_ID"], NOT_OURS["schwab"], CANARY}
        hidden |= {tokens["refresh_token"], "simulated-access"}
        printed = {"renewed": run("schwab", environ, tmp_path / "kept/good")}
        versions = len(secrets.secrets[environ["SCHWAB_TOKEN_SECRET_NAME"]])
        account = {"QPK_ACCOUNT_ID": NOT_OURS["schwab"]}
        printed["other"] = run("schwab", environ | account, tmp_path / "kept/other")
        wire.simulator.control.set_faults(
            WireSwitch(WireFault.AUTH_EXPIRED, nth=1),
            WireSwitch(WireFault.REFRESH_DENIED, operation="token"),
        )
        printed["ended"] = run("schwab", environ, tmp_path / "kept/ended")
        wire.simulator.control.clear()
        secrets.keep(token, json.dumps({"token": f"{CANARY}-broken"}))
        printed["broken"] = run("schwab", environ, tmp_path / "kept/broken")
        secrets.denied.add("projects/desk/secrets/schwab-token")
        printed["denied"] = run("schwab", environ, tmp_path / "kept/denied")
    assert versions == 2
    assert "TRADED" in printed["renewed"]
    assert "not the one that is configured" in printed["other"]
    assert "The login has ended" in printed["ended"]
    assert "holds no token" in printed["broken"]
    assert "is kept from this service" in printed["denied"]
    assert sent
    assert_silent(hidden, printed, tmp_path / "kept", sent)


def test_a29_no_secret_of_a_longbridge_login_is_repeated(
    tmp_path: Path, secrets: SecretServer, received: tuple[str, list[bytes]]
) -> None:
    url, sent = received
    with service("longbridge", tmp_path) as (_, environ):
        environ |= {"QPK_NOTIFY_URLS": url, "QPK_SECRET_MANAGER_URL": secrets.url}
        hidden = {environ["QPK_ACCOUNT_ID"], NOT_OURS["longbridge"], CANARY}
        hidden |= {moved(environ, "LONGPORT_APP_SECRET", "FILE", tmp_path)}
        token = environ.pop("LONGPORT_ACCESS_TOKEN")
        hidden |= {token, *token.split(".")}
        name = "longport-token-hk"
        environ |= {"LONGPORT_SECRET_NAME": name, "GOOGLE_CLOUD_PROJECT": "desk"}
        secrets.keep(name, token)
        printed = {"good": run("longbridge", environ, tmp_path / "kept/good")}
        account = {"QPK_ACCOUNT_ID": NOT_OURS["longbridge"]}
        printed["other"] = run("longbridge", environ | account, tmp_path / "kept/other")
        (tmp_path / "longport_app_secret").write_text(f"{CANARY}-secret")
        printed["wrong"] = run("longbridge", environ, tmp_path / "kept/wrong")
        forged = access_token(NOT_OURS["longbridge"], expires_at=datetime(2001, 1, 1, tzinfo=UTC))
        hidden |= {forged, *forged.split(".")}
        secrets.keep(name, forged)
        printed["forged"] = run("longbridge", environ, tmp_path / "kept/forged")
        secrets.secrets.clear()
        printed["absent"] = run("longbridge", environ, tmp_path / "kept/absent")
    assert "TRADED" in printed["good"]
    assert "TRADED" not in "".join(printed[name] for name in ("other", "wrong", "forged"))
    assert "does not exist" in printed["absent"]
    assert sent
    assert_silent(hidden - {""}, printed, tmp_path / "kept", sent)
