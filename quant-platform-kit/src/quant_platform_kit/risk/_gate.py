"""The one trading gate: persisted, and read again before every order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, insert, select

from quant_platform_kit.contracts import Side
from quant_platform_kit.market import Clock
from quant_platform_kit.store import Store, gate

_NAME = "trading"


class GateMode(StrEnum):
    """ACTIVE allows every order, REDUCING only sales, HALTED none; queries always work."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class GateState:
    """The gate as it stands: who set it, why and when."""

    mode: GateMode
    who: str = ""
    why: str = ""
    since: datetime | None = None

    def permits(self, side: Side) -> bool:
        """Tell whether an order of this side may be sent."""
        return self.mode is GateMode.ACTIVE or (
            self.mode is GateMode.REDUCING and side is Side.SELL
        )


class TradingGate:
    """The gate of one store. Never set means ACTIVE; anything unreadable means HALTED."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def state(self) -> GateState:
        """Return the gate as it stands now."""
        with self._store.begin() as connection:
            row = connection.execute(select(gate).where(gate.c.name == _NAME)).mappings().first()
        if row is None:
            return GateState(GateMode.ACTIVE)
        if row["mode"] not in {mode.value for mode in GateMode}:
            return GateState(GateMode.HALTED, why=f"unreadable gate mode {row['mode']!r}")
        return GateState(GateMode(row["mode"]), row["who"], row["why"], row["since"])

    def set(self, mode: GateMode, *, who: str, why: str) -> None:
        """Put the gate into `mode`; only an operator's command calls this."""
        with self._store.begin() as connection:
            connection.execute(delete(gate).where(gate.c.name == _NAME))
            connection.execute(
                insert(gate).values(
                    name=_NAME, mode=mode.value, who=who, why=why, since=self._clock.now()
                )
            )
