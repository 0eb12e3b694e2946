"""Benches for broker cards: the real adapters at simulators of their brokers, or a broker here.

::

    with simulated_benches("schwab", folder) as open_bench:
        for card in BROKER_CARDS:
            with open_bench() as bench:
                card(bench)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.brokers import (
    CAPABILITIES,
    SIMULATED_CAPABILITIES,
    AccountTerms,
    Broker,
    Deadlines,
    Faults,
    FaultSwitch,
    IsolatedBroker,
    Opening,
    SimulatedBroker,
)
from quant_platform_kit.contracts import FeeModel, MovementKind, TradingRules
from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import SimulatedClock, xnys
from quant_platform_kit.simulators import (
    WIRES,
    HostOptions,
    SimulatorControl,
    SimulatorProcess,
)
from quant_platform_kit.testing._broker_bench import BrokerBench, Logins, OpenBench, WireBench
from quant_platform_kit.testing._broker_logins import (
    ACCOUNTS,
    HASTY_SECS,
    LOGINS,
    OPENERS,
    Doorstep,
)
from quant_platform_kit.testing._broker_market import (
    CASH_USD,
    LAST_SESSION,
    MOVING,
    NOW,
    SYMBOLS,
    UNKNOWN_SYMBOL,
    MarketFiles,
)

_FEES: Final = {"ibkr": FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal("1.00"))}
_OTHERS: Final = {"ibkr": "DU7654321", "schwab": "87654321", "longbridge": "20000002"}
_ISOLATION: Final = Deadlines(connect_secs=30.0, query_secs=1.5, symbol_bars_secs=0.5)


class RemoteFaults(Faults):
    """Switches of a book in another process."""

    __slots__ = ("_control",)

    def __init__(self, control: SimulatorControl) -> None:
        self._control = control

    def set(self, *switches: FaultSwitch) -> None:
        """Replace the plan over there."""
        self._control.set_faults(*switches)


# ── Adapters at their simulators ───────────────────────────────────────────────────────

_LETS_GO: Final[Mapping[str, Callable[[], bool]]] = {
    "longbridge": lambda: find_spec("longbridge") is not None,  # its predecessor does not
}
_PATIENCE_SECS: Final = {"longbridge": 12.0}  # what was cut off is asked twice
_RECOVERY_SECS: Final = {"longbridge": 6.0}  # its SDK waits before it connects again


@contextmanager
def simulated_benches(broker: str, folder: Path) -> Iterator[OpenBench]:
    """Start a broker's simulator, and return what opens a bench on it.

    Parameters
    ----------
    broker : str
        A platform, as in the settings.
    folder : Path
        For the market and the files of logins; has to exist.

    Raises
    ------
    ContractError
        When there is no such broker, or its simulator cannot be started.
    """
    if broker not in OPENERS:
        raise ContractError(f"broker {broker!r}: expected one of {', '.join(OPENERS)}")
    files = MarketFiles.write(folder)
    options = _options(broker, files)
    accounts, numbers = count(1), count(1)
    with SimulatorProcess.start(
        broker,
        account_id=options.account_id,
        market=options.market,
        start=options.start,
        cash_usd=options.cash_usd,
        fees=options.fees,
        actions=options.actions,
    ) as simulator:

        @contextmanager
        def open_bench() -> Iterator[BrokerBench]:
            own = folder / f"account-{next(accounts)}"
            own.mkdir()
            simulator.control.open_account(options)
            there = Doorstep(
                simulator.port, simulator.control, own, files.dividends, numbers.__next__
            )
            with ExitStack() as opened:
                yield _bench(broker, there, options, files, opened)

        yield open_bench


def described_bench(broker: str, folder: Path) -> BrokerBench:
    """Return a bench that connects to nothing: what cards would say of it is all it is for.

    Parameters
    ----------
    broker : str
        A platform, as in the settings.
    folder : Path
        For the market; has to exist.
    """
    files = MarketFiles.write(folder)
    nowhere = Doorstep(0, SimulatorControl(0), folder, files.dividends, count(1).__next__)
    return _bench(broker, nowhere, _options(broker, files), files, ExitStack())


def _options(broker: str, files: MarketFiles) -> HostOptions:
    return HostOptions(
        ACCOUNTS[broker],
        str(files.prices),
        NOW,
        CASH_USD,
        fees=_FEES.get(broker, FeeModel()),
        actions=str(files.actions),
    )


def _bench(
    broker: str, there: Doorstep, options: HostOptions, files: MarketFiles, opened: ExitStack
) -> BrokerBench:
    def login(account_id: str, *, secs: float = 5.0, is_old: bool = False) -> Mapping[str, Any]:
        return LOGINS[broker](there, account_id, secs=secs, is_old=is_old)

    def connect(account_id: str = options.account_id, **how: Any) -> Broker:  # noqa: ANN401 (a login's)
        return opened.enter_context(
            closing(OPENERS[broker](**login(account_id, **how)))  # type: ignore[type-var]
        )

    def without_dividends() -> Broker:
        told = {**login(options.account_id), "dividends": None}
        return opened.enter_context(closing(OPENERS[broker](**told)))  # type: ignore[type-var]

    def isolated() -> IsolatedBroker:
        told = login(options.account_id, secs=60.0)
        opening = Opening(OPENERS[broker].__module__, OPENERS[broker].__name__, told)
        return opened.enter_context(closing(IsolatedBroker(opening, _ISOLATION)))

    def agree(terms: AccountTerms) -> None:
        there.control.open_account(replace(options, terms=terms))

    return BrokerBench(
        connect=connect,
        hasty=lambda: connect(secs=HASTY_SECS),
        clock=there.control,
        symbols=SYMBOLS,
        unknown_symbol=UNKNOWN_SYMBOL,
        last_session=LAST_SESSION,
        capabilities=CAPABILITIES[broker],
        account_id=options.account_id,
        history=files.history(),
        faults=RemoteFaults(there.control),
        wire=WireBench(
            there.control,
            WIRES[broker],
            patience_secs=_PATIENCE_SECS.get(broker, 8.0),
            recovery_secs=_RECOVERY_SECS.get(broker, 0.0),
            ends_calls=_LETS_GO.get(broker, lambda: True)(),
        ),
        moving=MOVING,
        logins=Logins(
            to_another_account=lambda: connect(_OTHERS[broker]),
            near_its_end=None if broker == "ibkr" else lambda: connect(is_old=True),
            without_dividends=without_dividends if broker == "schwab" else None,
        ),
        isolated=isolated,
        move_cash=there.control.move_cash,
        agree=agree,
    )


# ── Brokers of this process ────────────────────────────────────────────────────────────


def in_process_bench(
    folder: Path, *, kind: type[SimulatedBroker] = SimulatedBroker, on_disk: bool = False
) -> BrokerBench:
    """Return a bench on a simulated account of this process.

    Parameters
    ----------
    folder : Path
        For the market, and for the account's book.
    kind : type
        `SimulatedBroker`, or a class that changes what it does.
    on_disk : bool
        Whether the book has a file, and each connection opens it anew.
    """
    files = MarketFiles.write(folder)
    market, clock, faults = files.open(), SimulatedClock(NOW), Faults()
    agreed = [AccountTerms()]

    def opened() -> SimulatedBroker:
        return kind(
            "simulated",
            market,
            clock,
            xnys(),
            rules=TradingRules(fees=_FEES["ibkr"]),
            opening_cash_usd=CASH_USD,
            terms=agreed[-1],
            book_path=folder / "book.jsonl" if on_disk else None,
            faults=faults,
        )

    accounts: list[SimulatedBroker] = []

    def connect() -> SimulatedBroker:
        if on_disk or not accounts:
            accounts.append(opened())
        return accounts[-1]

    def move_cash(kind: MovementKind, amount_usd: Decimal, *, symbol: str | None = None) -> None:
        connect().move_cash(kind, amount_usd, symbol=symbol)

    def agree(terms: AccountTerms) -> None:
        agreed.append(terms)

    return BrokerBench(
        connect=connect,
        hasty=connect,
        clock=clock,
        symbols=SYMBOLS,
        unknown_symbol=UNKNOWN_SYMBOL,
        last_session=LAST_SESSION,
        capabilities=SIMULATED_CAPABILITIES,
        account_id="simulated",
        history=files.history(),
        faults=faults,
        moving=MOVING,
        move_cash=move_cash,
        agree=agree,
    )
