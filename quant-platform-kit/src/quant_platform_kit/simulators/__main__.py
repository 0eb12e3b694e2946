"""Serves one simulator until it is told to end; see `SimulatorProcess` and ``qpk simulate``."""

from __future__ import annotations

import argparse
import json
import sys

from quant_platform_kit.contracts import decode
from quant_platform_kit.errors import PlatformError
from quant_platform_kit.simulators._host import HostOptions
from quant_platform_kit.simulators._run import run_simulator
from quant_platform_kit.simulators._simulation import DOORS


def main() -> int:
    """Read the arguments, serve, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m quant_platform_kit.simulators")
    parser.add_argument("broker", choices=tuple(DOORS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--options", required=True, help="fields of HostOptions, as JSON")
    parser.add_argument("--attached", action="store_true", help="end with standard input")
    given = parser.parse_args()
    try:
        options = decode(HostOptions, json.loads(given.options))
        run_simulator(
            given.broker,
            options,
            port=given.port,
            control_port=given.control_port,
            announce=lambda ports: print(json.dumps(ports), flush=True),  # noqa: T201 (the answer)
            attached=given.attached,
        )
    except (PlatformError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
