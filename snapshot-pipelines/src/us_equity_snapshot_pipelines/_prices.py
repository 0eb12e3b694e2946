"""Where prices come from: files, the sample of the kit, or whatever answers for bars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import BarSource
from quant_platform_kit.market import BarFrame, load_sample
from us_equity_snapshot_pipelines._odd_prices import findings_in

SAMPLE: Final = "sample"
"""The name under which the bars that ship with the kit are asked for."""


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Prices as one source gave them.

    Parameters
    ----------
    frames : mapping of str to BarFrame
        By symbol, all with the same adjustment.
    findings : tuple of str
        What looks odd and was left as it is, in sentences.
    files : mapping of str to str
        SHA-256 of every file that was read, by name.
    """

    frames: Mapping[str, BarFrame]
    findings: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def read_prices(location: str, adjustment: Adjustment) -> PriceHistory:
    """Read the prices at `location`: a folder or file of prices, or ``sample``.

    Parameters
    ----------
    location : str
    adjustment : Adjustment
        What the prices have been adjusted for: files cannot say.

    Raises
    ------
    InputError
        ``HISTORY_MISSING`` when there is none, ``BAR_INVALID`` when one cannot be used; the
        message names the file, the row and the rule.
    """
    from us_equity_snapshot_pipelines._price_folder import read_price_files

    if location == SAMPLE:
        return PriceHistory(load_sample(adjustment))
    path = Path(location)
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    files = [each for each in files if not each.name.startswith(".")]
    if not files or not files[0].exists():
        raise InputError(
            f"There is no price file at {location}. Nothing was built. Name a folder of CSV or "
            "Parquet files, one such file, or 'sample'.",
            code=ReasonCode.HISTORY_MISSING,
        )
    frames, findings = read_price_files(files, adjustment)
    hashes = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
    return PriceHistory(frames, findings, hashes)


def fetch_prices(
    source: BarSource,
    symbols: Iterable[str],
    sessions: int,
    last_session: date,
    adjustment: Adjustment,
) -> PriceHistory:
    """Ask a broker, or anything else that answers for daily bars, for a history.

    One answer has one adjustment basis: it is used whole, and never put behind an earlier one.

    Parameters
    ----------
    source : BarSource
        Every broker adapter is one.
    symbols : iterable of str
    sessions : int
        Bars to ask for, each symbol.
    last_session : date
    adjustment : Adjustment
        Passed on: a source that cannot deliver it refuses.
    """
    wanted = tuple(sorted(set(symbols)))
    frames = dict(source.daily_bars(wanted, sessions, last_session, adjustment))
    absent = (f"the source has no bar of {symbol}" for symbol in wanted if symbol not in frames)
    return PriceHistory(frames, (*absent, *findings_in(frames, adjustment)))
