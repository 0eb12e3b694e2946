"""The replay: the same slot to every service, month after month, by ``POST /run``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from demo._services import Service, SlotRun
from demo._snapshots import Publisher


def replay(
    services: Sequence[Service],
    sessions: Sequence[date],
    publishers: Sequence[Publisher],
    show: Callable[[SlotRun], None],
) -> list[SlotRun]:
    """Run every session's slot on every service, and return the answers in that order.

    Parameters
    ----------
    services : sequence of Service
    sessions : sequence of date
        Ascending.
    publishers : sequence of Publisher
        Of the snapshots that have to be there before a session's slot.
    show : callable
        Sees each answer as it comes.
    """
    runs: list[SlotRun] = []
    with ThreadPoolExecutor(len(services)) as pool:
        for session in sessions:
            for publisher in publishers:
                publisher.publish_for(session)
            for run in pool.map(lambda service, day=session: service.run(day), services):
                show(run)
                runs.append(run)
    return runs
