"""A simulated account behind the TWS door, in this process, and connections to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from quant_platform_kit.brokers.ibkr import IbkrBroker, IbkrLogin
from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.simulators import Host, HostOptions
from quant_platform_kit.simulators.tws import TwsDoor, serve

FEES = FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal("1.00"))
HALF_PAST_THREE = datetime(2012, 3, 30, 19, 30, tzinfo=UTC)  # in New York, of a session

Connect = Callable[..., IbkrBroker]


@pytest.fixture
def host() -> Host:
    """Return an account of 100,000 USD half an hour before the close."""
    return Host(HostOptions("DU123", "sample", HALF_PAST_THREE, Decimal(100_000), fees=FEES))


@pytest.fixture
def door(host: Host) -> Iterator[TwsDoor]:
    """Serve the account on a free port."""
    with closing(serve(host, 0)) as door:
        yield door


@pytest.fixture
def login(door: TwsDoor) -> IbkrLogin:
    """Return a login with deadlines that a busy machine keeps."""
    return IbkrLogin(port=door.port, settle_secs=0.1)


@pytest.fixture
def connect(login: IbkrLogin) -> Iterator[Connect]:
    """Connect to the account; arguments replace fields of the login."""
    with ExitStack() as opened:

        def build(**fields: Any) -> IbkrBroker:  # noqa: ANN401 (any field)
            return opened.enter_context(closing(IbkrBroker(replace(login, **fields))))

        yield build


@pytest.fixture
def broker(connect: Connect) -> IbkrBroker:
    """Connect as client 1."""
    return connect()
