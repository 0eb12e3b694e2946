"""What a connection's messages said, kept as they came.

The library keeps a state of its own for each order and gets it wrong: any error that names an
order turns it into a cancelled one. So the adapter listens to the messages themselves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from quant_platform_kit.brokers.ibkr._orders import WireOrder, wire_order
from quant_platform_kit.brokers.ibkr._rows import to_decimal

_TIME_TICKS: Final = frozenset({45, 88})  # when the last trade was made; of live and late prices
_LINE_LOST: Final = frozenset({1100, 2110})
_LINE_BACK: Final = frozenset({1101, 1102})
_NOTICES: Final = frozenset({165, 399, 10167})
_NOTICE_CODES: Final = range(2100, 2200)


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error message: about a request or order of this connection, or about nothing (-1)."""

    about: int
    code: int
    text: str

    @property
    def is_notice(self) -> bool:
        """Whether it only tells something."""
        return self.code in _NOTICES or self.code in _NOTICE_CODES


class Inbox:
    """Listens to one connection of the library; lives on its loop.

    Attributes
    ----------
    orders : dict
        Open orders and news of orders, by permanent number.
    completed : dict
        Completed orders, by permanent number.
    traded_at : dict
        When the last trade of a contract was made, by the contract's number.
    complaints : list
    damaged : bool
        Whether a message could not be read; the library skips it in silence.
    line_lost : bool
        Whether TWS has said that it lost its own line to the broker.
    closed : bool
    secrets : tuple of str
        What is blotted out in the broker's words: the names of the accounts.
    """

    def __init__(self, ib: Any) -> None:  # noqa: ANN401 (the library's)
        self.orders: dict[int, WireOrder] = {}
        self.completed: dict[int, WireOrder] = {}
        self.traded_at: dict[int, datetime] = {}
        self.complaints: list[Complaint] = []
        self.damaged = False
        self.line_lost = False
        self.closed = False
        self.secrets: tuple[str, ...] = ()
        self._wrapper = ib.wrapper
        self._news = asyncio.Event()
        for name in ("openOrder", "orderStatus", "completedOrder", "tickString"):
            self._listen(name, getattr(self, f"_on_{name}"))
        # By reference: the library would only hold on to them weakly.
        ib.errorEvent.connect(self._on_error, keep_ref=True)
        ib.disconnectedEvent.connect(self._on_disconnected, keep_ref=True)
        ib.client.decoder.logger = _DecoderLog(self)

    async def news(self) -> None:
        """Return when something has arrived since the last call."""
        await self._news.wait()
        self._news.clear()

    def by_number(self, client: int, number: int) -> WireOrder | None:
        """Return an order by the number that its program gave it."""
        for order in self.orders.values():
            if (order.client, order.number) == (client, number):
                return order
        return None

    def about(self, number: int) -> list[Complaint]:
        """Return the complaints about an order or request, without mere notices."""
        return [each for each in self.complaints if each.about == number and not each.is_notice]

    def blotted(self, text: str) -> str:
        """Return the broker's words without the names of accounts."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _listen(self, name: str, listener: Any) -> None:  # noqa: ANN401
        original = getattr(self._wrapper, name)

        def both(*arguments: Any) -> None:  # noqa: ANN401
            listener(*arguments)
            original(*arguments)
            self._news.set()

        setattr(self._wrapper, name, both)

    def _on_openOrder(self, _: int, contract: Any, order: Any, state: Any) -> None:  # noqa: ANN401, N802
        seen = wire_order(contract, order, state)
        if seen is not None:
            known = self.orders.get(seen.permanent)
            filled = seen.filled if known is None else max(known.filled, seen.filled)
            self.orders[seen.permanent] = replace(seen, filled=filled)

    def _on_orderStatus(self, *told: Any) -> None:  # noqa: ANN401, N802
        _, status, filled, _, _, permanent, *_ = told
        known = self.orders.get(permanent)
        if known is not None:
            amount = to_decimal(filled)
            self.orders[permanent] = replace(known, status=status, filled=amount, confirmed=True)

    def _on_completedOrder(self, contract: Any, order: Any, state: Any) -> None:  # noqa: ANN401, N802
        seen = wire_order(contract, order, state)
        if seen is not None:
            self.completed[seen.permanent] = seen.ended

    def _on_tickString(self, request: int, kind: int, value: str) -> None:  # noqa: N802
        ticker = self._wrapper.reqId2Ticker.get(request)
        if ticker is not None and kind in _TIME_TICKS and value.isdigit():
            self.traded_at[ticker.contract.conId] = datetime.fromtimestamp(int(value), UTC)

    def _on_error(self, about: int, code: int, text: str, _: Any) -> None:  # noqa: ANN401
        self.complaints.append(Complaint(about, code, self.blotted(text)))
        if code in _LINE_LOST | _LINE_BACK:
            self.line_lost = code in _LINE_LOST
        self._news.set()

    def _on_disconnected(self) -> None:
        self.closed = True
        self._news.set()


class _DecoderLog:
    """Stands in for the decoder's log, where alone the library says that it skipped a message."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def exception(self, *_: object) -> None:
        """Note the damage; the message itself may name the account."""
        self._inbox.damaged = True
