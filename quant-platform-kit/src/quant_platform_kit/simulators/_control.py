"""The control port of a simulator: JSON over HTTP, for tests, tools and people with curl.

========= ============== =====================================================================
GET       /health        which broker, its port, the clock, the account, requests by kind, and
                         how often each fault of the wire struck
GET       /book          money, positions, every order and execution
POST      /clock         ``{"to": instant}`` or ``{"secs": number}``; moves time, never back
PUT       /faults        a list of ``{"fault": name, ...}``, fields as in the switches' classes
DELETE    /faults        no faults any more
POST      /market        ``{"market": "sample" or paths, "actions": path or nothing}``
POST      /trade         ``{"symbol", "side", "quantity", "limit_price_usd"}``: someone else trades
POST      /cash          ``{"kind", "amount_usd", "symbol", "text"}``: a deposit, a tax, a fee
POST      /connections   ``{"action": "drop" | "refuse" | "accept"}``; refuse drops as well
POST      /account       a new account instead of this one; fields of `HostOptions`
========= ============== =====================================================================

A request that cannot be done is answered with 400 and ``{"error": sentence}``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, TypeAlias

from quant_platform_kit.brokers import Fault, FaultSwitch
from quant_platform_kit.contracts import (
    MovementKind,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    canonical,
    decode,
    encode,
)
from quant_platform_kit.errors import ContractError, PlatformError
from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import HostOptions
from quant_platform_kit.simulators._simulation import Simulation

Json: TypeAlias = Any
"""What `json` reads and writes."""

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECS: Final = 0.05  # how long closing takes at most
_ACTIONS: Final = ("drop", "refuse", "accept")


class ControlServer:
    """Serves the control port of a simulation on a thread of its own."""

    def __init__(self, simulation: Simulation, port: int = 0) -> None:
        commands = Commands(simulation)

        class Handler(_Handler):
            routes: ClassVar = commands.routes()

        self._server = _Server((_LOOPBACK, port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Commands:
    """What the control port can do; each takes the request's JSON and returns the answer's."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def routes(self) -> Mapping[tuple[str, str], Callable[[Json], Json]]:
        """Return the commands by method and path."""
        return {
            ("GET", "/health"): self.health,
            ("GET", "/book"): self.book,
            ("POST", "/clock"): self.move_clock,
            ("PUT", "/faults"): self.set_faults,
            ("DELETE", "/faults"): lambda _: self.set_faults([]),
            ("POST", "/market"): self.set_market,
            ("POST", "/trade"): self.trade,
            ("POST", "/cash"): self.move_cash,
            ("POST", "/connections"): self.connections,
            ("POST", "/account"): self.open_account,
        }

    def health(self, _: Json) -> Json:
        """Say who serves what, and the time there."""
        simulation = self._simulation
        return {
            "broker": simulation.broker,
            "port": simulation.door.port,
            "now": encode(simulation.host.clock.now()),
            "account_id": simulation.host.account_id,
            "requests": dict(simulation.host.requests),
            "struck": dict(simulation.host.wire.struck),
        }

    def book(self, _: Json) -> Json:
        """Show everything about the account."""
        host = self._simulation.host
        with host.lock:
            return {
                "now": encode(host.clock.now()),
                "account": encode(host.broker.account()),
                "unsettled_usd": encode(host.broker.unsettled_usd()),
                "positions": encode(host.broker.positions()),
                "orders": encode(host.orders()),
                "fills": encode(host.fills()),
            }

    def move_clock(self, body: Json) -> Json:
        """Move the clock to an instant or by seconds."""
        host = self._simulation.host
        with host.lock:
            if "to" in body:
                host.advance_to(datetime.fromisoformat(body["to"]))
            else:
                host.advance_to(host.clock.now() + timedelta(seconds=body["secs"]))
            return {"now": encode(host.clock.now())}

    def set_faults(self, body: Json) -> Json:
        """Replace every fault of book and wire, counting from the beginning."""
        switches = [_switch(row) for row in body]
        host = self._simulation.host
        with host.lock:
            host.faults.set(*(each for each in switches if isinstance(each, FaultSwitch)))
            host.wire.set(*(each for each in switches if isinstance(each, WireSwitch)))
        return {"faults": len(switches)}

    def set_market(self, body: Json) -> Json:
        """Replace the market."""
        self._simulation.host.set_market(body["market"], body.get("actions"))
        return {}

    def trade(self, body: Json) -> Json:
        """Trade in the account as its owner does by hand: no tag, any moment."""
        limit = body.get("limit_price_usd")
        request = OrderRequest(
            client_id="by-hand",
            symbol=body["symbol"],
            side=Side(body["side"]),
            quantity=Decimal(body["quantity"]),
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price_usd=None if limit is None else Decimal(limit),
            time_in_force=TimeInForce.DAY,
        )
        return encode(self._simulation.host.submit(request, tagged=False))

    def move_cash(self, body: Json) -> Json:
        """Let cash come or go, as its owner or the broker's back office does."""
        host, kind = self._simulation.host, MovementKind(body["kind"])
        with host.lock:
            host.broker.move_cash(
                kind,
                Decimal(body["amount_usd"]),
                symbol=body.get("symbol"),
                text=body.get("text", ""),
            )
        return {}

    def connections(self, body: Json) -> Json:
        """Unplug the wire, or plug it in again."""
        action, door = body["action"], self._simulation.door
        if action not in _ACTIONS:
            raise ContractError(f"action = {action!r}: expected one of {', '.join(_ACTIONS)}")
        if action == "drop":
            door.drop_connections()
        else:
            door.refuse(action == "refuse")
        return {}

    def open_account(self, body: Json) -> Json:
        """Begin with a new account on the same ports."""
        self._simulation.restart(decode(HostOptions, body))
        return self.health(None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Say nothing: a client that was killed in the middle of a request is no news here."""


class _Handler(BaseHTTPRequestHandler):
    routes: ClassVar[Mapping[tuple[str, str], Callable[[Json], Json]]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 (http.server's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Say nothing: standard output carries the ports alone."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        command = self.routes.get((self.command, self.path))
        if command is None:
            self._send(404, {"error": f"There is no {self.command} {self.path}."})
            return
        try:
            answer = command(json.loads(text) if text else {})
        except PlatformError as error:
            self._send(400, {"error": error.message})
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            self._send(400, {"error": f"The request is malformed: {error!r}."})
        else:
            self._send(200, answer)

    def _send(self, status: int, answer: Json) -> None:
        body = canonical(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _switch(row: Json) -> FaultSwitch | WireSwitch:
    fields = dict(row)
    name = fields.pop("fault")
    if name in {fault.value for fault in Fault}:
        return FaultSwitch(Fault(name), **fields)
    return WireSwitch(WireFault(name), **fields)
