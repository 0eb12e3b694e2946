"""A LongBridge simulator with a new account, and adapters that connect to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import pytest

from quant_platform_kit.brokers.longbridge import Address, LongbridgeBroker, LongbridgeLogin
from quant_platform_kit.simulators import HostOptions, SimulatorControl, SimulatorProcess
from quant_platform_kit.simulators.longbridge import APP_KEY, APP_SECRET, access_token

HAS_SUCCESSOR = find_spec("longbridge") is not None


@pytest.fixture(scope="session")
def lets_go() -> bool:
    """Whether the installed SDK lets go of the interpreter while it waits."""
    return HAS_SUCCESSOR


@pytest.fixture
def control(launch: Callable[[str], SimulatorProcess], fresh: HostOptions) -> SimulatorControl:
    """Control of a LongBridge simulator with a new account."""
    control = launch("longbridge").control
    control.open_account(fresh)
    return control


@pytest.fixture
def login(
    launch: Callable[[str], SimulatorProcess], control: SimulatorControl, fresh: HostOptions
) -> Callable[..., LongbridgeLogin]:
    """Return a function that makes a login to the account; arguments replace the usual ones."""
    if not HAS_SUCCESSOR and find_spec("longport") is None:
        pytest.skip("neither SDK of LongBridge is installed")
    port = launch("longbridge").port

    def make(**changes: Any) -> LongbridgeLogin:  # noqa: ANN401 (any field)
        end = control.now() + timedelta(days=90)
        usual: dict[str, Any] = {
            "account_id": fresh.account_id,
            "app_key": APP_KEY,
            "app_secret": APP_SECRET,
            "access_token": access_token(fresh.account_id, expires_at=end),
            "address": Address(
                http_url=f"http://127.0.0.1:{port}",
                quote_url=f"ws://127.0.0.1:{port}/quote",
                trade_url=f"ws://127.0.0.1:{port}/trade",
            ),
            "timeout_secs": 5.0,
            "reuse_secs": 0,
            "most_requests": 0,
        }
        return LongbridgeLogin(**usual | changes)

    return make


@pytest.fixture
def connect(
    login: Callable[..., LongbridgeLogin], control: SimulatorControl
) -> Iterator[Callable[..., LongbridgeBroker]]:
    """Return a function that connects an adapter; arguments replace those of the login."""
    with ExitStack() as opened:

        def open_broker(**changes: Any) -> LongbridgeBroker:  # noqa: ANN401 (any field)
            broker = LongbridgeBroker(login(**changes), clock=control)
            opened.callback(broker.close)
            return broker

        yield open_broker


@pytest.fixture
def broker(connect: Callable[..., LongbridgeBroker]) -> LongbridgeBroker:
    """Return a connected adapter that asks the broker every time."""
    return connect()
