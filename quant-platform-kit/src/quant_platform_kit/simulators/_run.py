"""Runs one simulator in this process until a signal, or until its parent is gone."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from quant_platform_kit.market import SystemClock
from quant_platform_kit.simulators._control import ControlServer
from quant_platform_kit.simulators._host import HostOptions
from quant_platform_kit.simulators._simulation import Simulation

_TICK_SECS: Final = 0.2  # how late a client hears of what the machine's clock did
_SOME: Final = 1024


def run_simulator(
    broker: str,
    options: HostOptions,
    *,
    port: int = 0,
    control_port: int = 0,
    announce: Callable[[Mapping[str, int]], None],
    attached: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT arrives.

    Parameters
    ----------
    broker : str
    options : HostOptions
    port, control_port : int
        0 takes a free one.
    announce : callable
        Given the ports once both are served.
    attached : bool
        Also end when standard input does.
    """
    stopped = _told_to_stop()
    simulation = Simulation(broker, options, port)
    with closing(simulation), closing(ControlServer(simulation, control_port)) as control:
        announce({"port": simulation.door.port, "control_port": control.port})
        watched = [stopped, sys.stdin.fileno()] if attached else [stopped]
        while not _has_ended(watched):
            if isinstance(simulation.host.clock, SystemClock):
                simulation.host.settle()


def _told_to_stop() -> int:
    """Return a descriptor that can be read once a signal to stop has arrived.

    A handler runs between any two steps of the main thread: it must not take a lock that this
    thread may hold, such as that of a `threading.Event` on which it waits.
    """
    stopped, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    return stopped


def _has_ended(watched: list[int]) -> bool:
    """Wait a tick; tell whether a signal came or standard input ended."""
    ready, _, _ = select.select(watched, [], [], _TICK_SECS)
    return watched[0] in ready or any(not os.read(each, _SOME) for each in ready)
