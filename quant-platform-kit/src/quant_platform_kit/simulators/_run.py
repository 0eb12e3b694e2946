"""Runs one simulator in this process until a signal, or until its parent is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from quant_platform_kit.market import SystemClock
from quant_platform_kit.simulators._control import ControlServer
from quant_platform_kit.simulators._host import HostOptions
from quant_platform_kit.simulators._simulation import Simulation

_TICK_SECS: Final = 0.2  # how late a client hears of what the machine's clock did


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
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if attached:
        threading.Thread(target=_until_input_ends, args=(ended,), daemon=True).start()
    simulation = Simulation(broker, options, port)
    with closing(simulation), closing(ControlServer(simulation, control_port)) as control:
        announce({"port": simulation.door.port, "control_port": control.port})
        while not ended.wait(_TICK_SECS):
            if isinstance(simulation.host.clock, SystemClock):
                simulation.host.settle()


def _until_input_ends(ended: threading.Event) -> None:
    # Past the buffer of `sys.stdin`: an interpreter that ends is stopped by whoever waits in there.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    ended.set()
