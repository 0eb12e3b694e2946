"""What prices are asked of: files, the sample of the kit, a platform's broker, or Yahoo Finance.

Files hold what they hold. The others are asked once for everything that a build needs, from the
first session to the last, so that all of it has been adjusted to one day: nothing that was fetched
earlier is ever put before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Final

from quant_platform_kit.contracts import Adjustment
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.inputs import BarSource
from quant_platform_kit.market import Clock, ExchangeCalendar
from us_equity_snapshot_pipelines._panel import WINDOW
from us_equity_snapshot_pipelines._prices import PriceHistory, fetch_prices, read_prices
from us_equity_snapshot_pipelines._recipe import Recipe

BROKER: Final = "broker"
"""The name under which the bars of a platform's own broker are asked for."""

YAHOO: Final = "yfinance"
"""The name under which those of Yahoo Finance are."""


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where a build takes its prices from.

    Parameters
    ----------
    name : str
        A folder or file of prices, ``sample``, ``broker`` or ``yfinance``.
    adjustment : Adjustment
        What the prices of files have been adjusted for; what the others are asked for.
    platform : str, optional
        Whose settings say which broker is asked, and how to log in.
    """

    name: str
    adjustment: Adjustment
    platform: str | None = None

    def read(
        self, recipe: Recipe, calendar: ExchangeCalendar, clock: Clock, first: date, last: date
    ) -> PriceHistory:
        """Return what snapshots of the sessions `first` to `last` are made of; or more.

        Raises
        ------
        SettingsError
            When a broker is asked and no platform is named, or its settings are not in order; when
            `yfinance` is not installed.
        InputError
            As `read_prices` does; and when there are no prices with that adjustment.
        TransientError
            When the far side does not answer.
        """
        if self.name not in (BROKER, YAHOO):
            return read_prices(self.name, self.adjustment)
        sessions = max(WINDOW, recipe.min_closes) + calendar.sessions_between(first, last)
        with self._opened(calendar, clock) as source:
            return fetch_prices(source, recipe.symbols, sessions, last, self.adjustment)

    @contextmanager
    def _opened(self, calendar: ExchangeCalendar, clock: Clock) -> Iterator[BarSource]:
        if self.name == YAHOO:
            from us_equity_snapshot_pipelines._yahoo import YahooBars

            yield YahooBars(calendar, clock)
            return
        if self.platform is None:
            raise SettingsError(
                "--prices broker asks the broker of a platform, and none is named. Add --platform "
                "ibkr, schwab or longbridge."
            )
        with _connected(self.platform) as broker:
            yield broker


@contextmanager
def _connected(platform: str) -> Iterator[BarSource]:
    from quant_platform_kit.runtime import open_broker
    from quant_platform_kit.settings import load_settings

    broker, _ = open_broker(load_settings(platform))
    try:
        yield broker
    finally:
        close = getattr(broker, "close", None)
        if close is not None:
            close()
