"""The bias: one number in [0, 1] by which an operator or an agent scales every limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from sqlalchemy import Connection, RowMapping, delete, insert, select

from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.market import Clock
from quant_platform_kit.risk._audit import check_operator, record
from quant_platform_kit.risk._limits import BiasRules
from quant_platform_kit.store import Store, bias

_NAME = "account"
_WHOLE = Decimal(1)
_HALF = Decimal("0.5")
_CLOCK_SKEW = timedelta(minutes=5)  # the writer's clock may not be ours


@dataclass(frozen=True, slots=True)
class BiasReading:
    """The factor that counts now, and what to tell the operators when it is not what was set."""

    factor: Decimal = _WHOLE
    alarm: str = ""


class Bias:
    """The bias of one store.

    An installation that never set one has none: its limits count whole. Once it was set, or when
    the limits file requires it, a value that is missing, stale or not a number in [0, 1] halves
    every limit and raises an alarm, since whoever should watch the market may not be watching.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def reading(self, rules: BiasRules) -> BiasReading:
        """Return the factor that counts now."""
        row = self._row()
        if row is None:
            missing = "none was set, and the limits file requires one"
            return _alarmed(missing) if rules.required else BiasReading()
        problem = self._problem(row, rules)
        return _alarmed(problem) if problem else BiasReading(Decimal(row["value"]))

    def set(self, value: Decimal, *, who: str, why: str) -> None:
        """Set the bias; it counts until it is stale.

        Raises
        ------
        ContractError
            When the value is not within [0, 1], or nobody or nothing is named.
        """
        check_operator(who, why)
        if not _usable(value):
            raise ContractError(f"bias = {value}: expected a number from 0 to 1")
        row = {
            "name": _NAME,
            "value": format(value, "f"),
            "who": who,
            "why": why,
            "at": self._clock.now(),
        }

        def change(connection: Connection) -> None:
            connection.execute(delete(bias).where(bias.c.name == _NAME))
            connection.execute(insert(bias).values(row))

        detail = {"value": value, "why": why}
        record(self._store, who, "set-bias", detail, self._clock, change=change)

    def clear(self, *, who: str, why: str) -> None:
        """Go back to having no bias."""
        check_operator(who, why)

        def change(connection: Connection) -> None:
            connection.execute(delete(bias).where(bias.c.name == _NAME))

        record(
            self._store, who, "set-bias", {"value": None, "why": why}, self._clock, change=change
        )

    def _row(self) -> RowMapping | None:
        with self._store.begin() as connection:
            return connection.execute(select(bias).where(bias.c.name == _NAME)).mappings().first()

    def _problem(self, row: RowMapping, rules: BiasRules) -> str:
        try:
            value = Decimal(row["value"])
        except InvalidOperation:
            return f"{row['who']} set {row['value']!r}, which is no number"
        if not _usable(value):
            return f"{row['who']} set {value}, which is not within 0 and 1"
        return _staleness(row["at"], self._clock.now(), timedelta(minutes=rules.max_age_mins))


def _usable(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value <= _WHOLE


def _staleness(at: datetime, now: datetime, most: timedelta) -> str:
    if -_CLOCK_SKEW <= now - at <= most:
        return ""
    minutes = int(most.total_seconds()) // 60
    return f"it was set at {at:%Y-%m-%d %H:%M} UTC and counts for {minutes} minutes"


def _alarmed(problem: str) -> BiasReading:
    code = ReasonCode.BIAS_UNUSABLE
    return BiasReading(_HALF, f"{code}: {problem}. {code.meaning} Set it anew with qpk set-bias.")
