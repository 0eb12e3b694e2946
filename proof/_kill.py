"""kill -9 of the real gunicorn service in the middle of slots, again and again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

from proof._invariants import require, what_broke
from proof._service import Order, Service, orders_at_the_broker, settings_of
from quant_platform_kit.ledger import Ledger
from quant_platform_kit.market import xnys
from quant_platform_kit.orders import Journal
from quant_platform_kit.runtime import open_runtime
from quant_platform_kit.settings import load_settings
from tests import postgres

_FIRST_YEAR: Final = 1995
_LATENCY_SECS: Final = 0.02
_MOST_WAIT_SECS: Final = 0.08


@dataclass(slots=True)
class KillCount:
    """What became of a service that was killed again and again."""

    database: str
    wanted: int
    kills: int = 0
    mid_slot: int = 0
    resumed: int = 0
    orders: int = 0
    broken: list[str] = field(default_factory=list)
    skipped: str = ""


def kill_service(
    times: int, database: str, progress: Callable[[str], None] = lambda _line: None
) -> KillCount:
    """Kill a service in the middle of `times` slots, and compare with one left alone.

    A kill that comes after the slot's answer is done and judged all the same; it is not counted
    as one in the middle.

    Parameters
    ----------
    times : int
    database : str
        ``SQLite`` or ``PostgreSQL``; a server of its own is started for the latter.
    progress : callable
        Is told how it goes.
    """
    count = KillCount(database, times)
    if database == "PostgreSQL" and postgres.programs() is None:
        count.skipped = postgres.ABSENT
        return count
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qpk-kill-")))
        url = None if database == "SQLite" else stack.enter_context(postgres.running())
        offered = quarter_ends(2 * times)
        disturbed = folder / "disturbed"
        disturbed.mkdir()
        try:
            sessions = _kill_in_slots(disturbed, offered, url, count, progress)
            _compare(folder, disturbed, sessions, count)
            _check_books(disturbed, sessions[0], url)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            count.broken.append(
                f"{what_broke(error)}\n"
                f"  again: python -m proof kill --times {times} --database {database}"
            )
    return count


def quarter_ends(number: int) -> list[str]:
    """Return the last sessions of as many quarters: the days on which the strategy trades."""
    calendar, found = xnys(), []
    for index in range(number):
        year, quarter = _FIRST_YEAR + index // 4, index % 4 + 1
        after = date(year + quarter // 4, quarter * 3 % 12 + 1, 1)
        found.append(calendar.previous(after).isoformat())
    return found


def _kill_in_slots(
    folder: Path,
    sessions: list[str],
    url: str | None,
    count: KillCount,
    progress: Callable[[str], None],
) -> list[str]:
    """Kill in slot after slot, until so many were in the middle; return the slots' sessions."""
    dice = Random(count.wanted)  # noqa: S311 (chance that repeats is what is wanted)
    service = _start(folder, sessions[0], url)
    try:
        for session in sessions:
            answered = service.run_until(session, _fatal_moment(folder, dice))
            count.kills += 1
            count.mid_slot += not answered
            service = _start(folder, sessions[0], url)
            answer = service.run(session)
            again = service.run(session)
            report = answer["report"]
            count.resumed += report["attempt"] > 1
            require(report["outcome"] in {"TRADED", "NO_ACTION"}, "the slot runs again", report)
            require(
                again["repeated"] and again["report"] == report,
                "a consumed slot repeats its report",
                session,
            )
            progress(f"{count.database}: {count.mid_slot} of {count.wanted} kills")
            if count.mid_slot == count.wanted:
                break
    finally:
        service.kill()
    count.orders = len(orders_at_the_broker(folder))
    require(count.mid_slot == count.wanted, "enough slots to kill in", count.mid_slot)
    return sessions[: count.kills]


def _fatal_moment(folder: Path, dice: Random) -> Callable[[], bool]:
    """Return a condition that holds a random while after a random number of orders."""
    orders = len(orders_at_the_broker(folder)) + dice.choice((0, 1, 1, 2, 3, 4, 5, 6, 8))
    wait = dice.uniform(0, _MOST_WAIT_SECS)
    since: list[float] = []

    def fatal() -> bool:
        if not since and len(orders_at_the_broker(folder)) >= orders:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() >= since[0] + wait

    return fatal


def _start(folder: Path, first: str, url: str | None, latency: float = _LATENCY_SECS) -> Service:
    return Service(folder, latency_secs=latency, start=first, store_url=url)


def _compare(folder: Path, disturbed: Path, sessions: list[str], count: KillCount) -> None:
    calm = folder / "calm"
    calm.mkdir()
    service = _start(calm, sessions[0], None, latency=0)
    try:
        for session in sessions:
            service.run(session)
    finally:
        service.kill()
    wanted, found = orders_at_the_broker(calm), orders_at_the_broker(disturbed)
    require(
        found == wanted,
        f"the orders of a service that was left alone ({len(wanted)})",
        _first_difference(wanted, found),
    )
    require(count.orders > 0, "there was something to trade")


def _first_difference(wanted: list[Order], found: list[Order]) -> str:
    for number, (left, right) in enumerate(zip(wanted, found, strict=False)):
        if left != right:
            return f"order {number}: {left} was {right}"
    return f"{len(wanted)} orders were {len(found)}"


def _check_books(folder: Path, first: str, url: str | None) -> None:
    environ = settings_of(folder, latency_secs=0, start=first, store_url=url)
    runtime = open_runtime(load_settings("schwab", environ))
    try:
        broker, ledger = runtime.parts.broker, Ledger(runtime.parts.store)
        held = {position.symbol: position.quantity for position in broker.positions()}
        require(ledger.quantities() == held, "the ledger has the broker's shares", held)
        cash = sum(ledger.cash().values(), Decimal(0))
        theirs = broker.account().cash_usd
        require(cash == theirs, "the sleeves' cash adds up to the broker's", (cash, theirs))
        left = Journal(runtime.parts.store, runtime.parts.clock).unfinished()
        require(not left, "every order has ended", left)
    finally:
        runtime.close()


def lines(count: KillCount) -> Iterator[str]:
    """Return the figures as text."""
    if count.skipped:
        yield f"{count.database}: {count.skipped}"
        return
    yield (
        f"{count.database}: {count.kills} kills, {count.mid_slot} of them in the middle of a slot; "
        f"{count.resumed} slots taken up again, {count.orders} orders, each exactly as without "
        f"kills; invariants broken: {len(count.broken)}"
    )
