"""Simulators in processes of their own, and a small market for their accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quant_platform_kit.market import xnys
from quant_platform_kit.simulators import HostOptions, SimulatorControl, SimulatorProcess
from quant_platform_kit.simulators.schwab import token_document

SESSION = date(2020, 3, 31)
FIRST, LAST = date(2020, 3, 2), date(2020, 4, 30)
PRICES = {"AAA": 10.0, "BBB": 20.0, "CCC": 2.5}


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a market where AAA closes at 10.00, BBB at 20.00 and CCC at 2.50 in every session."""
    path = tmp_path_factory.mktemp("market") / "closes.csv"
    row = ",".join(str(price) for price in PRICES.values())
    lines = [f"{day.isoformat()},{row}" for day in xnys().sessions(FIRST, LAST)]
    path.write_text("\n".join([",".join(["date", *PRICES]), *lines, ""]))
    return str(path)


@pytest.fixture(scope="session")
def fresh(prices: str) -> HostOptions:
    """Options of a new account of 1,000 USD, half an hour before the close of a session."""
    return HostOptions(
        account_id="12345678",
        market=prices,
        start=datetime(2020, 3, 31, 19, 30, tzinfo=UTC),
        cash_usd=Decimal(1000),
    )


@pytest.fixture(scope="session")
def launch(fresh: HostOptions) -> Iterator[Callable[[str], SimulatorProcess]]:
    """Start a broker's simulator the first time it is asked for; one process serves all tests."""
    running: dict[str, SimulatorProcess] = {}

    def start(broker: str) -> SimulatorProcess:
        if broker not in running:
            running[broker] = open_processes.enter_context(
                SimulatorProcess.start(
                    broker,
                    account_id=fresh.account_id,
                    market=fresh.market,
                    start=fresh.start,
                    cash_usd=fresh.cash_usd,
                )
            )
        return running[broker]

    with ExitStack() as open_processes:
        yield start


@pytest.fixture(scope="session")
def other_book(tmp_path_factory: pytest.TempPathFactory, fresh: HostOptions) -> HostOptions:
    """Options of an account whose book has a file, so that it survives its simulator."""
    path: Path = tmp_path_factory.mktemp("book") / "book.jsonl"
    return replace(fresh, book_path=str(path))


@pytest.fixture
def schwab_control(
    launch: Callable[[str], SimulatorProcess], fresh: HostOptions
) -> SimulatorControl:
    """Control of a Schwab simulator with a new account."""
    control = launch("schwab").control
    control.open_account(fresh)
    return control


@pytest.fixture
def connect_schwab(
    launch: Callable[[str], SimulatorProcess],
    schwab_control: SimulatorControl,
    fresh: HostOptions,
    tmp_path: Path,
) -> Iterator[Callable[..., Any]]:
    """Return a function that connects an adapter; all share a token file and a file of tags."""
    module = pytest.importorskip("quant_platform_kit.brokers.schwab")
    document = token_document(datetime.now(UTC).timestamp())
    (tmp_path / "token.json").write_text(json.dumps(document))

    def connect(
        *,
        dividends: object = _none_paid,
        tokens: object = None,
        clock: object = schwab_control,
        **login: object,
    ) -> Any:  # noqa: ANN401 (an adapter has more than the port)
        usual = {
            "app_key": "key",
            "app_secret": "secret",
            "account_id": fresh.account_id,
            "base_url": f"http://127.0.0.1:{launch('schwab').port}",
            "timeout_secs": 5.0,
        }
        broker = module.SchwabBroker(
            module.SchwabLogin(**usual | login),
            module.TokenFile(tmp_path / "token.json") if tokens is None else tokens,
            module.TagFile(tmp_path / "tags.jsonl"),
            dividends=dividends,
            clock=clock,
        )
        opened.callback(broker.close)
        return broker

    with ExitStack() as opened:
        yield connect


def _none_paid(symbol: str, first: date, last: date) -> dict[date, Decimal]:
    return {}


@pytest.fixture
def schwab_client(
    launch: Callable[[str], SimulatorProcess], schwab_control: SimulatorControl
) -> Iterator[Any]:
    """Return the SDK's own client with a good token, its requests sent to the simulator."""
    module = pytest.importorskip("quant_platform_kit.brokers.schwab._session")
    from schwab.auth import TokenMetadata

    document = token_document(datetime.now(UTC).timestamp())
    there = module.Elsewhere(f"http://127.0.0.1:{launch('schwab').port}")
    with module.OAuth2Client("key", token=document["token"], transport=there) as session:
        metadata = TokenMetadata.from_loaded_token(document, None)
        yield module.Client("key", session, token_metadata=metadata)
