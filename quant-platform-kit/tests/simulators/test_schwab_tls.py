"""The adapter as it runs at Schwab: its real address, TLS and nothing of it changed.

A proxy on loopback takes the connections for Schwab's host, ends TLS with a certificate of the
test, and passes the bytes on to the simulator. The adapter hears of it by the two variables that
every HTTPS client knows.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quant_platform_kit.simulators import HostOptions, SimulatorControl, SimulatorProcess
from quant_platform_kit.simulators.schwab import token_document

pytest.importorskip("quant_platform_kit.brokers.schwab")
x509 = pytest.importorskip("cryptography.x509")

HOST = "api.schwabapi.com"

PROGRAM = """
import sys
from decimal import Decimal
from quant_platform_kit.brokers.schwab import SchwabLogin, connect
from quant_platform_kit.contracts import OrderRequest, Side
login = SchwabLogin("key", "secret", sys.argv[1])
broker = connect(login, token_path=sys.argv[2], tags_path=sys.argv[3])
print(broker.environment.value, broker.account().cash_usd)
broker.submit(OrderRequest("ours", "AAA", Side.BUY, Decimal(10)))
print(broker.find_order("ours").status.value, broker.positions()[0].quantity)
broker.close()
"""


def a_certificate(folder: Path) -> Path:
    """Write a key and a certificate for Schwab's host, signed by itself, into one file."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def serve_one(client: socket.socket, context: ssl.SSLContext, port: int, asked: list[str]) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    asked.append(head.split()[1].decode())
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with (
        closing(context.wrap_socket(client, server_side=True)) as inside,
        socket.create_connection(("127.0.0.1", port)) as simulator,
    ):
        back = threading.Thread(target=pump, args=(simulator, inside), daemon=True)
        back.start()
        pump(inside, simulator)
        back.join(5)


@pytest.fixture
def proxy(
    launch: Callable[[str], SimulatorProcess], schwab_control: SimulatorControl, tmp_path: Path
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Variables that lead a client to the proxy, and the hosts that it was asked for."""
    path = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    asked: list[str] = []
    port = launch("schwab").port
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                arguments = (client, context, port, asked)
                threading.Thread(target=serve_one, args=arguments, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(path)}, asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_the_adapter_trades_over_tls_at_schwab_s_own_address(
    proxy: tuple[dict[str, str], list[str]], fresh: HostOptions, tmp_path: Path
) -> None:
    variables, asked = proxy
    token = tmp_path / "token.json"
    now = datetime.now(UTC).timestamp()
    token.write_text(json.dumps(token_document(now - 1750)))  # has to be renewed first
    arguments = [fresh.account_id, str(token), str(tmp_path / "tags.jsonl")]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == ["live 1000.00", "filled 10"]
    assert set(asked) == {f"{HOST}:443"}
    assert "simulated-access-1" in token.read_text()
