"""The market data that ships with the kit: real daily bars of five stocks, 2000 to 2013.

`data/PROVENANCE.md` says where they come from and under which terms.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from importlib import resources
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import ContractError, InputError, ReasonCode
from quant_platform_kit.market._frames import BarFrame, Floats

SAMPLE_SHA256: Final = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
"""Hash of the gzipped file, as its publisher's own inventory states it."""

_PRICES: Final = ("open", "high", "low", "close")


def load_sample(adjustment: Adjustment = Adjustment.RAW) -> dict[str, BarFrame]:
    """Return the bars of AAPL, FB, GOOG, IBM and MSFT, up to 2013-03-01.

    They hold three splits, some ninety dividends and two late listings (GOOG 2004-08-19, FB
    2012-05-18).

    Parameters
    ----------
    adjustment : Adjustment
        ``RAW`` as traded, or ``TOTAL_RETURN``: every price times adjusted close over close. That
        file's adjusted closes know events up to 2018, so only their ratios mean something. Volume
        is divided by the same factor, which keeps close times volume the dollars that were
        traded.

    Returns
    -------
    dict of str to BarFrame
        By symbol, with all five columns.

    Raises
    ------
    ContractError
        For ``SPLIT``: the file cannot tell splits from dividends.
    InputError
        ``BAR_INVALID`` when the installed file is not the one that was published.
    """
    if adjustment is Adjustment.SPLIT:
        raise ContractError(
            f"load_sample.adjustment = {adjustment!r}: expected RAW or TOTAL_RETURN"
        )
    packed = resources.files(__package__).joinpath("data", "stocks.csv.gz").read_bytes()
    rows = csv.reader(io.StringIO(_unpacked(packed), newline=""))
    next(rows)  # Ticker, Date, Open, High, Low, Close, Volume, Adj Close
    return {
        symbol: _frame(symbol, list(bars), adjustment)
        for symbol, bars in groupby(rows, itemgetter(0))
    }


def _unpacked(packed: bytes) -> str:
    if hashlib.sha256(packed).hexdigest() != SAMPLE_SHA256:
        raise InputError(
            "The market sample of the kit is not the file that was published: its SHA-256 "
            "differs. Nothing is decided on it; reinstall quant-platform-kit.",
            code=ReasonCode.BAR_INVALID,
        )
    return gzip.decompress(packed).decode()


def _frame(symbol: str, rows: list[list[str]], adjustment: Adjustment) -> BarFrame:
    _, dates, *texts = zip(*rows, strict=True)
    table: Floats = np.array(texts, dtype=np.float64)
    prices, volume, adjusted_close = table[:4], table[4], table[5]
    if adjustment is Adjustment.TOTAL_RETURN:
        factor = adjusted_close / prices[3]
        prices, volume = prices * factor, volume / factor
    return BarFrame(
        symbol=symbol,
        sessions=np.array(dates, dtype="datetime64[D]"),
        adjustment=adjustment,
        volume=volume,
        **dict(zip(_PRICES, prices, strict=True)),
    )
