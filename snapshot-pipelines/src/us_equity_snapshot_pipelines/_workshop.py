"""Everything that building needs, opened once: profile, prices and universe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

import us_equity_snapshot_pipelines as package
from quant_platform_kit.errors import InputError, ReasonCode
from quant_platform_kit.inputs import ObjectStore, Publication
from quant_platform_kit.market import Clock, ExchangeCalendar, SystemClock, xnys
from quant_platform_kit.strategy import Strategy, load_catalog
from us_equity_snapshot_pipelines._build import build_rows, lay_out
from us_equity_snapshot_pipelines._dividends import gone_ex
from us_equity_snapshot_pipelines._prices import PriceHistory
from us_equity_snapshot_pipelines._publish import read_version, versions
from us_equity_snapshot_pipelines._ranking import choose
from us_equity_snapshot_pipelines._recipe import Recipe
from us_equity_snapshot_pipelines._release import Release, release
from us_equity_snapshot_pipelines._sources import PriceSource
from us_equity_snapshot_pipelines._universe import Universe, read_universe


@dataclass(frozen=True, slots=True)
class Workshop:
    """A profile under its configuration, and what its snapshots are made of."""

    strategy: Strategy
    recipe: Recipe
    prices: PriceHistory
    universe: Universe
    calendar: ExchangeCalendar
    clock: Clock

    @classmethod
    def open(
        cls,
        profile: str,
        *,
        config: Path | None,
        prices: PriceSource,
        universe: Path | None,
        days: Sequence[date],
        min_close_usd: float | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Read everything that snapshots of `days` are made of; at least one, ascending.

        Without a universe file, every stock of the profile is a candidate, always.

        Raises
        ------
        InputError
            Before anybody is asked for a price, when one of `days` is no session that has closed.
        """
        calendar, clock = xnys(), SystemClock() if clock is None else clock
        for day in days:
            _require_closed(day, calendar, clock)
        strategy = load_catalog().strategy(profile, config)
        recipe = Recipe.of(
            strategy,
            config_name="default" if config is None else config.stem,
            min_close_usd=min_close_usd,
        )
        known = Universe.of_sectors(dict.fromkeys(recipe.stocks, ""))
        return cls(
            strategy=strategy,
            recipe=recipe,
            prices=prices.read(recipe, calendar, clock, days[0], days[-1]),
            universe=known if universe is None else read_universe(universe),
            calendar=calendar,
            clock=clock,
        )

    def make(self, as_of: date, store: ObjectStore) -> Release:
        """Make the version of `as_of`, compared with the one before it in `store`."""
        panel = lay_out(self.recipe, self.prices.frames, as_of, as_of)
        built = build_rows(self.recipe, panel, self.universe, as_of)
        return release(
            built,
            generated_at=self.clock.now(),
            code_version=package.__version__,
            choice=choose(self.strategy, built, self.calendar),
            before=_version_before(store, as_of),
            findings=(*self.recipe.findings, *self.prices.findings),
            dividends=gone_ex(self.prices.dividends, panel, as_of),
        )


def _require_closed(day: date, calendar: ExchangeCalendar, clock: Clock) -> None:
    """Refuse a day without a close: a file may have a price of it all the same."""
    newest = calendar.last_complete_session(clock.now())
    if not calendar.is_session(day):
        what, before = f"The exchange was closed on {day}", calendar.previous(day)
    elif day > newest:
        what, before = f"The session of {day} has not closed", newest
    else:
        return
    raise InputError(
        f"{what}, so there is no final price of it. Nothing was built. The last session before is "
        f"{before}.",
        code=ReasonCode.HISTORY_MISSING,
    )


def _version_before(store: ObjectStore, as_of: date) -> Publication | None:
    earlier = [version for version in versions(store) if version < as_of.isoformat()]
    if not earlier:
        return None
    try:
        return read_version(store, earlier[-1])
    except InputError:
        return None  # the page says so; that version's own readers are told what is wrong with it
