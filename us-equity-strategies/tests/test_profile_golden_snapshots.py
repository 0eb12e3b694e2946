"""Every decision of fifteen years of month-ends on real closes, against files in ``golden/``.

The snapshots are built by the pipelines from the twenty stocks and the index in the `skfolio`
wheel, which are read where they are installed. Those closes are adjusted and come without volumes:
no profile asks for a turnover here. One line for each of the five sessions after a month-end whose
answer differs from the answer before it, the sleeve holding what the last rebalance wanted.

After a change of a formula that is meant: ``pytest us-equity-strategies --update-golden``, and
review the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_platform_kit.contracts import (
    Adjustment,
    Decision,
    DecisionOutcome,
    FeatureRow,
    FeatureSnapshot,
    canonical,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, ExchangeCalendar, read_wide_closes
from quant_platform_kit.strategy import Catalog, SleeveView, Strategy, StrategyContext
from us_equity_snapshot_pipelines import build_snapshot
from us_equity_strategies import (
    mega_cap_leader_rotation,
    qqq_tech_enhancement,
    russell_1000_multi_factor_defensive,
)

Prices = Mapping[str, BarFrame]
Decide = Callable[..., Decision]

SECTORS = {
    symbol: sector
    for sector, symbols in {
        "Consumer Discretionary": ("BBY", "HD"),
        "Consumer Staples": ("KO", "PEP", "PG", "WMT"),
        "Energy": ("CVX", "RRC", "XOM"),
        "Financials": ("BAC", "JPM"),
        "Health Care": ("JNJ", "LLY", "MRK", "PFE", "UNH"),
        "Industrials": ("GE",),
        "Information Technology": ("AAPL", "AMD", "MSFT"),
    }.items()
    for symbol in symbols
}
UNIVERSE = tuple(sorted(SECTORS))
CONFIGS = {
    "russell_1000_multi_factor_defensive": russell_1000_multi_factor_defensive.Config(
        universe=UNIVERSE,
        benchmark="SP500",
        safe_haven=None,
        holdings=8,
        name_cap=Decimal("0.125"),
        sector_cap=Decimal("0.25"),
    ),
    "qqq_tech_enhancement": qqq_tech_enhancement.Config(
        universe=UNIVERSE,
        benchmark="SP500",
        safe_haven="BOXX",
        sectors=("Information Technology", "Health Care", "Consumer Staples"),
        holdings=6,
        min_adv20_usd=0.0,
    ),
    "mega_cap_leader_rotation": mega_cap_leader_rotation.Config(
        universe=UNIVERSE,
        benchmark="SP500",
        broad_benchmark="SP500",
        safe_haven="BOXX",
        min_adv20_usd=0.0,
    ),
}
SCORES: Mapping[str, Callable[[StrategyContext], dict[str, float]]] = {
    "mega_cap_leader_rotation": mega_cap_leader_rotation.scores,
    "qqq_tech_enhancement": qqq_tech_enhancement.scores,
    "russell_1000_multi_factor_defensive": russell_1000_multi_factor_defensive.scores,
}
EQUITY_USD = Decimal(20_000)  # in a defence it pays for three positions of 3,000, not for four
FIRST, LAST = date(2008, 1, 31), date(2022, 11, 30)

each_profile = pytest.mark.parametrize("profile", CONFIGS)


@pytest.fixture(scope="module")
def strategies() -> Mapping[str, Strategy]:
    modules = (
        mega_cap_leader_rotation,
        qqq_tech_enhancement,
        russell_1000_multi_factor_defensive,
    )
    catalog = Catalog.of({module.__name__.rpartition(".")[2]: module for module in modules})
    return {name: catalog.find(name).configured(config) for name, config in CONFIGS.items()}


@pytest.fixture(scope="module")
def prices() -> Prices:
    package = find_spec("skfolio")
    assert package is not None, "the development environment lacks skfolio: make install"
    assert package.origin is not None
    folder = Path(package.origin).parent / "datasets" / "data"
    frames: dict[str, BarFrame] = {}
    for name in ("sp500_dataset.csv.gz", "sp500_index.csv.gz"):
        frames |= read_wide_closes(folder / name, Adjustment.TOTAL_RETURN)
    return frames


@pytest.fixture(scope="module")
def context_on(
    strategies: Mapping[str, Strategy],
    calendar: ExchangeCalendar,
    context_of: Callable[..., StrategyContext],
    snapshot_of: Callable[..., FeatureSnapshot],
) -> Callable[..., StrategyContext]:
    """Make what a profile is asked about a snapshot's rows, by default on the session after."""

    def make(
        profile: str,
        rows: Sequence[FeatureRow],
        as_of: date,
        *,
        session: date | None = None,
        held: Sequence[str] = (),
    ) -> StrategyContext:
        sleeve = SleeveView(
            quantities=dict.fromkeys(held, Decimal(1)),
            values_usd=dict.fromkeys(held, Decimal(1000)),
            equity_usd=EQUITY_USD,
        )
        return context_of(
            strategies[profile].config,
            session or calendar.next(as_of),
            snapshot=snapshot_of(profile, rows, as_of),
            sleeve=sleeve,
        )

    return make


@pytest.fixture(scope="module")
def decide_on(
    strategies: Mapping[str, Strategy], context_on: Callable[..., StrategyContext]
) -> Decide:
    """Decide on such a context."""

    def make(profile: str, *given: object, **named: object) -> Decision:
        decision = strategies[profile].decide(context_on(profile, *given, **named))
        assert isinstance(decision, Decision)
        return decision

    return make


@each_profile
def test_a_profile_decides_as_recorded(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    calendar: ExchangeCalendar,
    decide_on: Decide,
    check_golden: Callable[[str, str], None],
    profile: str,
) -> None:
    def lines() -> Iterator[str]:
        held: list[str] = []
        before = None
        for as_of in month_ends(calendar):
            rows = build_snapshot(strategies[profile], prices, SECTORS, as_of).rows
            for days in range(1, 6):
                session = calendar.offset(as_of, days)
                decision = decide_on(profile, rows, as_of, session=session, held=held)
                if decision.outcome is DecisionOutcome.REBALANCE:
                    held = [target.symbol for target in decision.targets]
                answer = (decision.outcome, decision.targets, decision.reason)
                if answer != before:
                    yield canonical({"session": session, "decision": decision}) + "\n"
                before = answer

    check_golden(f"{profile}.jsonl", "".join(lines()))


def month_ends(calendar: ExchangeCalendar) -> list[date]:
    return [d for d in calendar.sessions(FIRST, LAST) if calendar.is_last_session_of_month(d)]


# ── Scores ─────────────────────────────────────────────────────────────────────────────


@each_profile
def test_what_a_profile_chooses_has_its_best_scores(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    calendar: ExchangeCalendar,
    context_on: Callable[..., StrategyContext],
    profile: str,
) -> None:
    for as_of in month_ends(calendar)[::12]:
        rows = build_snapshot(strategies[profile], prices, SECTORS, as_of).rows
        context = context_on(profile, rows, as_of)
        scores = SCORES[profile](context)
        decision = strategies[profile].decide(context)
        assert isinstance(decision, Decision)
        chosen = [t.symbol for t in decision.targets if t.symbol != "BOXX"]

        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        assert chosen[:1] == list(scores)[: len(chosen[:1])]
        assert [symbol for symbol in scores if symbol in chosen] == chosen


@each_profile
def test_nothing_is_scored_where_a_profile_is_blocked(
    context_on: Callable[..., StrategyContext], profile: str
) -> None:
    row = FeatureRow("AAPL", "Information Technology", {})

    assert SCORES[profile](context_on(profile, [row], LAST)) == {}
    stale = context_on(profile, [row], FIRST, session=LAST)
    assert SCORES[profile](stale) == {}


# ── What a snapshot may depend on ──────────────────────────────────────────────────────

some_dates = pytest.mark.parametrize(
    "as_of", [date(2008, 10, 31), date(2013, 6, 28), date(2020, 3, 31), date(2022, 9, 30)]
)


@some_dates
@each_profile
def test_what_happens_after_the_snapshots_date_changes_nothing(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    decide_on: Decide,
    profile: str,
    as_of: date,
) -> None:
    cut = {symbol: frame.until(as_of) for symbol, frame in prices.items()}

    whole, truncated = (
        decide_on(profile, build_snapshot(strategies[profile], given, SECTORS, as_of).rows, as_of)
        for given in (prices, cut)
    )

    assert whole == truncated
    assert whole.outcome is DecisionOutcome.REBALANCE


@some_dates
@each_profile
def test_history_beyond_the_longest_look_back_changes_nothing(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    decide_on: Decide,
    profile: str,
    as_of: date,
) -> None:
    short = {symbol: frame.until(as_of).tail(274) for symbol, frame in prices.items()}

    long_answer, short_answer = (
        decide_on(profile, build_snapshot(strategies[profile], given, SECTORS, as_of).rows, as_of)
        for given in (prices, short)
    )

    assert long_answer == short_answer


@each_profile
@settings(max_examples=12)
@given(powers=st.fixed_dictionaries(dict.fromkeys((*UNIVERSE, "SP500"), st.integers(0, 6))))
def test_the_unit_of_a_price_changes_nothing(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    decide_on: Decide,
    profile: str,
    powers: dict[str, int],
) -> None:
    # Powers of two scale without rounding. Upwards from the closes above ten dollars alone, since
    # the floor for the close is the one rule that is not scale-free.
    as_of = date(2020, 3, 31)
    known = {symbol: frame.until(as_of) for symbol, frame in prices.items()}
    scaled = {
        symbol: BarFrame(
            symbol=symbol,
            sessions=frame.days,
            close=frame.close * (2.0 ** powers[symbol] if frame.close[-1] > 10 else 1.0),
            adjustment=frame.adjustment,
        )
        for symbol, frame in known.items()
    }

    first, second = (
        decide_on(profile, build_snapshot(strategies[profile], given, SECTORS, as_of).rows, as_of)
        for given in (known, scaled)
    )

    assert first == second


@pytest.mark.parametrize(
    ("profile", "feature"),
    [
        (name, feature)
        for name, module in (
            ("mega_cap_leader_rotation", mega_cap_leader_rotation),
            ("qqq_tech_enhancement", qqq_tech_enhancement),
            ("russell_1000_multi_factor_defensive", russell_1000_multi_factor_defensive),
        )
        for feature in module.manifest(CONFIGS[name]).snapshot.columns
        if feature not in ("symbol", "sector", "adv20_usd")  # no turnover is asked for here
    ],
)
def test_a_declared_feature_that_is_undefined_everywhere_blocks(
    strategies: Mapping[str, Strategy],
    prices: Prices,
    decide_on: Decide,
    profile: str,
    feature: str,
) -> None:
    as_of = date(2020, 3, 31)
    rows = build_snapshot(strategies[profile], prices, SECTORS, as_of).rows
    spoiled = [
        FeatureRow(row.symbol, row.sector, {**row.features, feature: math.nan}) for row in rows
    ]

    assert decide_on(profile, rows, as_of).outcome is DecisionOutcome.REBALANCE
    assert decide_on(profile, spoiled, as_of).code is ReasonCode.INDICATOR_UNDEFINED
