"""A market for a drill: seeded walks of every symbol that profiles read, and a snapshot of them."""

from __future__ import annotations

import csv
import json
import math
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.market import xnys

_FIRST: Final = date(2018, 1, 2)
_DECIDES: Final = date(2020, 3, 31)
_STOCKS: Final = tuple(f"DRILL{letter}" for letter in "ABCDEFGHIJKL")
_SECTORS: Final = 4
_SEED: Final = 7
_DRIFT, _VOLATILITY = 0.0005, 0.01


@dataclass(frozen=True, slots=True)
class DrillMarket:
    """Files of a market whose last session is a month's end."""

    folder: Path

    @property
    def closes(self) -> Path:
        """Closes of every symbol, a column each, in USD."""
        return self.folder / "prices" / "closes.csv"

    def write(self, profiles: tuple[Mapping[str, Any], ...]) -> None:
        """Write the closes of everything that profiles read or hold."""
        symbols = {*_STOCKS}
        for profile in profiles:
            symbols |= {profile["benchmark"], *profile["managed"]}
            symbols |= {*(profile["history"] or {"symbols": ()})["symbols"]}
        columns = sorted(symbols)
        chance = random.Random(_SEED)  # noqa: S311 (prices, not secrets)
        closes = dict.fromkeys(columns, 100.0)
        self.closes.parent.mkdir(parents=True)
        with self.closes.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("Date", *columns))
            for day in xnys().sessions(_FIRST, _DECIDES):
                for symbol in columns:
                    closes[symbol] *= math.exp(chance.gauss(_DRIFT, _VOLATILITY))
                rows.writerow((day, *(f"{closes[symbol]:.4f}" for symbol in columns)))

    def publish(self, profile: str) -> dict[str, str] | None:
        """Publish a snapshot, and return what a switch is told of it.

        None where no package at this desk builds snapshots.
        """
        config = self.folder / f"{profile}.json"
        config.write_text(json.dumps({"universe": _STOCKS}), encoding="utf-8")
        universe = self.folder / "universe.csv"
        lines = [f"{s},Sector {n % _SECTORS},2010-01-04," for n, s in enumerate(_STOCKS)]
        universe.write_text("\n".join(("symbol,sector,start,end", *lines, "")), encoding="utf-8")
        published = self.folder / "snapshots" / profile
        as_of = xnys().previous(_DECIDES).isoformat()
        words = (
            *("snapshot", "build", profile, "--config", str(config), "--universe", str(universe)),
            *("--prices", str(self.closes.parent), "--as-of", as_of, "--to", str(published)),
        )
        command = (sys.executable, "-m", "quant_platform_kit.cli", *words)
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 (our own)
        if done.returncode != 0:
            return None
        return {"FEATURE_SNAPSHOT_PATH": str(published), "STRATEGY_CONFIG_PATH": str(config)}
