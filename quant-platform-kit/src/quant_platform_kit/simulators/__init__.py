"""Simulators of brokers at the level of their wires: real client libraries connect to them.

Each is one simulated account (`quant_platform_kit.brokers.SimulatedBroker`) behind a door that
speaks a broker's protocol on a loopback port, with an HTTP control port beside it that moves the
clock, sets faults and shows the book. ``qpk simulate BROKER`` starts one; programs use
`SimulatorProcess`.

They were written from protocol facts. What they prove is that an adapter and its SDK handle these
messages, not that the real broker sends the same ones.
"""

from __future__ import annotations

from quant_platform_kit.simulators._faults import WireFault, WireFaults, WireSwitch
from quant_platform_kit.simulators._host import Door, Host, HostOptions, Listener
from quant_platform_kit.simulators._login import service_variables
from quant_platform_kit.simulators._process import SimulatorControl, SimulatorProcess
from quant_platform_kit.simulators._run import run_simulator
from quant_platform_kit.simulators._wires import QUERIES, WIRES, Occasion, Wire

__all__ = [
    "QUERIES",
    "WIRES",
    "Door",
    "Host",
    "HostOptions",
    "Listener",
    "Occasion",
    "SimulatorControl",
    "SimulatorProcess",
    "Wire",
    "WireFault",
    "WireFaults",
    "WireSwitch",
    "run_simulator",
    "service_variables",
]
