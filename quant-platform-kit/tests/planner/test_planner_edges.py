"""The edges of the planner's rules: what happens exactly at each limit, and just beyond it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import (
    BandGoal,
    BrokerOrder,
    ExecutionHints,
    FeeModel,
    OrderPlan,
    OrderStatus,
    PortfolioTarget,
    Quote,
    Rounding,
    Side,
    TargetMode,
    TradingRules,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner import CapitalPolicy
from quant_platform_kit.planner._line import Line
from quant_platform_kit.planner._rounding import Candidate, choose
from quant_platform_kit.planner._sizing import Terms, Wish, size, spare_lot

Planner = Callable[..., OrderPlan]
Quantities = Callable[[OrderPlan], dict[str, Decimal]]
Codes = Callable[[OrderPlan], dict[str, ReasonCode]]
Orders = Callable[..., BrokerOrder]

NOW = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)
ZERO = Decimal(0)


def terms(
    *,
    lot: int | str = 1,
    band: int | str = 0,
    to_edge: bool = False,
    least_trade: int | str = 0,
    least_exit: int | str = 0,
    buy_only: bool = False,
    nearest: bool = True,
) -> Terms:
    return Terms(
        unit_usd=Decimal(1),
        lot_shares=Decimal(lot),
        band_usd=Decimal(band),
        to_edge=to_edge,
        least_trade_usd=Decimal(least_trade),
        least_exit_usd=Decimal(least_exit),
        reserve_usd=ZERO,
        buy_only=buy_only,
        nearest=nearest,
    )


def line(target: int | str, held: int | str = 0, working: int | str = 0) -> Line:
    """Return a symbol at 10 USD with a target in USD."""
    return Line.of(
        Quote("AAA", Decimal(10), NOW),
        PortfolioTarget("AAA", Decimal(target)),
        Decimal(held),
        Decimal(working),
        TradingRules(),
    )


def spare(
    target: int | str, held: int | str, working: int | str = 0, **more: object
) -> Wish | None:
    its = line(target, held, working)
    return spare_lot(its, its.shares, terms(**more))  # type: ignore[arg-type]


# ── The lot that may have to go when cash is short ─────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "held", "lacks"),
    [(126, 13, 6), (120.5, 13, "0.5"), (129.5, 13, "9.5"), (6, 1, 6)],
)
def test_the_last_lot_of_a_holding_above_its_target_could_go(
    target: float, held: int, lacks: int | str
) -> None:
    found = spare(str(target), held)
    assert found is not None
    assert (found.shares, found.rest_usd) == (-1, Decimal(lacks))


@pytest.mark.parametrize(
    ("target", "held"),
    [(130, 13), (131, 13), (120, 13), (119, 13), (5, "0.9")],
    ids=["at its target", "below it", "a lot above", "more than a lot above", "no whole lot"],
)
def test_no_other_holding_has_a_lot_to_give(target: int, held: int | str) -> None:
    assert spare(target, held) is None


def test_a_lot_within_the_band_stays() -> None:
    assert spare(126, 13, band=4) is None
    assert spare(126, 13, band="3.99") is not None


def test_a_lot_too_small_for_an_order_stays() -> None:
    assert spare(126, 13, least_trade=10) is not None
    assert spare(126, 13, least_trade="10.01") is None


def test_a_lot_that_is_being_bought_stays_and_one_beside_a_sale_could_go() -> None:
    assert spare(126, 12, working=1) is None
    assert spare(126, 14, working=-1) is not None


def test_who_only_buys_and_who_only_rounds_down_give_no_lot() -> None:
    assert spare(126, 13, buy_only=True) is None
    assert spare(126, 13, nearest=False) is None


def test_a_spare_lot_of_ten_shares_is_ten_shares() -> None:
    its = Line.of(
        Quote("AAA", Decimal(10), NOW),
        PortfolioTarget("AAA", Decimal(260)),
        Decimal(30),
        ZERO,
        TradingRules(lot_shares=Decimal(10)),
    )
    found = spare_lot(its, Decimal(30), terms(lot=10))
    assert found is not None
    assert (found.shares, found.rest_usd) == (-10, 60)
    assert spare_lot(its, Decimal("9.9"), terms(lot=10)) is None


# ── Sizing ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("least", "shares"), [(10, "0"), ("10.01", None)])
def test_a_lot_for_the_rest_may_be_just_as_large_as_the_smallest_trade(
    least: int | str, shares: str | None
) -> None:
    found = size(line(56, 5), Decimal(5), terms(least_trade=least))
    assert found.shares == 0
    assert (found.rest_usd is None) is (shares is None)


@pytest.mark.parametrize(
    ("least", "code"), [(30, ReasonCode.AT_TARGET), ("30.01", ReasonCode.BELOW_MINIMUM)]
)
def test_an_unwanted_holding_goes_when_it_is_worth_the_brokers_smallest_order(
    least: int | str, code: ReasonCode
) -> None:
    found = size(line(0, 3), Decimal(3), terms(least_exit=least))
    assert found.code is code
    assert found.shares == (-3 if code is ReasonCode.AT_TARGET else 0)


def test_an_unwanted_holding_that_is_none_asks_for_nothing() -> None:
    found = size(line(0), ZERO, terms(buy_only=True, least_exit=50))
    assert (found.shares, found.code) == (0, ReasonCode.AT_TARGET)


def test_who_only_buys_keeps_a_part_of_a_lot_for_that_reason() -> None:
    found = size(line(4, "1.1"), Decimal("1.1"), terms(buy_only=True))
    assert found.code is ReasonCode.BUY_ONLY


def test_a_sale_to_the_bands_edge_is_no_larger_than_the_smallest_that_gets_there() -> None:
    at_the_edge = size(line(100, 20), Decimal(20), terms(band=70, to_edge=True))
    assert at_the_edge.shares == -3
    beyond = size(line(100, 20), Decimal(20), terms(band=69, to_edge=True))
    assert beyond.shares == -4


@pytest.mark.parametrize(
    ("target", "held", "least", "sold", "lacks"),
    [
        ("86", 10, 0, 2, 6),  # two, or one and 6 USD too much
        ("86", 10, 10, 2, 6),  # one is just large enough an order
        ("86", 10, "10.01", 2, None),
        ("76", 10, 20, 3, 6),
        ("76", 10, "20.01", 3, None),
        ("124.999", 13, 0, 1, None),  # there is no smaller sale than one lot
        ("84.995", 10, 0, 2, None),  # 4.995 is not worth a lot and a cent
        ("84.9951", 10, 0, 2, "4.9951"),
        ("80", 10, 0, 2, None),  # to the dollar
    ],
)
def test_a_sale_tells_what_lacks_where_a_lot_less_could_be_sold(
    target: str, held: int, least: int | str, sold: int, lacks: int | str | None
) -> None:
    found = size(line(target, held), Decimal(held), terms(least_trade=least))
    assert found.shares == -sold
    assert found.rest_usd == (None if lacks is None else Decimal(lacks))


def test_who_only_rounds_down_sells_to_the_target_or_below() -> None:
    found = size(line(86, 10), Decimal(10), terms(nearest=False))
    assert (found.shares, found.rest_usd) == (-2, None)


# ── The choice of lots ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exact", [False, True])
def test_of_equal_lots_the_first_is_taken(*, exact: bool) -> None:
    equals = [Candidate(place, Decimal(3), Decimal(2)) for place in range(3)]
    assert choose(equals, Decimal(2), exact=exact) == equals[:1]
    assert choose(equals, Decimal(5), exact=exact) == equals[:2]


@pytest.mark.parametrize("exact", [False, True])
def test_a_lot_that_gains_less_than_a_dollar_is_taken_too(*, exact: bool) -> None:
    small = Candidate(0, Decimal("0.25"), Decimal("0.5"))
    large = Candidate(1, Decimal(9), Decimal(90))
    assert choose([small, large], Decimal("0.5"), exact=exact) == [small]
    assert choose([small, large], Decimal("0.49"), exact=exact) == []


def test_a_cheap_lot_is_not_taken_for_a_free_one() -> None:
    cheap = Candidate(0, Decimal(1), Decimal("0.5"))
    better = Candidate(1, Decimal(9), Decimal(3))
    assert choose([cheap, better], Decimal(3), exact=False) == [better]


def test_ten_wishes_are_weighed_exactly_and_eleven_are_not(
    plan: Planner, quantities: Quantities
) -> None:
    names = [f"S{number:02}" for number in range(11)]
    wishes = dict.fromkeys(names, "9.9") | {"S00": "89.75"}
    quoted = dict.fromkeys(names, 11) | {"S00": 100}
    # Nine of the others fit and gain 79.20 USD; S00 alone gains 79.50, at a lower rate.
    eleven = plan(wishes, mode=TargetMode.VALUE, prices=quoted, cash=100)
    assert "S00" not in quantities(eleven)
    ten = {name: wishes[name] for name in names[:10]}
    assert quantities(plan(ten, mode=TargetMode.VALUE, prices=quoted, cash=100)) == {"S00": 1}


@pytest.mark.parametrize(("cash", "shares"), [("11.99", 0), ("12", 1)])
def test_a_lot_for_the_rest_is_paid_with_head_room_and_the_whole_smallest_fee(
    plan: Planner, quantities: Quantities, cash: str, shares: int
) -> None:
    rules = TradingRules(
        buy_price_buffer_ratio=Decimal("0.1"), fees=FeeModel(minimum_usd=Decimal(1))
    )
    made = plan({"AAA": 9}, mode=TargetMode.VALUE, prices={"AAA": 10}, cash=cash, rules=rules)
    assert quantities(made) == ({"AAA": shares} if shares else {})


# ── The plan ───────────────────────────────────────────────────────────────────────────


def test_a_wish_for_nothing_of_what_is_not_held_needs_no_price(plan: Planner, codes: Codes) -> None:
    made = plan({"AAA": 1, "BBB": 0}, prices={"AAA": 10}, cash=100)
    assert codes(made) == {"BBB": ReasonCode.AT_TARGET}
    assert made.skipped[0].detail == "not held, not wanted"


def test_a_wish_that_fees_leave_short_says_so_with_a_band_to_its_edge(plan: Planner) -> None:
    hints = ExecutionHints(rebalance_threshold_ratio=Decimal("0.05"), band_trades_to=BandGoal.EDGE)
    made = plan(
        {"AAA": 1},
        prices={"AAA": 1},
        cash=1000,
        rules=TradingRules(fees=FeeModel(notional_bps=Decimal(50))),
        hints=hints,
    )
    (leg,) = made.buys
    assert leg.quantity == 995
    assert leg.limited_by is ReasonCode.FEES


def test_a_floor_rounded_lot_within_the_band_says_what_keeps_it(plan: Planner) -> None:
    hints = ExecutionHints(rebalance_threshold_ratio=Decimal("0.05"))
    made = plan(
        {"AAA": "0.5", "BBB": "0.3"},
        prices={"AAA": 1, "BBB": 40},
        cash=1000,
        hints=hints,
        policy=CapitalPolicy(rounding=Rounding.FLOOR),
    )
    reasons = {leg.symbol: leg.limited_by for leg in made.buys}
    assert reasons == {"AAA": None, "BBB": ReasonCode.BELOW_LOT}


@pytest.mark.parametrize("side", list(Side))
def test_what_works_already_is_part_of_the_explanation(
    plan: Planner, order_in: Orders, side: Side
) -> None:
    made = plan(
        {"AAA": 184},
        mode=TargetMode.VALUE,
        prices={"AAA": 10},
        positions={"AAA": 18},
        cash=1000,
        orders=(order_in("AAA", side=side, quantity=1),),
        hints=ExecutionHints(min_trade_usd=Decimal(50)),
    )
    sign = "+" if side is Side.BUY else "-"
    assert made.legs == ()
    assert made.skipped[0].detail.startswith(f"holds 18, {sign}1 on order, exact target 18.4000")


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("status", [status for status in OrderStatus if status.is_final])
def test_an_order_of_ours_that_has_ended_is_neither_shares_nor_cash(
    plan: Planner, order_in: Orders, quantities: Quantities, side: Side, status: OrderStatus
) -> None:
    ended = order_in("AAA", side=side, quantity=5, status=status)
    other = order_in("BBB", side=side, quantity=5, status=status, client_id="other")
    made = plan(
        {"AAA": 200},
        mode=TargetMode.VALUE,
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        positions={"AAA": 5, "BBB": 0},
        cash=50,
        orders=(ended, other),
    )
    assert quantities(made) == {"AAA": 5}
    assert made.reserve_usd == 0


def test_what_somebody_else_sells_pays_for_nothing_of_ours(
    plan: Planner, order_in: Orders, quantities: Quantities
) -> None:
    theirs = order_in("BBB", side=Side.SELL, quantity=5, client_id=None)
    made = plan(
        {"AAA": 100},
        mode=TargetMode.VALUE,
        managed=("AAA", "BBB"),
        prices={"AAA": 10, "BBB": 10},
        positions={"BBB": 5},
        cash=50,
        orders=(theirs,),
    )
    assert quantities(made) == {"AAA": 5}
