"""Strategies that an operator has paused: their sleeves keep what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from quant_platform_kit.errors import ContractError
from quant_platform_kit.market import Clock
from quant_platform_kit.risk._audit import check_operator, record
from quant_platform_kit.store import Store, pauses


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused a strategy, why and when."""

    strategy: str
    who: str
    why: str
    since: datetime

    def __str__(self) -> str:
        """Say it in a sentence for a report."""
        return f"paused by {self.who}: {self.why}"


class Pauses:
    """The pauses of one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> dict[str, Pause]:
        """Return the pauses that stand, by strategy."""
        with self._store.begin() as connection:
            rows = connection.execute(select(pauses).order_by(pauses.c.strategy)).mappings()
            return {row["strategy"]: Pause(**row) for row in rows}

    def pause(self, strategy: str, *, who: str, why: str) -> None:
        """Pause `strategy` until an operator ends it; a second pause replaces the first."""
        check_operator(who, why)
        row = {"strategy": strategy, "who": who, "why": why, "since": self._clock.now()}

        def change(connection: Connection) -> None:
            connection.execute(delete(pauses).where(pauses.c.strategy == strategy))
            connection.execute(insert(pauses).values(row))

        detail = {"strategy": strategy, "why": why}
        record(self._store, who, "pause", detail, self._clock, change=change)

    def unpause(self, strategy: str, *, who: str, why: str) -> None:
        """Let `strategy` trade again.

        Raises
        ------
        ContractError
            When it is not paused.
        """
        check_operator(who, why)
        standing = self.all()
        if strategy not in standing:
            named = ", ".join(standing) or "none"
            raise ContractError(f"strategy = {strategy!r}: expected one that is paused ({named})")

        def change(connection: Connection) -> None:
            connection.execute(delete(pauses).where(pauses.c.strategy == strategy))

        detail = {"strategy": strategy, "why": why}
        record(self._store, who, "unpause", detail, self._clock, change=change)
