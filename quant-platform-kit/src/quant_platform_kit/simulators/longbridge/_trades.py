"""What LongBridge's HTTP interface does with the account: money, positions, orders, executions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from quant_platform_kit.contracts import (
    BrokerOrder,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Submission,
    SubmitOutcome,
    TimeInForce,
)
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators._faults import WireFault
from quant_platform_kit.simulators._host import Host
from quant_platform_kit.simulators.longbridge._cash import flows
from quant_platform_kit.simulators.longbridge._credentials import CHANNEL
from quant_platform_kit.simulators.longbridge._rows import (
    LIVES,
    SIDES,
    TYPES,
    OrderView,
    Row,
    execution,
    new_york_day,
    ticker,
)

Query: TypeAlias = Mapping[str, Sequence[str]]
"""Parameters of a request, each with all of its values."""

HISTORY_LIMIT: Final = 1000
"""Rows of one answer about the past; there is no second page."""

_ONE_REQUEST: Final = timedelta(minutes=10)  # how long a client's request id is remembered
_HUNDRED: Final = Decimal(100)
_PLACEHOLDER: Final = "untagged"

_PAGES: Final = (("page", "1"), ("size", "50"))

_MALFORMED: Final = 600001
_REFUSED: Final = 602013
_UNKNOWN_ORDER: Final = 603001
_NOT_CANCELLED: Final = 603002


class Refusal(Exception):
    """The request is not done; carries LongBridge's code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unanswered(Exception):
    """No answer is given, and the connection is cut."""


@dataclass(slots=True)
class Trades:
    """The account, as the HTTP interface shows it; used under the host's lock."""

    host: Host
    _refused_later: dict[str, OrderView] = field(default_factory=dict)
    _ended_early: dict[str, Decimal] = field(default_factory=dict)
    _requests: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def operations(self) -> Mapping[tuple[str, str], tuple[str, Callable[..., Row]]]:
        """Return name and function of each operation by method and path."""
        return {
            ("GET", "/v1/asset/account"): ("account", self.account),
            ("GET", "/v1/asset/stock"): ("positions", self.positions),
            ("GET", "/v1/asset/cashflow"): ("cash_flow", self.cash_flow),
            ("GET", "/v1/trade/order/today"): ("orders", self.orders_today),
            ("GET", "/v1/trade/order/history"): ("orders_history", self.orders_history),
            ("GET", "/v1/trade/execution/today"): ("executions", self.executions_today),
            ("GET", "/v1/trade/execution/history"): ("executions_history", self.executions_history),
            ("GET", "/v1/trade/order"): ("order", self.order),
            ("POST", "/v1/trade/order"): ("submit", self.submit),
            ("DELETE", "/v1/trade/order"): ("cancel", self.cancel),
        }

    # ── Queries ────────────────────────────────────────────────────────────────────────

    def account(self, *_: object) -> Row:
        """Return the money, in dollars only."""
        account = self.host.broker.account()
        cash = {
            "currency": "USD",
            "withdraw_cash": str(account.usable_cash_usd),
            "available_cash": str(account.usable_cash_usd),
            "frozen_cash": str(account.cash_usd - account.usable_cash_usd),
            "settling_cash": "0",
        }
        balance = {
            "total_cash": str(account.cash_usd),
            "max_finance_amount": "0",
            "remaining_finance_amount": "0",
            "risk_level": "1",
            "margin_call": "0",
            "currency": "USD",
            "net_assets": str(account.equity_usd),
            "init_margin": "0",
            "maintenance_margin": "0",
            "buy_power": str(account.usable_cash_usd),
            "cash_infos": [cash],
            "frozen_transaction_fees": [],
        }
        return {"list": [balance]}

    def positions(self, _query: Query, _body: Row, fault: WireFault | None) -> Row:
        """Return the holdings; an account without any has a channel all the same."""
        if fault is WireFault.EMPTY_POSITIONS_LOST:
            return {"list": []}
        rows = [
            {
                "symbol": f"{position.symbol}.US",
                "symbol_name": position.symbol,
                "quantity": str(position.quantity),
                "available_quantity": str(position.quantity),
                "currency": "USD",
                "cost_price": str(position.average_cost_usd or ""),
                "market": "US",
                "init_quantity": "",
            }
            for position in self.host.broker.positions()
        ]
        return {"list": [{"account_channel": CHANNEL, "stock_info": rows}]}

    def cash_flow(self, query: Query, *_: object) -> Row:
        """Return a page of what moved the cash between two times."""
        first, last = (_instant(query, name) for name in ("start_time", "end_time"))
        if first is None or last is None:
            raise Refusal(_MALFORMED, "start_time and end_time are required")
        rows = [row for at, row in flows(self.host) if first <= at.replace(microsecond=0) <= last]
        page, size = (int(query.get(name, [usual])[0]) for name, usual in _PAGES)
        return {"list": rows[(page - 1) * size : page * size]}

    def orders_today(self, query: Query, *_: object) -> Row:
        """Return the orders that were handed in today."""
        rows = [view.row() for view in self._views() if self._is_today(view.order.submitted_at)]
        return {"orders": _chosen(rows, query)}

    def orders_history(self, query: Query, *_: object) -> Row:
        """Return the orders of earlier days, the youngest first."""
        rows = [view.row() for view in self._views() if not self._is_today(view.order.submitted_at)]
        found = _chosen(_within(rows, query, "submitted_at", self.host.clock.now()), query)[::-1]
        return {"orders": found[:HISTORY_LIMIT], "has_more": len(found) > HISTORY_LIMIT}

    def executions_today(self, query: Query, _body: Row, fault: WireFault | None) -> Row:
        """Return the executions of today."""
        rows = [execution(fill) for fill in self.host.fills() if self._is_today(fill.at)]
        if fault is WireFault.LATE_STATUS:
            rows = []
        if fault is WireFault.TRUNCATED:
            rows = rows[:-1]
        if fault is WireFault.DUPLICATE_EXECUTION:
            rows += rows
        return {"trades": _chosen(rows, query)}

    def executions_history(self, query: Query, *_: object) -> Row:
        """Return the executions of earlier days, the youngest first."""
        rows = [execution(fill) for fill in self.host.fills() if not self._is_today(fill.at)]
        found = _chosen(_within(rows, query, "trade_done_at", self.host.clock.now()), query)[::-1]
        return {"trades": found[:HISTORY_LIMIT], "has_more": len(found) > HISTORY_LIMIT}

    def order(self, query: Query, *_: object) -> Row:
        """Return one order with its charges."""
        return self.view(_only(query, "order_id")).detail()

    def view(self, order_id: str) -> OrderView:
        """Return one order."""
        refused = self._refused_later.get(order_id)
        order = self.host.order(order_id)
        if refused is not None:
            return refused
        if order is None:
            raise Refusal(_UNKNOWN_ORDER, "order does not exist")
        return self._seen(order)

    # ── Orders ─────────────────────────────────────────────────────────────────────────

    def submit(self, _query: Query, body: Row, fault: WireFault | None) -> Row:
        """Take an order; one whose request id was seen is answered as it was then."""
        request_id, now = body.get("client_request_id"), self.host.clock.now()
        known = self._requests.get(request_id) if request_id else None
        if known is not None and now - known[1] < _ONE_REQUEST:
            return {"order_id": known[0]}
        order_id = self._book(_request(body), bool(body.get("remark")), fault)
        if request_id:
            self._requests[request_id] = (order_id, now)
        if fault is WireFault.ERROR_ON_LIVE_ORDER:
            raise Refusal(500000, "server internal error")
        return {} if fault is WireFault.NO_ORDER_ID else {"order_id": order_id}

    def cancel(self, query: Query, _body: Row, fault: WireFault | None) -> Row:
        """Take a working order off the book."""
        order = self.view(_only(query, "order_id")).order
        if order.status.is_final or fault is WireFault.CANCEL_REFUSED:
            raise Refusal(_NOT_CANCELLED, "the order's status does not allow a cancel")
        self.host.cancel(order.broker_order_id)
        return {}

    def _book(self, request: OrderRequest, tagged: bool, fault: WireFault | None) -> str:  # noqa: FBT001 (a fact)
        if fault is WireFault.REJECT:
            raise Refusal(_REFUSED, "The order was refused by the risk control.")
        if fault is WireFault.REJECT_LATER:
            return self._refuse_later(request)
        self._require_side(request)
        asked = request.quantity
        if fault is WireFault.PARTIAL_THEN_CANCEL:
            request = replace(request, quantity=asked // 2)
        order_id = _order_id(self.host.submit(request, tagged=tagged))
        if request.quantity != asked:
            self._ended_early[order_id] = asked
        return order_id

    def _require_side(self, request: OrderRequest) -> None:
        """Refuse a trigger that would wait for the price to come back: the book has no such."""
        trigger, quote = request.stop_price_usd, self.host.broker.quotes([request.symbol])
        price = None if not quote else quote[request.symbol].price_usd
        if trigger is None or price is None:
            return
        if request.order_type is OrderType.TRAILING_STOP:
            raise Refusal(_MALFORMED, "trigger_price is not taken with a trailing order")
        if price <= trigger if request.side is Side.SELL else price >= trigger:
            raise Refusal(_REFUSED, "The trigger lies on the side from which the price comes.")

    def _refuse_later(self, request: OrderRequest) -> str:
        order_id = f"refused-{len(self._refused_later) + 1:06d}"
        order = BrokerOrder(
            broker_order_id=order_id,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            filled_quantity=Decimal(0),
            status=OrderStatus.REJECTED,
            submitted_at=self.host.clock.now(),
            detail="Refused by the exchange.",
        )
        self._refused_later[order_id] = OrderView(order, request, ())
        return order_id

    def _views(self) -> list[OrderView]:
        return [*map(self._seen, self.host.orders()), *self._refused_later.values()]

    def _seen(self, order: BrokerOrder) -> OrderView:
        asked = self._ended_early.get(order.broker_order_id)
        if asked is not None:
            order = replace(order, quantity=asked, status=OrderStatus.CANCELLED)
        fills = self.host.fills(order.broker_order_id)
        return OrderView(order, self.host.request(order.broker_order_id), fills)

    def _is_today(self, at: datetime) -> bool:
        return new_york_day(at) == new_york_day(self.host.clock.now())


def _order_id(answer: Submission) -> str:
    if answer.outcome is SubmitOutcome.UNRESOLVED:
        raise Unanswered(answer.detail)
    if answer.outcome is not SubmitOutcome.ACKED or answer.broker_order_id is None:
        raise Refusal(_REFUSED, answer.detail)
    return answer.broker_order_id


def _request(body: Row) -> OrderRequest:
    percent = _number(body, "trailing_percent")
    try:
        return OrderRequest(
            client_id=body.get("remark") or _PLACEHOLDER,
            symbol=ticker(body["symbol"]),
            side=_named(SIDES, body["side"], Side),
            quantity=Decimal(body["submitted_quantity"]),
            order_type=_named(TYPES, body["order_type"], OrderType),
            limit_price_usd=_number(body, "submitted_price"),
            stop_price_usd=_number(body, "trigger_price"),
            trailing_ratio=None if percent is None else percent / _HUNDRED,
            time_in_force=_named(LIVES, body["time_in_force"], TimeInForce),
        )
    except (ContractError, InvalidOperation, KeyError) as error:
        raise Refusal(_MALFORMED, f"request is malformed: {error}") from error


def _number(body: Row, name: str) -> Decimal | None:
    return Decimal(body[name]) if body.get(name) else None


def _named(words: Mapping[Any, str], word: str, kind: type) -> Any:  # noqa: ANN401 (a member of kind)
    for member, known in words.items():
        if known == word:
            return member
    raise Refusal(_MALFORMED, f"{word} is no {kind.__name__}")


def _chosen(rows: Collection[Row], query: Query) -> list[Row]:
    chosen = list(rows)
    for name in ("symbol", "status", "side", "order_id"):
        if name in query:
            chosen = [row for row in chosen if row.get(name) in query[name]]
    return chosen


def _within(rows: Sequence[Row], query: Query, name: str, now: datetime) -> list[Row]:
    """Return the rows between both times, which default to the ninety days until now."""
    end = _instant(query, "end_at") or now
    start = _instant(query, "start_at") or end - timedelta(days=90)
    return [row for row in rows if int(start.timestamp()) <= int(row[name]) <= end.timestamp()]


def _instant(query: Query, name: str) -> datetime | None:
    given = query.get(name, [""])[0]
    return datetime.fromtimestamp(int(given), UTC) if given else None


def _only(query: Query, name: str) -> str:
    values = query.get(name, ())
    if len(values) != 1:
        raise Refusal(_MALFORMED, f"{name} is required")
    return values[0]
