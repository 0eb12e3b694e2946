"""Where prices come from: files, the sample of the kit, or whatever answers for bars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import BarSource
from quant_platform_kit.market import BarFrame, load_sample
from us_equity_snapshot_pipelines._dividends import Dividend, between, told_by_bars
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
    dividends : tuple of Dividend
        As far as the source tells them, each with what its closes make of it.
    files : mapping of str to str
        SHA-256 of every file that was read, by name.
    """

    frames: Mapping[str, BarFrame]
    findings: tuple[str, ...] = ()
    dividends: tuple[Dividend, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def read_prices(location: str, adjustment: Adjustment) -> PriceHistory:
    """Read the prices at `location`, and dividends that are told with them.

    Parameters
    ----------
    location : str
        A folder or file of prices, or ``sample``.
    adjustment : Adjustment
        What the prices have been adjusted for: files cannot say.

    Raises
    ------
    InputError
        ``HISTORY_MISSING`` when there is none, ``BAR_INVALID`` when one cannot be used; the
        message names the file, the row and the rule.
    """
    if location == SAMPLE:
        return _sample(adjustment)
    path = Path(location)
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    files = [each for each in files if not each.name.startswith(".")]
    if not files or not files[0].exists():
        raise _no_prices(location)
    return _of_files(files, adjustment)


def _sample(adjustment: Adjustment) -> PriceHistory:
    """Return the sample, whose adjusted closes tell its dividends."""
    frames = load_sample(adjustment)
    raw, total = load_sample(Adjustment.RAW), load_sample(Adjustment.TOTAL_RETURN)
    dividends = (
        each
        for symbol in frames
        for each in between(raw[symbol], total[symbol], adjustment, of_ex_close=True)
    )
    return PriceHistory(frames, dividends=tuple(dividends))


def _of_files(files: Sequence[Path], adjustment: Adjustment) -> PriceHistory:
    from us_equity_snapshot_pipelines._dividend_files import (
        dividend_rows,
        has_dividends,
        payments_in,
    )
    from us_equity_snapshot_pipelines._odd_dividends import assess
    from us_equity_snapshot_pipelines._price_folder import frames_in, price_rows
    from us_equity_snapshot_pipelines._tables import read_table

    prices, paid = [], []
    for path in files:  # one after the other: texts of a file take more room than its rows
        table = read_table(path)
        if has_dividends(table):
            paid.append(dividend_rows(table))
        else:
            prices.append(price_rows(table, adjustment))
    if not prices:
        raise _no_prices(", ".join(rows.name for rows in paid))
    frames, odd_prices = frames_in(prices, adjustment)
    payments, between_files = payments_in(paid)
    dividends, odd = assess(payments, frames, adjustment)
    return PriceHistory(
        frames,
        (*odd_prices, *findings_in(frames, adjustment), *between_files, *odd),
        dividends,
        {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files},
    )


@runtime_checkable
class TellsDividends(Protocol):
    """A source of bars that knows what was paid, and need not be asked for its bars twice."""

    def dividends(
        self,
        frames: Mapping[str, BarFrame],
        sessions: int,
        last_session: date,
        adjustment: Adjustment,
    ) -> tuple[tuple[Dividend, ...], tuple[str, ...]]:
        """Return the dividends of what it answered, held against it, and what is odd."""


def fetch_prices(
    source: BarSource,
    symbols: Iterable[str],
    sessions: int,
    last_session: date,
    adjustment: Adjustment,
) -> PriceHistory:
    """Ask a broker, or anything else that answers for daily bars, for a history.

    One answer has one adjustment basis: it is used whole, and never put behind an earlier one. A
    source that does not tell dividends is asked for its bars with a second adjustment, since the
    difference of the two does.

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
    ask = source.dividends if isinstance(source, TellsDividends) else partial(told_by_bars, source)
    dividends, odd = ask(frames, sessions, last_session, adjustment)
    findings = (*absent, *findings_in(frames, adjustment), *odd)
    return PriceHistory(frames, findings, dividends)


def _no_prices(location: str) -> InputError:
    return InputError(
        f"There is no price file at {location}. Nothing was built. Name a folder of CSV or "
        "Parquet files, one such file, or 'sample'.",
        code=ReasonCode.HISTORY_MISSING,
    )
