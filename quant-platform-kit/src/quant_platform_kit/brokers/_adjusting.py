"""Adjusted bars out of raw ones and what happened to the shares."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from quant_platform_kit.brokers._actions import CorporateAction, Dividend, StockSplit
from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import InputError, ReasonCode

if TYPE_CHECKING:
    from quant_platform_kit.market import BarFrame


def adjusted(raw: BarFrame, actions: Iterable[CorporateAction], adjustment: Adjustment) -> BarFrame:
    """Return raw bars adjusted as a broker does on the day of the last one.

    Bars before a split are multiplied by old over new shares; for a total return, bars before a
    dividend also by one less dividend over the last close before it, as the Center for Research
    in Security Prices does. Volume is divided by the same factor, which keeps the dollars that
    were traded. An action after the last bar is not known yet and changes nothing.

    Parameters
    ----------
    raw : BarFrame
    actions : iterable of CorporateAction
        Of this symbol.
    adjustment : Adjustment

    Raises
    ------
    InputError
        ``BAR_INVALID`` when a dividend is not less than the price before it.
    """
    import numpy as np

    from quant_platform_kit.market import BarFrame

    factor = np.ones(len(raw))
    for action in actions:
        before = int(np.searchsorted(raw.days, np.datetime64(action.ex_date, "D")))
        if 0 < before < len(raw):
            factor[:before] *= _factor(action, adjustment, float(raw.close[before - 1]))
    columns = {
        name: None if column is None else column * factor
        for name, column in (("open", raw.open), ("high", raw.high), ("low", raw.low))
    }
    return BarFrame(
        symbol=raw.symbol,
        sessions=raw.days,
        close=raw.close * factor,
        adjustment=adjustment,
        volume=None if raw.volume is None else raw.volume / factor,
        **columns,
    )


def _factor(action: CorporateAction, adjustment: Adjustment, close_before: float) -> float:
    match action:
        case StockSplit():
            return float(action.old / action.new)
        case Dividend() if adjustment is Adjustment.TOTAL_RETURN:
            kept = 1 - float(action.amount_usd) / close_before
            if kept <= 0:
                raise _beyond(action.symbol, action.ex_date)
            return kept
    return 1.0


def _beyond(symbol: str, ex_date: date) -> InputError:
    return InputError(
        f"The dividend of {symbol} on {ex_date} is not less than its price before; nothing is "
        "decided on its bars. Correct the file of corporate actions, or the prices.",
        code=ReasonCode.BAR_INVALID,
        symbol=symbol,
    )
