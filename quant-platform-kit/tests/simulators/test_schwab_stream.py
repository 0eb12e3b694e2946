"""The streamer of the Schwab simulator, with the SDK's own client."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from quant_platform_kit.contracts import Side
from quant_platform_kit.simulators import SimulatorControl, WireFault

if TYPE_CHECKING:
    from schwab.client import Client

pytest.importorskip("quant_platform_kit.brokers.schwab")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the SDK uses what its WebSocket library calls legacy
    from schwab.streaming import StreamClient, UnexpectedResponseCode
    from websockets.exceptions import ConnectionClosed

_SECS = 5.0
_QUICK = {"close_timeout": 0.1}  # the SDK closes no socket that it leaves


@asynccontextmanager
async def subscribed(client: Client, seen: list[str]) -> AsyncIterator[StreamClient]:
    """Log in, subscribe, and note the kind of every activity."""
    stream = StreamClient(client)
    stream.add_account_activity_handler(
        lambda message: seen.extend(row["MESSAGE_TYPE"] for row in message["content"])
    )
    async with asyncio.timeout(_SECS):
        await stream.login(_QUICK)
        await stream.account_activity_sub()
        yield stream


def test_every_change_of_an_order_is_pushed(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    seen: list[str] = []

    async def talk() -> None:
        async with subscribed(schwab_client, seen) as stream:
            await asyncio.to_thread(schwab_control.trade, "AAA", Side.BUY, Decimal(3))
            await stream.handle_message()

    asyncio.run(talk())
    assert seen == ["OrderFillCompleted"]


def test_pushes_can_be_lost_and_come_twice(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    seen: list[str] = []

    async def talk() -> None:
        async with subscribed(schwab_client, seen) as stream:
            for fault in (WireFault.LOST_PUSHES, WireFault.DUPLICATE_PUSH):
                await asyncio.to_thread(schwab_control.fault, fault, operation="stream")
                await asyncio.to_thread(schwab_control.trade, "AAA", Side.BUY, Decimal(3))
            await stream.handle_message()
            await stream.handle_message()

    asyncio.run(talk())
    assert seen == ["OrderFillCompleted"] * 2


def test_a_stream_that_is_cut_says_so(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    async def talk() -> None:
        async with subscribed(schwab_client, []) as stream:
            await asyncio.to_thread(schwab_control.drop)
            await stream.handle_message()

    with pytest.raises(ConnectionClosed):
        asyncio.run(talk())


def test_a_stream_without_an_answer_hangs_without_a_deadline_of_its_caller(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    schwab_control.fault(WireFault.NO_ANSWER, operation="stream")

    async def talk() -> None:
        async with asyncio.timeout(0.5):
            await StreamClient(schwab_client).login(_QUICK)

    with pytest.raises(TimeoutError):
        asyncio.run(talk())


def test_a_login_to_the_stream_can_be_denied(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    schwab_control.fault(WireFault.LOGIN_DENIED)

    async def talk() -> None:
        async with asyncio.timeout(_SECS):
            await StreamClient(schwab_client).login(_QUICK)

    with pytest.raises(UnexpectedResponseCode):
        asyncio.run(talk())
