"""The book of runs: one row a run key, and what a second attempt may reuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, insert, select, update

from quant_platform_kit.contracts import CycleReport, Fact, SleeveDecision, canonical, revive
from quant_platform_kit.store._evidence import attest_once
from quant_platform_kit.store._store import Store
from quant_platform_kit.store._tables import runs


@dataclass(frozen=True, slots=True)
class RunFrame:
    """What a run decided before its first order; a resumed run keeps it.

    Without it the second attempt would decide on a half-traded book: another capital base after
    fees, and other holdings for a rule that favours what is held.
    """

    decisions: tuple[SleeveDecision, ...]
    capital_base_usd: Decimal


class RunBook:
    """Runs by key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def consumed_report(self, run_key: str) -> CycleReport | None:
        """Return the report that every later caller of this slot gets; None while it is free."""
        with self._store.begin() as connection:
            text = connection.scalar(
                select(runs.c.report).where(runs.c.run_key == run_key, runs.c.consumed)
            )
        return None if text is None else revive(CycleReport, json.loads(text))

    def knows(self, run_key: str) -> bool:
        """Tell whether a run with this key was ever begun."""
        with self._store.begin() as connection:
            found = select(runs.c.run_key).where(runs.c.run_key == run_key)
            return connection.scalar(found) is not None

    def other_account(self, account: str) -> str | None:
        """Return the alias of another account that has runs here; None when there is none."""
        foreign = ~runs.c.run_key.startswith(f"{account}:", autoescape=True)
        with self._store.begin() as connection:
            found = connection.scalar(select(runs.c.run_key).where(foreign).limit(1))
        return None if found is None else found.partition(":")[0]

    def open(self, run_key: str, at: datetime) -> int:
        """Record the start of an attempt and return its number, from 1."""
        with self._store.begin() as connection:
            attempt = connection.scalar(select(runs.c.attempt).where(runs.c.run_key == run_key))
            if attempt is None:
                connection.execute(
                    insert(runs).values(run_key=run_key, attempt=1, started_at=at, consumed=False)
                )
                return 1
            connection.execute(
                update(runs)
                .where(runs.c.run_key == run_key)
                .values(attempt=attempt + 1, started_at=at, finished_at=None)
            )
            return int(attempt) + 1

    def save_frame(self, run_key: str, frame: RunFrame | None, facts: Sequence[Fact] = ()) -> None:
        """Keep what was decided, and what led to it; committed before the run's first order.

        Parameters
        ----------
        run_key : str
        frame : RunFrame, optional
            None in a later attempt, which keeps the first one's.
        facts : sequence of Fact
            For the evidence; those that it has from an earlier attempt are not repeated.
        """
        with self._store.begin() as connection:
            if frame is not None:
                connection.execute(
                    update(runs).where(runs.c.run_key == run_key).values(frame=canonical(frame))
                )
            attest_once(connection, run_key, facts)

    def frame(self, run_key: str) -> RunFrame | None:
        """Return what an earlier attempt of this run decided."""
        with self._store.begin() as connection:
            text = connection.scalar(select(runs.c.frame).where(runs.c.run_key == run_key))
        return None if text is None else revive(RunFrame, json.loads(text))

    def finish(self, connection: Connection, report: CycleReport) -> None:
        """Store the report in the caller's transaction."""
        connection.execute(
            update(runs)
            .where(runs.c.run_key == report.run_key)
            .values(
                report=canonical(report),
                consumed=report.consumes_slot,
                finished_at=report.finished_at,
            )
        )

    def report(self, run_key: str) -> CycleReport | None:
        """Return the latest report of a run, whatever its outcome."""
        with self._store.begin() as connection:
            text = connection.scalar(select(runs.c.report).where(runs.c.run_key == run_key))
        return None if text is None else revive(CycleReport, json.loads(text))

    def latest(self, count: int = 1) -> tuple[CycleReport, ...]:
        """Return the reports of the latest runs, newest first."""
        with self._store.begin() as connection:
            texts = connection.scalars(
                select(runs.c.report)
                .where(runs.c.report.is_not(None))
                .order_by(runs.c.started_at.desc(), runs.c.run_key.desc())
                .limit(count)
            ).all()
        return tuple(revive(CycleReport, json.loads(text)) for text in texts)
