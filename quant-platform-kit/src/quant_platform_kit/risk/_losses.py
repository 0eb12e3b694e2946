"""How much was lost since yesterday and since the best day, and which limits that reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from sqlalchemy import Connection, delete, insert, select, update

from quant_platform_kit.market import Clock
from quant_platform_kit.risk._audit import check_operator, record
from quant_platform_kit.risk._keys import LossLimit
from quant_platform_kit.risk._limits import LossLimits, LossRules
from quant_platform_kit.store import Store, peaks

ACCOUNT = "*"
"""The name of the account among the peaks of its strategies."""

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_PCT_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Performance:
    """What the account or one strategy has, and has earned: now, yesterday and at best.

    Profit is realised and unrealised since the first day. Unlike equity it does not change when
    money comes, goes or moves between strategies: a withdrawal is no loss, a deposit hides none.

    Parameters
    ----------
    equity_usd, profit_usd : Decimal
        Now.
    profit_before_usd : Decimal
        At the last run of an earlier session.
    profit_peak_usd : Decimal
        The best so far.
    """

    equity_usd: Decimal
    profit_usd: Decimal
    profit_before_usd: Decimal
    profit_peak_usd: Decimal

    @property
    def day_loss_usd(self) -> Decimal:
        """What was lost since yesterday; zero when something was gained."""
        return max(_ZERO, self.profit_before_usd - self.profit_usd)

    @property
    def drawdown_usd(self) -> Decimal:
        """What was lost since the best result."""
        return max(_ZERO, self.profit_peak_usd - self.profit_usd)

    def in_pct(self, loss_usd: Decimal) -> Decimal:
        """Return a loss in % of the equity there would be without it."""
        before = self.equity_usd + loss_usd
        if not loss_usd:
            return _ZERO
        return (loss_usd / before * _HUNDRED) if before > _ZERO else _HUNDRED


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """How the account and each of its strategies stand."""

    account: Performance
    strategies: Mapping[str, Performance] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class LossMeasure:
    """A loss beside its limit, in the limit's unit."""

    name: str
    figure: Decimal
    limit: Decimal
    unit: str

    @property
    def reached(self) -> bool:
        """True when the limit is reached; to have lost nothing reaches none."""
        return self.figure > _ZERO and self.figure >= self.limit

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.name}: {self.figure:.2f} {self.unit} lost, limit {self.limit:.2f}"


@dataclass(frozen=True, slots=True)
class Losses:
    """Every loss that has a limit: the account's, and those of each strategy."""

    account: tuple[LossMeasure, ...] = ()
    strategies: Mapping[str, tuple[LossMeasure, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @classmethod
    def of(cls, history: AccountHistory, limits: LossLimits) -> Losses:
        """Measure `history` against `limits`."""
        return cls(
            tuple(_measures("loss", history.account, limits)),
            {
                name: tuple(_measures(f"loss.strategies.{name}", performance, limits.of(name)))
                for name, performance in history.strategies.items()
            },
        )

    @property
    def daily(self) -> LossMeasure | None:
        """The account's loss of the day; None without a limit on it."""
        return next((m for m in self.account if m.name == _DAILY), None)


_DAILY = "loss.daily_loss_limit"


def _measures(path: str, performance: Performance, rules: LossRules) -> Iterator[LossMeasure]:
    if rules.daily_loss_limit is not None:
        yield _daily(path, performance, rules.daily_loss_limit)
    if rules.max_drawdown_pct is not None:
        figure = performance.in_pct(performance.drawdown_usd).quantize(_PCT_STEP)
        yield LossMeasure(f"{path}.max_drawdown_pct", figure, rules.max_drawdown_pct, "%")


def _daily(path: str, performance: Performance, limit: LossLimit) -> LossMeasure:
    loss = performance.day_loss_usd
    if limit.is_pct:
        figure = performance.in_pct(loss).quantize(_PCT_STEP)
        return LossMeasure(f"{path}.daily_loss_limit", figure, limit.amount, "%")
    return LossMeasure(f"{path}.daily_loss_limit", loss, limit.amount, "USD")


class Peaks:
    """The best profit so far of the account and each strategy, kept in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def raised(self, profits_usd: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return the peaks after `profits_usd` were seen, and keep those that are new."""
        now = self._clock.now()
        with self._store.begin() as connection:
            found = connection.execute(select(peaks.c.name, peaks.c.profit_usd))
            best = {row.name: row.profit_usd for row in found}
            for name, profit in profits_usd.items():
                if name not in best:
                    connection.execute(insert(peaks).values(_row(name, profit, now)))
                elif profit > best[name]:
                    connection.execute(
                        update(peaks).where(peaks.c.name == name).values(_row(name, profit, now))
                    )
                best[name] = max(profit, best.get(name, profit))
        return {name: best[name] for name in profits_usd}

    def reset(self, *, who: str, why: str) -> None:
        """Forget every peak: drawdowns count from the next run's results on."""
        check_operator(who, why)
        record(
            self._store,
            who,
            "reset-peaks",
            {"why": why},
            self._clock,
            change=_forget,
        )


def _forget(connection: Connection) -> None:
    connection.execute(delete(peaks))


def _row(name: str, profit_usd: Decimal, at: datetime) -> dict[str, object]:
    return {"name": name, "profit_usd": profit_usd, "at": at}
