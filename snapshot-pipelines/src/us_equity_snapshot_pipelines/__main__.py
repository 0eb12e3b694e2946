"""``python -m us_equity_snapshot_pipelines``: build and publish one snapshot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, PlatformError, ReasonCode
from quant_platform_kit.market import BarFrame, SystemClock, read_wide_closes
from quant_platform_kit.strategy import load_catalog
from us_equity_snapshot_pipelines import __version__
from us_equity_snapshot_pipelines._build import MIN_CLOSE_USD, build_snapshot
from us_equity_snapshot_pipelines._publish import publish
from us_equity_snapshot_pipelines._sectors import read_sectors

DONE = 0
REFUSED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and publish the snapshot that `arguments` describe; return the exit code.

    0 when the snapshot is current, 1 when an input was refused and nothing changed, 2 for a wrong
    command line.
    """
    options = _parser().parse_args(arguments)
    try:
        strategy = load_catalog().strategy(options.profile, options.config)
        built = build_snapshot(
            strategy,
            _read_prices(options.prices, options.adjustment),
            read_sectors(options.sectors),
            options.as_of,
            min_close_usd=options.min_close_usd,
        )
        manifest = publish(
            options.out, built, generated_at=SystemClock().now(), code_version=__version__
        )
    except PlatformError as error:
        sys.stderr.write(f"{error.code}: {error.message}\n")
        return REFUSED
    sys.stdout.write(
        f"{manifest.profile}: version {manifest.version} is current, {manifest.row_count} rows\n"
    )
    for exclusion in built.excluded:
        sys.stdout.write(f"  no row for {exclusion.symbol}: {exclusion.detail}\n")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m us_equity_snapshot_pipelines",
        description="Build one feature snapshot and make it the current version of a folder.",
    )
    add = parser.add_argument
    add("--profile", required=True, help="a snapshot-backed strategy profile")
    add("--config", type=Path, help="the profile's configuration, as the service runs it")
    add(
        "--prices",
        type=Path,
        action="append",
        required=True,
        help="wide CSV of closes: Date, one column per symbol; may be repeated",
    )
    add(
        "--adjustment",
        type=Adjustment,
        default=Adjustment.TOTAL_RETURN,
        help="what the prices were adjusted for: raw, split or total_return (default)",
    )
    add("--sectors", type=Path, required=True, help="CSV with the header symbol,sector")
    add("--as-of", type=date.fromisoformat, required=True, help="session, YYYY-MM-DD")
    add(
        "--min-close-usd",
        type=float,
        help=(
            "a symbol at or below this close is ineligible "
            f"(default: the profile's own floor, else {MIN_CLOSE_USD})"
        ),
    )
    add("--out", type=Path, required=True, help="folder to publish to")
    return parser


def _read_prices(paths: Sequence[Path], adjustment: Adjustment) -> dict[str, BarFrame]:
    prices: dict[str, BarFrame] = {}
    for path in paths:
        for symbol, frame in read_wide_closes(path, adjustment).items():
            if symbol in prices:
                raise InputError(
                    f"{path} has prices of {symbol}, and so has an earlier file. Nothing was "
                    "built. Give each symbol's prices once.",
                    code=ReasonCode.BAR_INVALID,
                    symbol=symbol,
                )
            prices[symbol] = frame
    return prices


if __name__ == "__main__":
    sys.exit(main())
