"""What each request of a client asks for, by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators.tws._codec import MalformedMessage
from quant_platform_kit.simulators.tws._desk import Complain, Desk
from quant_platform_kit.simulators.tws._queries import Frames, Queries, Refused, Venue
from quant_platform_kit.simulators.tws._tables import (
    ASKED_CONTRACT_DETAILS,
    ASKED_EXECUTIONS,
    ASKED_HISTORY,
    ASKED_MARKET_DATA,
    PLACE_ORDER,
    Ask,
)

OPERATIONS: Final = {
    Ask.MARKET_DATA: "quote",
    Ask.PLACE_ORDER: "order",
    Ask.CANCEL_ORDER: "cancel",
    Ask.OPEN_ORDERS: "open_orders",
    Ask.ALL_OPEN_ORDERS: "all_open_orders",
    Ask.ACCOUNT_UPDATES: "account_updates",
    Ask.ACCOUNT_UPDATES_MULTI: "account_updates",
    Ask.ACCOUNT_SUMMARY: "account",
    Ask.EXECUTIONS: "executions",
    Ask.CONTRACT: "contract",
    Ask.HISTORY: "bars",
    Ask.TIME: "time",
    Ask.POSITIONS: "positions",
    Ask.COMPLETED_ORDERS: "completed_orders",
    Ask.MANAGED_ACCOUNTS: "managed_accounts",
    Ask.IDS: "ids",
}
"""Names of what can be asked for, as faults and counters have them."""

_LAYOUTS: Final = {
    Ask.MARKET_DATA: ASKED_MARKET_DATA,
    Ask.PLACE_ORDER: PLACE_ORDER,
    Ask.EXECUTIONS: ASKED_EXECUTIONS,
    Ask.CONTRACT: ASKED_CONTRACT_DETAILS,
    Ask.HISTORY: ASKED_HISTORY,
}
_QUOTE_FAULTS: Final = frozenset(
    {WireFault.STALE_QUOTE, WireFault.DELAYED_QUOTE, WireFault.NO_MARKET_DATA}
)
_REQUEST_ID: Final = {
    Ask.HISTORY: 1,
    Ask.PLACE_ORDER: 1,
    Ask.MARKET_DATA: 2,
    Ask.EXECUTIONS: 2,
    Ask.CONTRACT: 2,
    Ask.ACCOUNT_SUMMARY: 2,
    Ask.ACCOUNT_UPDATES_MULTI: 2,
    Ask.CANCEL_ORDER: 2,
}
_KNOWN: Final = {str(int(ask)): ask for ask in Ask}

_Asked: TypeAlias = dict[str, str]
_Answer: TypeAlias = Callable[[list[str], _Asked], Frames]


def read(given: list[str], version: int) -> tuple[Ask, _Asked] | None:
    """Return what is asked for, and its fields by name where it has a layout.

    None for a request that is not served, or that only ends something.
    """
    ask = _KNOWN.get(given[0])
    if ask is None:
        return None
    layout = _LAYOUTS.get(ask)
    return ask, {} if layout is None else layout.read(version, given[1:])


def request_id(ask: Ask, given: list[str]) -> int:
    """Return the number that an error about the request names; -1 when it has none."""
    place = _REQUEST_ID.get(ask)
    return -1 if place is None else int(given[place])


class Requests:
    """Answers the requests of one client; every method is called under the host's lock."""

    def __init__(
        self, venue: Venue, desk: Desk, client: int, version: int, complain: Complain
    ) -> None:
        self._wire = venue.host.wire
        self._desk = desk
        self._client = client
        self._complain = complain
        self.queries = Queries(venue, version)
        self.wants_positions = False
        queries = self.queries
        self._routes: Mapping[Ask, _Answer] = {
            Ask.OPEN_ORDERS: lambda *_: queries.open_orders(client),
            Ask.ALL_OPEN_ORDERS: lambda *_: queries.open_orders(None),
            Ask.COMPLETED_ORDERS: lambda *_: queries.completed_orders(),
            Ask.ACCOUNT_UPDATES: lambda given, _: queries.account_updates(given[3]),
            Ask.ACCOUNT_UPDATES_MULTI: lambda given, _: queries.account_updates_multi(
                int(given[2]), given[3]
            ),
            Ask.ACCOUNT_SUMMARY: lambda given, _: queries.account_summary(int(given[2]), given[4]),
            Ask.POSITIONS: self._positions,
            Ask.CANCEL_POSITIONS: self._stop_positions,
            Ask.EXECUTIONS: self._executions,
            Ask.CONTRACT: lambda _, asked: queries.contract(asked),
            Ask.MARKET_DATA: self._quote,
            Ask.HISTORY: self._bars,
            Ask.PLACE_ORDER: self._place,
            Ask.CANCEL_ORDER: self._cancel,
            Ask.TIME: lambda *_: queries.time(),
            Ask.MANAGED_ACCOUNTS: lambda *_: queries.managed_accounts(),
            Ask.IDS: lambda *_: queries.next_id(),
        }

    def answer(self, ask: Ask, given: list[str], asked: _Asked) -> Frames:
        """Return the answer; an error message where the protocol has one for it.

        Raises
        ------
        MalformedMessage
            When a number is none.
        """
        route = self._routes.get(ask)
        try:
            return [] if route is None else route(given, asked)
        except Refused as refusal:
            return [self._complain(request_id(ask, given), refusal.code, refusal.text)]
        except (ValueError, IndexError) as error:
            raise MalformedMessage(str(error)) from error

    def _positions(self, *_: object) -> Frames:
        self.wants_positions = True
        return self.queries.positions()

    def _stop_positions(self, *_: object) -> Frames:
        self.wants_positions = False
        return []

    def _executions(self, given: list[str], _: _Asked) -> Frames:
        struck = self._wire.strike({WireFault.DUPLICATE_EXECUTION}, "executions")
        return self.queries.executions(int(given[2]), twice=struck is not None)

    def _quote(self, _: list[str], asked: _Asked) -> Frames:
        switch = self._wire.strike(_QUOTE_FAULTS, "quote", self.queries.symbol(asked))
        return self.queries.snapshot(asked, None if switch is None else switch.fault)

    def _bars(self, _: list[str], asked: _Asked) -> Frames:
        struck = self._wire.strike({WireFault.TRUNCATED}, "bars", self.queries.symbol(asked))
        return self.queries.history(asked, truncated=struck is not None)

    def _place(self, _: list[str], asked: _Asked) -> Frames:
        self.queries.symbol(asked)
        return self._desk.place(self._client, asked, self.queries.writer, self._complain)

    def _cancel(self, given: list[str], _: _Asked) -> Frames:
        return self._desk.cancel(self._client, int(given[2]), self.queries.writer, self._complain)
