"""The feature snapshots of the demo, published the evening before each slot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import us_equity_snapshot_pipelines as pipelines
from demo._accounts import SECTORS, DemoAccount
from demo._data import DemoMarket
from quant_platform_kit.market import ExchangeCalendar
from quant_platform_kit.strategy import Strategy, load_catalog


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes one profile's snapshots into one folder."""

    strategy: Strategy
    market: DemoMarket
    calendar: ExchangeCalendar
    folder: Path

    @classmethod
    def of(
        cls, account: DemoAccount, market: DemoMarket, calendar: ExchangeCalendar, folder: Path
    ) -> Publisher:
        """Return the publisher of an account's profile, under the account's configuration."""
        strategy = load_catalog().strategy(account.profile, account.config_path)
        return cls(strategy, market, calendar, folder)

    def publish_for(self, session: date) -> None:
        """Publish what is known when `session` begins: features as of the session before."""
        as_of = self.calendar.previous(session)
        built = pipelines.build_snapshot(self.strategy, self.market.frames, SECTORS, as_of)
        pipelines.publish(
            self.folder,
            built,
            generated_at=self.calendar.session_close(as_of),
            code_version=pipelines.__version__,
        )
