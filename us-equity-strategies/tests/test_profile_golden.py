"""Every decision of eight years of real ETF closes, against files in ``golden/``.

One line for each session whose answer differs from the answer of the session before it, the
sleeve holding what the last rebalance wanted. The closes are those in the `mlfinpy` wheel, which
have not been adjusted for dividends; they are read where they are installed.

After a change of a formula that is meant: ``pytest us-equity-strategies --update-golden``, and
review the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from quant_platform_kit.contracts import Adjustment, Decision, DecisionOutcome, canonical
from quant_platform_kit.market import BarFrame, ExchangeCalendar, read_wide_closes
from quant_platform_kit.strategy import StrategyConfig, StrategyContext
from us_equity_strategies import global_etf_rotation, spy_macd_vixy

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
MACD = spy_macd_vixy.Config(hedge_symbol="TLT")


@pytest.fixture(scope="module")
def etfs() -> dict[str, BarFrame]:
    package = find_spec("mlfinpy")
    assert package is not None, "the development environment lacks mlfinpy: make install"
    assert package.origin is not None
    prices = Path(package.origin).parent / "dataset" / "data" / "stock_prices.csv"
    return read_wide_closes(prices, Adjustment.RAW)


@pytest.fixture(scope="module")
def replay(
    etfs: dict[str, BarFrame],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
) -> Replay:
    def lines(
        config: StrategyConfig, decide: Callable[[StrategyContext], Decision], first: date
    ) -> Iterator[str]:
        held: list[str] = []
        before = None
        for session in calendar.sessions(first, calendar.next(etfs["SPY"].last_session)):
            decision = decide(context_of(config, session, etfs, held=held))
            if decision.outcome is DecisionOutcome.REBALANCE:
                held = [target.symbol for target in decision.targets]
            answer = (decision.outcome, decision.targets, decision.reason)
            if answer != before:
                yield canonical({"session": session, "decision": decision}) + "\n"
            before = answer

    def text(
        config: StrategyConfig, decide: Callable[[StrategyContext], Decision], first: date
    ) -> str:
        return "".join(lines(config, decide, first))

    return text


@pytest.mark.parametrize(
    ("name", "config"),
    [("global_etf_rotation.jsonl", ROTATION), ("global_etf_rotation_cash.jsonl", CASH_ROTATION)],
)
def test_the_rotation_decides_as_recorded(
    replay: Replay, check_golden: CheckGolden, name: str, config: global_etf_rotation.Config
) -> None:
    # The closes begin on 2008-01-02: the first sessions are blocked for want of history.
    check_golden(name, replay(config, global_etf_rotation.decide, date(2008, 12, 31)))


def test_the_macd_switch_decides_as_recorded(replay: Replay, check_golden: CheckGolden) -> None:
    check_golden("spy_macd_vixy.jsonl", replay(MACD, spy_macd_vixy.decide, date(2008, 2, 19)))


def test_the_declared_sessions_decide_as_the_whole_history_does(
    etfs: dict[str, BarFrame],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
) -> None:
    declared = spy_macd_vixy.manifest(MACD).history
    assert declared is not None
    for session in calendar.sessions(date(2010, 1, 4), date(2015, 12, 31)):
        cut = {
            symbol: etfs[symbol].until(calendar.previous(session)).tail(declared.sessions)
            for symbol in declared.symbols
        }
        whole_decision, cut_decision = (
            spy_macd_vixy.decide(context_of(MACD, session, history)) for history in (etfs, cut)
        )
        assert whole_decision.targets == cut_decision.targets, session
