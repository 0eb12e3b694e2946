"""From the decisions of sleeves to one target portfolio."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.commander import Sleeve, command
from quant_platform_kit.contracts import (
    BandGoal,
    Cadence,
    Contribution,
    Decision,
    ExecutionHints,
    FrozenSleeve,
    HistoryInput,
    PortfolioTarget,
    ProfileStatus,
    StrategyManifest,
    TargetMode,
    TargetPortfolio,
)
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun

HALF = Decimal("0.5")


def sleeve(
    profile: str = "alpha",
    *managed: str,
    weight: Decimal = Decimal(1),
    mode: TargetMode = TargetMode.WEIGHT,
    **hints: Any,  # noqa: ANN401 (of several types, checked by the contract)
) -> Sleeve:
    return Sleeve(profile, weight, managed or ("AAA", "BBB"), mode, ExecutionHints(**hints))


def amounts(portfolio: TargetPortfolio) -> dict[str, Decimal]:
    return {target.symbol: target.amount for target in portfolio.targets}


def test_one_sleeve_of_the_whole_account_passes_its_decision_on() -> None:
    portfolio = command(
        [sleeve(cash_reserve_ratio=Decimal("0.02"))], {"alpha": Decision.weights({"BBB": 0.6})}
    )
    assert portfolio.mode is TargetMode.WEIGHT
    assert portfolio.managed == ("AAA", "BBB")
    assert amounts(portfolio) == {"AAA": 0, "BBB": Decimal("0.6")}
    assert portfolio.frozen == ()
    assert portfolio.hints == ExecutionHints(cash_reserve_ratio=Decimal("0.02"))


def test_a_symbol_of_two_sleeves_is_one_target_that_remembers_both() -> None:
    portfolio = command(
        [
            sleeve("beta", "BBB", "CCC", weight=Decimal("0.4")),
            sleeve("alpha", "AAA", "BBB", weight=HALF),
        ],
        {
            "alpha": Decision.weights({"AAA": 0.5, "BBB": 0.5}),
            "beta": Decision.weights({"BBB": 1.0}),
        },
    )
    assert amounts(portfolio) == {"AAA": Decimal("0.25"), "BBB": Decimal("0.65"), "CCC": 0}
    assert portfolio.targets[1].contributors == (
        Contribution("alpha", Decimal("0.25")),
        Contribution("beta", Decimal("0.4")),
    )


def test_symbols_come_out_sorted_whatever_order_they_came_in() -> None:
    backwards = ("FFF", "EEE", "DDD", "CCC", "BBB", "AAA")
    sleeves = [
        sleeve("alpha", *backwards, weight=HALF),
        sleeve("beta", "LLL", "KKK", "III", "HHH", "BBB", "AAA", weight=HALF),
    ]
    active = command(sleeves, {"alpha": Decision.weights(dict.fromkeys(backwards, 0.1))})
    assert active.managed == ("CCC", "DDD", "EEE", "FFF")
    assert list(amounts(active)) == ["CCC", "DDD", "EEE", "FFF"]
    assert [frozen.symbols for frozen in active.frozen] == [
        ("AAA", "BBB", "HHH", "III", "KKK", "LLL"),
        ("AAA", "BBB"),
    ]


def test_dollar_targets_are_the_accounts_dollars_whatever_the_sleeves_weight() -> None:
    portfolio = command(
        [sleeve(mode=TargetMode.VALUE, weight=HALF)], {"alpha": Decision.values({"AAA": 1234.56})}
    )
    assert amounts(portfolio) == {"AAA": Decimal("1234.56"), "BBB": 0}


def test_what_nobody_wants_any_more_names_the_sleeves_that_gave_it_up() -> None:
    portfolio = command(
        [sleeve("beta", "BBB", "CCC", weight=HALF), sleeve("alpha", "AAA", "BBB", weight=HALF)],
        {"alpha": Decision.weights({"AAA": 1}), "beta": Decision.weights({"CCC": 1})},
    )
    assert portfolio.targets[1] == PortfolioTarget(
        "BBB", Decimal(0), (Contribution("alpha", Decimal(0)), Contribution("beta", Decimal(0)))
    )


@pytest.mark.parametrize(
    ("wish", "reserve", "weight"),
    [
        ({"AAA": 0.6, "BBB": 0.4}, "0.1", {"AAA": "0.54", "BBB": "0.36"}),
        ({"AAA": 0.6, "BBB": 0.3}, "0.1", {"AAA": "0.6", "BBB": "0.3"}),
        ({"AAA": 0.6, "BBB": 0.3}, "0.4", {"AAA": "0.4", "BBB": "0.2"}),
    ],
)
def test_a_cash_reserve_is_taken_off_every_weight_alike_and_only_where_it_is_needed(
    wish: dict[str, float], reserve: str, weight: dict[str, str]
) -> None:
    portfolio = command(
        [sleeve(cash_reserve_ratio=Decimal(reserve))], {"alpha": Decision.weights(wish)}
    )
    assert amounts(portfolio) == {symbol: Decimal(each) for symbol, each in weight.items()}


def test_each_sleeve_keeps_its_own_reserve() -> None:
    portfolio = command(
        [
            sleeve("alpha", "AAA", weight=HALF, cash_reserve_ratio=Decimal("0.2")),
            sleeve("beta", "BBB", weight=HALF),
        ],
        {"alpha": Decision.weights({"AAA": 1}), "beta": Decision.weights({"BBB": 1})},
    )
    assert amounts(portfolio) == {"AAA": Decimal("0.4"), "BBB": HALF}
    assert portfolio.hints.cash_reserve_ratio == Decimal("0.1")


def test_dollars_are_not_reduced_for_a_reserve() -> None:
    held_back = sleeve(mode=TargetMode.VALUE, cash_reserve_ratio=HALF)
    portfolio = command([held_back], {"alpha": Decision.values({"AAA": 100})})
    assert amounts(portfolio) == {"AAA": Decimal(100), "BBB": 0}


@pytest.mark.parametrize(
    ("goals", "goal"),
    [
        ((BandGoal.EDGE, BandGoal.EDGE), BandGoal.EDGE),
        ((BandGoal.EDGE, BandGoal.TARGET), BandGoal.TARGET),
        ((BandGoal.TARGET, BandGoal.TARGET), BandGoal.TARGET),
    ],
)
def test_only_sleeves_that_agree_stop_at_the_edge_of_their_band(
    goals: tuple[BandGoal, BandGoal], goal: BandGoal
) -> None:
    first, second = goals
    portfolio = command(
        [
            sleeve("alpha", "AAA", weight=HALF, band_trades_to=first),
            sleeve("beta", "BBB", weight=HALF, band_trades_to=second),
        ],
        {"alpha": Decision.weights({}), "beta": Decision.weights({})},
    )
    assert portfolio.hints.band_trades_to is goal


def test_one_sleeve_that_never_sells_keeps_the_account_from_selling() -> None:
    portfolio = command(
        [sleeve("alpha", "AAA", weight=HALF, buy_only=True), sleeve("beta", "BBB", weight=HALF)],
        {"alpha": Decision.weights({}), "beta": Decision.weights({})},
    )
    assert portfolio.hints.buy_only


@pytest.mark.parametrize(
    ("decision", "code", "detail"),
    [
        (Decision.hold("not a month end"), ReasonCode.HOLD, "not a month end"),
        (
            Decision.blocked(ReasonCode.SNAPSHOT_STALE, "31 sessions old"),
            ReasonCode.SNAPSHOT_STALE,
            "31 sessions old",
        ),
        (None, ReasonCode.SLEEVE_FROZEN, "no decision in this run: its holdings are kept"),
    ],
)
def test_a2_a_sleeve_without_a_rebalance_is_frozen_and_manages_nothing(
    decision: Decision | None, code: ReasonCode, detail: str
) -> None:
    decisions = {} if decision is None else {"alpha": decision}
    portfolio = command([sleeve()], decisions)
    assert portfolio.managed == ()
    assert portfolio.targets == ()
    assert portfolio.frozen == (FrozenSleeve("alpha", code, detail, ("AAA", "BBB")),)


def test_a2_one_frozen_sleeve_does_not_stop_another() -> None:
    portfolio = command(
        [sleeve("alpha", "AAA", weight=HALF), sleeve("beta", "BBB", weight=HALF)],
        {"beta": Decision.weights({"BBB": 1.0})},
    )
    assert portfolio.managed == ("BBB",)
    assert amounts(portfolio) == {"BBB": HALF}
    assert portfolio.universe == {"AAA", "BBB"}


def test_a2_a_symbol_shared_with_a_frozen_sleeve_is_left_alone_and_noted() -> None:
    portfolio = command(
        [sleeve("alpha", "AAA", "BBB", weight=HALF), sleeve("beta", "BBB", "CCC", weight=HALF)],
        {
            "alpha": Decision.weights({"AAA": 0.5, "BBB": 0.5}),
            "beta": Decision.hold("an ordinary day"),
        },
    )
    assert portfolio.managed == ("AAA",)
    assert amounts(portfolio) == {"AAA": Decimal("0.25")}
    assert portfolio.frozen[1] == FrozenSleeve(
        "alpha",
        ReasonCode.SLEEVE_FROZEN,
        "shared with beta, which is frozen: kept as they are",
        ("BBB",),
    )


def test_a2_no_sleeve_at_all_is_an_error_and_never_a_sale() -> None:
    with pytest.raises(RefuseRun, match="nothing was traded") as refusal:
        command([], {})
    assert refusal.value.code is ReasonCode.WHITELIST_EMPTY


def test_the_hints_of_sleeves_become_the_accounts() -> None:
    portfolio = command(
        [
            sleeve(
                "alpha",
                "AAA",
                weight=HALF,
                rebalance_threshold_ratio=Decimal("0.04"),
                cash_reserve_ratio=Decimal("0.1"),
                min_trade_usd=Decimal(50),
            ),
            sleeve(
                "beta",
                "BBB",
                weight=Decimal("0.25"),
                rebalance_threshold_ratio=Decimal("0.04"),
                cash_reserve_ratio=Decimal("0.2"),
                min_trade_usd=Decimal(200),
            ),
            sleeve("gamma", "CCC", weight=Decimal("0.25")),
        ],
        {"alpha": Decision.weights({}), "beta": Decision.weights({})},
    )
    assert portfolio.hints == ExecutionHints(
        rebalance_threshold_ratio=Decimal("0.01"),
        cash_reserve_ratio=Decimal("0.1"),
        min_trade_usd=Decimal(50),
    )


@pytest.mark.parametrize(
    ("sleeves", "decisions", "complaint"),
    [
        ([sleeve(weight=HALF), sleeve("beta", weight=Decimal("0.6"))], {}, "sum to 1.1"),
        ([sleeve(weight=HALF), sleeve(weight=HALF)], {}, "each profile once"),
        (
            [sleeve()],
            {"zeta": Decision.hold("x"), "gamma": Decision.hold("x")},
            r"decisions of \['gamma', 'zeta'\]",
        ),
        ([sleeve()], {"alpha": Decision.values({"AAA": 5})}, "targets in value"),
        ([sleeve()], {"alpha": Decision.weights({"ZZZ": 1})}, "ZZZ lies outside"),
        (
            [sleeve(weight=HALF), sleeve("beta", weight=HALF, mode=TargetMode.VALUE)],
            {"alpha": Decision.weights({}), "beta": Decision.values({})},
            "alpha in weight, beta in value",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    sleeves: list[Sleeve], decisions: dict[str, Decision], complaint: str
) -> None:
    with pytest.raises(ContractError, match=complaint):
        command(sleeves, decisions)


@pytest.mark.parametrize(
    ("malformed", "field"),
    [
        (lambda: sleeve(" "), "profile"),
        (lambda: sleeve(weight=Decimal(0)), "weight"),
        (lambda: sleeve(weight=Decimal("1.01")), "weight"),
        (lambda: sleeve(weight=Decimal("NaN")), "weight"),
        (lambda: sleeve("alpha", "AAA", "AAA"), "managed"),
    ],
)
def test_a_malformed_sleeve_is_refused_by_field(
    malformed: Callable[[], object], field: str
) -> None:
    with pytest.raises(ContractError, match=rf"Sleeve\.{field}"):
        malformed()


def test_a_sleeve_is_made_of_its_strategys_manifest() -> None:
    names = {"en": "Alpha", "zh": "甲"}
    manifest = StrategyManifest(
        profile="alpha",
        display_name=names,
        description=names,
        cadence=Cadence.MONTHLY,
        benchmark="SPY",
        target_mode=TargetMode.WEIGHT,
        status=ProfileStatus.PAPER,
        managed=("AAA", "BBB"),
        history=HistoryInput(("AAA",), 10),
        hints=ExecutionHints(min_trade_usd=Decimal(7)),
    )
    assert Sleeve.of(manifest, HALF) == sleeve(weight=HALF, min_trade_usd=Decimal(7))


@given(
    weights=st.lists(st.integers(0, 10**10), min_size=3, max_size=3),
    parts=st.lists(st.integers(1, 10**6), min_size=4, max_size=4),
)
def test_sleeves_together_never_want_more_than_the_whole_account(
    weights: list[int], parts: list[int]
) -> None:
    """Weights that fill their sleeve, in sleeves that fill the account."""
    whole = sum(parts)
    shares = [Decimal(part) / whole for part in parts]
    shares[0] -= max(sum(shares) - 1, Decimal(0))
    total = max(sum(weights), 1)
    wish = Decision.weights(
        {symbol: Decimal(weight) / total for symbol, weight in zip("ABC", weights, strict=True)}
    )
    sleeves = [sleeve(f"s{n}", "A", "B", "C", weight=share) for n, share in enumerate(shares)]
    portfolio = command(sleeves, {each.profile: wish for each in sleeves})
    assert sum(amounts(portfolio).values()) <= 1
    assert portfolio == command(sleeves[::-1], {each.profile: wish for each in sleeves})
    for target in portfolio.targets:
        assert target.amount == sum(part.amount for part in target.contributors)
