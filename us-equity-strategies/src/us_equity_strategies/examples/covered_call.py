"""Covered call: hold a fund, and say which calls on it would be written against the shares.

What it decides today is what prices and the calendar allow. The sleeve holds the fund. For every
hundred shares held, a signal names one call: expiring on the first monthly expiry that is more
than `roll_days` away, so that a contract is rolled before its last days; struck `deviations`
standard deviations of the time that is left above the close, in whole dollars.

What waits for option contracts and chains in the platform: the premium, the contract's own symbol
and order, and assignment. Until then the signal is a HOLD on the fund with the call in its
reasoning, never a SELL: somebody who counts votes on the fund must not read a sale of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from statistics import NormalDist
from typing import Final

from pydantic import Field

from quant_platform_kit.contracts import (
    Cadence,
    Decision,
    HistoryInput,
    ProfileStatus,
    Role,
    Signal,
    SignalAction,
    StrategyManifest,
    TargetMode,
)
from quant_platform_kit.market import ExchangeCalendar, indicators
from quant_platform_kit.strategy import Ratio, StrategyConfig, StrategyContext, Symbol
from us_equity_strategies._inputs import read_history

__all__ = ["Call", "Config", "call_to_write", "decide", "manifest", "monthly_expiry"]

_SHARES_PER_CONTRACT: Final = 100
_FRIDAY: Final = 4
_THIRD_WEEK_BEGINS: Final = 15  # the day of a month before which no third weekday lies


class Config(StrategyConfig):
    """Configuration of the covered call example.

    Parameters
    ----------
    symbol : Symbol
        The fund that is held, and that calls are written on.
    weight : Ratio
        How much of the sleeve it is; the rest is cash.
    deviations : float
        How far above the close a call is struck, in deviations of the time to its expiry.
    volatility_window : int
        Sessions whose returns give the deviation.
    roll_days : int
        Calendar days before its expiry at which a call is replaced by the next month's.
    """

    symbol: Symbol = "SPY"
    weight: Ratio = Decimal("0.95")
    deviations: float = Field(default=1.0, ge=0)
    volatility_window: int = Field(default=63, ge=2)
    roll_days: int = Field(default=5, ge=0)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that would be written.

    Parameters
    ----------
    strike_usd : int
    expiry : date
        Last session of the contract.
    chance_to_expire : float
        That the close stays below the strike, if log returns are normal and have no drift.
    """

    strike_usd: int
    expiry: date
    chance_to_expire: float


def manifest(config: Config) -> StrategyManifest:
    """Return what the example declares under `config`."""
    return StrategyManifest(
        profile="covered_call",
        display_name={"en": "Example: Covered Call", "zh": "示例：备兑看涨期权"},
        description={
            "en": (
                f"Holds {config.symbol} and names the monthly calls that would be written against "
                "it; the calls themselves are not traded yet."
            ),
            "zh": f"持有 {config.symbol}，并给出可备兑卖出的月度看涨期权；期权本身尚不交易。",
        },
        cadence=Cadence.DAILY,
        benchmark=config.symbol,
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.RESEARCH,
        managed=(config.symbol,),
        history=HistoryInput((config.symbol,), _sessions(config)),
        role=Role.EXAMPLE,
        icon="☂",
    )


def decide(context: StrategyContext) -> Decision:
    """Return the fund's weight, and the call as a signal.

    BLOCKED with ``HISTORY_MISSING``, ``HISTORY_STALE`` or ``HISTORY_SHORT`` when the fund's
    volatility cannot be measured.
    """
    config: Config = context.config
    history = read_history(context, (config.symbol,), least=_sessions(config))
    if isinstance(history, Decision):
        return history
    closes = history[config.symbol].close
    volatility = indicators.volatility(closes, config.volatility_window)
    call = call_to_write(float(closes[-1]), volatility, context.calendar, context.session, config)
    shares = context.sleeve.quantities.get(config.symbol, Decimal(0))
    contracts = shares // _SHARES_PER_CONTRACT
    signal = Signal(
        config.symbol,
        SignalAction.HOLD,
        confidence=Decimal(f"{call.chance_to_expire:.4f}"),
        reasoning=(
            f"write {contracts:f} calls struck at {call.strike_usd} USD, expiring {call.expiry}: "
            f"{shares:f} shares, volatility {volatility:.1%}"
        ),
        quantity=contracts,
    )
    return replace(Decision.weights({config.symbol: config.weight}), signals=(signal,))


def call_to_write(
    close_usd: float,
    volatility: float,
    calendar: ExchangeCalendar,
    session: date,
    config: Config,
) -> Call:
    """Return the call that covers shares from `session` on.

    Parameters
    ----------
    close_usd, volatility : float
        The fund's last close, and the yearly deviation of its returns.
    calendar : ExchangeCalendar
    session : date
    config : Config
    """
    expiry = monthly_expiry(calendar, session, after_days=config.roll_days)
    years = calendar.sessions_between(session, expiry) / indicators.SESSIONS_PER_YEAR
    deviation = volatility * math.sqrt(years)
    strike = math.ceil(close_usd * math.exp(config.deviations * deviation))
    distance = math.log(strike / close_usd)
    chance = NormalDist().cdf(distance / deviation) if deviation else 1.0
    return Call(strike, expiry, chance)


def monthly_expiry(calendar: ExchangeCalendar, session: date, *, after_days: int) -> date:
    """Return the first monthly expiry more than `after_days` calendar days after `session`.

    The third Friday of a month, or the session before it where the exchange is closed.
    """
    month = session.replace(day=1)
    while True:
        fifteenth = month.replace(day=_THIRD_WEEK_BEGINS)
        friday = fifteenth + timedelta(days=(_FRIDAY - fifteenth.weekday()) % 7)
        expiry = calendar.previous(friday + timedelta(days=1))
        if (expiry - session).days > after_days:
            return expiry
        month = (month + timedelta(days=31)).replace(day=1)


def _sessions(config: Config) -> int:
    return config.volatility_window + 1  # a return needs two closes
