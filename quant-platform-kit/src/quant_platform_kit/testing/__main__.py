"""Holds strategies against the cards, from a terminal.

python -m quant_platform_kit.testing spy_macd_vixy
python -m quant_platform_kit.testing strategies/my_profile.py --config my_profile.toml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from quant_platform_kit.testing.strategy_conformance import check_strategy


def main() -> int:
    """Print the report; return 1 when a card fails."""
    parser = argparse.ArgumentParser(
        prog="python -m quant_platform_kit.testing",
        description="Hold a strategy against everything the platform expects of one.",
    )
    parser.add_argument("strategy", help="a profile, a module's dotted name, or a .py file")
    parser.add_argument("--config", type=Path, help="the profile's configuration file")
    arguments = parser.parse_args()
    name: str = arguments.strategy
    report = check_strategy(Path(name) if name.endswith(".py") else name, arguments.config)
    sys.stdout.write(f"{report}\n")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
