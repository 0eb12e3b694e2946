"""The broker of an account, and the clock it lives by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from quant_platform_kit.brokers import (
    AccountAccess,
    AccountKind,
    AccountTerms,
    Broker,
    FrameMarket,
    Impact,
    IsolatedBroker,
    Liquidity,
    Opening,
    SimulatedBroker,
    open_market,
)
from quant_platform_kit.contracts import FeeModel, TradingRules
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.market import (
    Clock,
    ExchangeCalendar,
    SimulatedClock,
    SlotWindow,
    SystemClock,
    xnys,
)
from quant_platform_kit.runtime._stores import account_alias, open_notebook
from quant_platform_kit.settings import Settings

if TYPE_CHECKING:
    from quant_platform_kit.simulators import SimulatorControl

SIMULATED_RULES: Final = TradingRules(fees=FeeModel(notional_bps=Decimal(5)))
"""Whole shares and five basis points a trade: near what the three brokers' customers pay."""


def open_broker(settings: Settings) -> tuple[Broker, Clock]:
    """Open the account that the settings name, and nothing else; with the clock it lives by.

    For what looks at a broker without a run. Close the broker when done, where it has a `close`.
    """
    connection = connect(settings, account_alias(settings), xnys())
    return connection.broker, connection.clock


def account_clock(settings: Settings) -> Clock:
    """Return the clock of the account's broker, without a connection to it."""
    return _outside_clock(settings) or _simulated_broker(settings, xnys())[1]


@dataclass(frozen=True, slots=True)
class Connection:
    """A broker, the clock it lives by, and what moves a simulated one into a slot's window."""

    broker: Broker
    clock: Clock
    replay: _Replay | None


def connect(settings: Settings, alias: str, calendar: ExchangeCalendar) -> Connection:
    """Return the simulated broker of this process, or the real one in a process of its own."""
    clock = _outside_clock(settings)
    if clock is None:
        broker, simulated = _simulated_broker(settings, calendar)
        return Connection(broker, simulated, _Replay(simulated))
    access = AccountAccess(
        settings.account_id,
        dict(settings.login),
        settings.state_dir,
        clock,
        open_notebook(settings, alias),
    )
    module = f"quant_platform_kit.brokers.{settings.platform}"
    opening = Opening(module, "open_account", {"access": access})
    replay = None if isinstance(clock, SystemClock) else _Replay(clock)
    return Connection(IsolatedBroker(opening), clock, replay)


def _outside_clock(settings: Settings) -> SystemClock | SimulatorControl | None:
    """Return the clock of a broker outside of this process; None where there is none."""
    if settings.is_simulated:
        return None
    if settings.simulator_control is None:
        return SystemClock()
    from quant_platform_kit.simulators import SimulatorControl  # never a part of a real account

    return SimulatorControl(settings.simulator_control)


@dataclass(frozen=True, slots=True)
class _Replay:
    """Moves a simulated market into a slot's window; time never goes back."""

    clock: SimulatedClock | SimulatorControl

    def __call__(self, opening: SlotWindow) -> None:
        if self.clock.now() < opening.opens_at:
            self.clock.advance_to(opening.opens_at)


def _simulated_broker(
    settings: Settings, calendar: ExchangeCalendar
) -> tuple[SimulatedBroker, SimulatedClock]:
    market = open_market(settings.simulated_market, settings.simulated_actions_path)
    clock = _simulated_clock(settings, market, calendar)
    broker = SimulatedBroker(
        settings.account_id,
        market,
        clock,
        calendar,
        rules=SIMULATED_RULES,
        opening_cash_usd=settings.simulated_cash_usd,
        terms=AccountTerms(
            AccountKind(settings.simulated_account_type), settings.simulated_settlement_sessions
        ),
        liquidity=Liquidity(
            settings.simulated_participation_ratio,
            settings.simulated_half_spread_ratio,
            settings.simulated_impact_ratio,
            Impact(settings.simulated_impact_grows),
        ),
        book_path=settings.state_dir / "simulated-broker.jsonl",
        latency_secs=settings.simulated_latency_secs,
    )
    if broker.last_event_at is not None and broker.last_event_at > clock.now():
        clock.advance_to(broker.last_event_at)  # the account has lived on; so has its market
    return broker, clock


def _simulated_clock(
    settings: Settings, market: FrameMarket, calendar: ExchangeCalendar
) -> SimulatedClock:
    """Start at the open of the configured session, or of the market's last one."""
    session = settings.simulated_start or market.last_session
    if not calendar.is_session(session):
        raise SettingsError(
            f"QPK_SIMULATED_START = {session}: expected a session of the exchange; "
            f"the next one is {calendar.next(session)}."
        )
    return SimulatedClock(calendar.session_open(session))
