"""A simulator in a process of its own, as its clients need it: some hold the interpreter's lock."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from quant_platform_kit.brokers import AccountTerms, Fault, FaultSwitch, Liquidity
from quant_platform_kit.contracts import FeeModel, MovementKind, Side, canonical, encode
from quant_platform_kit.errors import ContractError, TransientError
from quant_platform_kit.simulators._faults import WireFault, WireSwitch
from quant_platform_kit.simulators._host import HostOptions

Json: TypeAlias = Any
"""What `json` reads."""

_LOOPBACK: Final = "127.0.0.1"
_TIMEOUT_SECS: Final = 30.0
_END_SECS: Final = 10.0


@dataclass(frozen=True, slots=True)
class SimulatorControl:
    """The control port of a running simulator; implements `Clock`, the simulator's own.

    Every method raises `ContractError` for a request that cannot be done, and `TransientError`
    when the simulator does not answer.
    """

    port: int

    def health(self) -> Json:
        """Return broker, port, clock, account id, and how often each operation was asked for."""
        return self._call("GET", "/health")

    def book(self) -> Json:
        """Return money, positions, orders and executions, as canonical JSON types."""
        return self._call("GET", "/book")

    def now(self) -> datetime:
        """Return the simulator's present instant."""
        return datetime.fromisoformat(self.health()["now"])

    def sleep(self, seconds: float) -> None:
        """Move the simulator's clock; zero or less changes nothing."""
        if seconds > 0:
            self._call("POST", "/clock", {"secs": seconds})

    def advance_to(self, instant: datetime) -> None:
        """Move the simulator's clock to an instant."""
        self._call("POST", "/clock", {"to": instant.isoformat()})

    def fault(
        self,
        fault: Fault | WireFault,
        *,
        operation: str | None = None,
        symbol: str | None = None,
        nth: int | None = None,
        seconds: float = 1.0,
    ) -> None:
        """Switch one fault on, and every other one off."""
        if isinstance(fault, Fault):
            self.set_faults(FaultSwitch(fault, symbol, nth, seconds))
        else:
            self.set_faults(WireSwitch(fault, operation, symbol, nth, seconds))

    def set_faults(self, *switches: FaultSwitch | WireSwitch) -> None:
        """Replace every fault, counting from the beginning."""
        self._call("PUT", "/faults", [_row(switch) for switch in switches])

    def clear(self) -> None:
        """Switch every fault off."""
        self._call("DELETE", "/faults")

    def set_market(self, market: str, actions: str | None = None) -> None:
        """Replace the market, as in `HostOptions`."""
        self._call("POST", "/market", {"market": market, "actions": actions})

    def trade(
        self, symbol: str, side: Side, quantity: Decimal, *, limit: Decimal | None = None
    ) -> Json:
        """Trade in the account without a tag, as its owner does by hand."""
        order = {"symbol": symbol, "side": side, "quantity": quantity, "limit_price_usd": limit}
        return self._call("POST", "/trade", encode(order))

    def move_cash(
        self, kind: MovementKind, amount_usd: Decimal, *, symbol: str | None = None, text: str = ""
    ) -> None:
        """Let cash come or go for a reason outside the market; below zero it goes."""
        moved = {"kind": kind, "amount_usd": amount_usd, "symbol": symbol, "text": text}
        self._call("POST", "/cash", encode(moved))

    def drop(self) -> None:
        """Cut every connection; clients may come back at once."""
        self._call("POST", "/connections", {"action": "drop"})

    def unplug(self) -> None:
        """Cut every connection and refuse new ones."""
        self._call("POST", "/connections", {"action": "refuse"})

    def plug(self) -> None:
        """Let connections in again."""
        self._call("POST", "/connections", {"action": "accept"})

    def open_account(self, options: HostOptions) -> None:
        """Begin with a new account, without faults, on the same ports."""
        self._call("POST", "/account", encode(options))

    def _call(self, method: str, path: str, body: object = None) -> Json:
        connection = http.client.HTTPConnection(_LOOPBACK, self.port, timeout=_TIMEOUT_SECS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TransientError(
                f"The simulator's control port {self.port} does not answer ({error!r}). Look "
                "whether its process runs."
            ) from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ContractError(str(answer["error"]))
        return answer


@dataclass(slots=True)
class SimulatorProcess:
    """A running simulator; it ends when it is closed, or with the process that started it."""

    port: int
    control: SimulatorControl
    _child: subprocess.Popen[str] = field(repr=False)

    @classmethod
    def start(  # noqa: PLR0913 (the account's options)
        cls,
        broker: str,
        *,
        account_id: str,
        market: str,
        start: datetime | None,
        cash_usd: Decimal,
        book_path: str | None = None,
        fees: FeeModel | None = None,
        terms: AccountTerms | None = None,
        liquidity: Liquidity | None = None,
        actions: str | None = None,
        port: int = 0,
        control_port: int = 0,
    ) -> Self:
        """Start a simulator and return once it serves; parameters as in `HostOptions`.

        Raises
        ------
        ContractError
            When it cannot be started; its own words are in the message.
        """
        options = HostOptions(
            account_id,
            market,
            start,
            cash_usd,
            book_path,
            fees=fees or FeeModel(),
            terms=terms or AccountTerms(),
            liquidity=liquidity or Liquidity(),
            actions=actions,
        )
        arguments = ["--port", str(port), "--control-port", str(control_port), "--attached"]
        arguments += ["--options", canonical(options)]
        child = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "quant_platform_kit.simulators", broker, *arguments],
            stdin=subprocess.PIPE,  # its end tells the child that this process is gone
            stdout=subprocess.PIPE,
            text=True,
        )
        ports = json.loads(_first_line(child, broker))
        return cls(ports["port"], SimulatorControl(ports["control_port"]), child)

    @property
    def pid(self) -> int:
        """Of the simulator's process."""
        return self._child.pid

    def kill(self) -> None:
        """End it as a power cut does."""
        self._child.kill()
        self.close()

    def close(self) -> None:
        """End it, by force when it does not end by itself; does nothing when it has ended."""
        self._child.terminate()
        try:
            self._child.communicate(timeout=_END_SECS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _first_line(child: subprocess.Popen[str], broker: str) -> str:
    line = "" if child.stdout is None else child.stdout.readline()
    if not line.endswith("\n"):
        child.kill()
        child.communicate()
        raise ContractError(
            f"The simulator of {broker} did not start; what it wrote on standard error says why."
        )
    return line


def _row(switch: FaultSwitch | WireSwitch) -> dict[str, object]:
    row = {name: getattr(switch, name) for name in _fields(switch)}
    return {name: value for name, value in row.items() if value is not None}


def _fields(switch: FaultSwitch | WireSwitch) -> Sequence[str]:
    return tuple(type(switch).__dataclass_fields__)
