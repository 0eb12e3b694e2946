"""The steps of sizing one by one: the capital it starts from, what is asked, what competes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import FeeModel, PortfolioTarget, Quote, TradingRules
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.planner._line import Line
from quant_platform_kit.planner._rounding import Candidate
from quant_platform_kit.planner._sizing import Terms, Wish
from quant_platform_kit.planner._steady import (
    Book,
    _ask,
    _candidates,
    _fill,
    _first_base,
    _is_still,
    _spare_lots,
    steady,
)

NOW = datetime(2020, 3, 31, 19, 45, tzinfo=UTC)
ZERO, BASE = Decimal(0), Decimal(1000)
RULES = TradingRules(fees=FeeModel(notional_bps=Decimal(100)))


def book(
    symbols: Mapping[str, tuple[str, str]],
    *,
    cash: int | str = 1000,
    band: str = "0",
    charged: bool = True,
    least_trade: int | str = 0,
    reserve: int = 0,
    expected: int = 0,
    rules: TradingRules = RULES,
    left: int | None = None,
) -> Book:
    """Return a book at 10 USD a share: weight and shares held of each symbol."""

    def terms(base_usd: Decimal) -> Terms:
        return Terms(
            unit_usd=base_usd,
            lot_shares=rules.lot_shares,
            band_usd=Decimal(band) * base_usd,
            to_edge=False,
            least_trade_usd=Decimal(least_trade),
            least_exit_usd=ZERO,
            reserve_usd=Decimal(reserve),
            buy_only=False,
            nearest=True,
        )

    def base_after(_cash_usd: Decimal, fees_usd: Decimal) -> Decimal:
        return BASE - fees_usd if left is None else Decimal(left)

    return Book(
        lines=[
            Line.of(
                Quote(symbol, Decimal(10), NOW),
                PortfolioTarget(symbol, Decimal(weight)),
                Decimal(held),
                ZERO,
                rules,
            )
            for symbol, (weight, held) in symbols.items()
        ],
        cash_usd=Decimal(cash),
        expected_usd=Decimal(expected),
        rules=rules,
        terms=terms,
        base_usd=BASE,
        base_after=base_after if charged else None,
    )


MOVING = {"AAA": ("0.3", "0")}  # 300 USD to buy: 3 USD


@pytest.mark.parametrize(
    ("others", "fees"),
    [
        ({}, "3"),
        ({"BBB": ("0.2", "30")}, "4"),  # 100 USD to sell
        ({"BBB": ("0", "10")}, "4"),
        ({"BBB": ("0", "0.3")}, "3.03"),  # what is not wanted goes, however little it is
        ({"BBB": ("0.105", "10")}, "3"),  # half a lot away
        ({"BBB": ("0.095", "10")}, "3"),
        ({"BBB": ("0.1051", "10")}, "3.06"),  # 5.10 USD away: 5.1 cents, rounded up
        ({"BBB": ("0.0949", "10")}, "3.06"),
        ({"BBB": ("0.0051", "0")}, "3.06"),
    ],
)
def test_every_target_that_is_more_than_half_a_lot_away_pays_its_fee(
    others: dict[str, tuple[str, str]], fees: str
) -> None:
    assert _first_base(book(MOVING | others)) == BASE - Decimal(fees)


@pytest.mark.parametrize(
    ("weight", "held", "fees"),
    [("0.15", "10", "3"), ("0.1501", "10", "3.51"), ("0.05", "10", "3"), ("0.04", "0", "3.4")],
    ids=["on the band's edge", "outside it", "on its other edge", "not held"],
)
def test_a_holding_within_its_band_pays_no_fee(weight: str, held: str, fees: str) -> None:
    found = _first_base(book(MOVING | {"BBB": (weight, held)}, band="0.05"))
    assert found == BASE - Decimal(fees)


def test_where_fees_do_not_count_the_whole_capital_is_sized_for() -> None:
    assert _first_base(book(MOVING, charged=False)) == BASE


@pytest.mark.parametrize("left", [0, -5])
def test_fees_that_would_take_everything_are_left_out_of_the_beginning(left: int) -> None:
    assert _first_base(book(MOVING, left=left)) == BASE
    assert _first_base(book(MOVING, left=1)) == 1


def still(symbols: dict[str, tuple[str, str]], **more: object) -> bool:
    made = book(symbols, **more)  # type: ignore[arg-type]
    return _is_still(made, made.terms(BASE))


def test_a_sale_or_a_purchase_that_cash_pays_for_ends_the_rest() -> None:
    assert not still({"AAA": ("0.1", "20")}, cash=0)
    assert not still({"AAA": ("0.3", "0")}, cash="10.10")  # one share and its fee


def test_without_cash_for_a_single_lot_nothing_moves() -> None:
    assert still({"AAA": ("0.3", "0")}, cash="10.09")
    assert still({"AAA": ("0.3", "30")}, cash=1000)
    assert still({}, cash=1000)


def test_the_reserve_pays_for_nothing_and_expected_proceeds_do() -> None:
    assert still({"AAA": ("0.3", "0")}, cash=100, reserve=90)
    assert not still({"AAA": ("0.3", "0")}, cash=100, reserve=89)
    assert not still({"AAA": ("0.3", "0")}, cash=0, expected=11)
    assert still({"AAA": ("0.3", "0")}, cash=0, expected=10)


def test_the_smallest_order_must_be_paid_for_before_anything_moves() -> None:
    assert still({"AAA": ("0.3", "0")}, cash=50, least_trade=50)
    assert not still({"AAA": ("0.3", "0")}, cash="50.50", least_trade=50)


def test_a_lot_for_a_rest_alone_is_movement_too() -> None:
    assert not still({"AAA": ("0.108", "10")}, cash=50)
    assert still({"AAA": ("0.108", "10")}, cash=10)


def test_a_lot_of_ten_shares_is_paid_for_whole() -> None:
    tens = TradingRules(lot_shares=Decimal(10), fees=RULES.fees)
    assert still({"AAA": ("0.3", "0")}, cash=100, rules=tens)
    assert not still({"AAA": ("0.3", "0")}, cash=101, rules=tens)


def asked(symbols: dict[str, tuple[str, str]], cash: int | str, **more: object) -> list[Decimal]:
    made = book(symbols, **more)  # type: ignore[arg-type]
    held = [line.shares for line in made.lines]
    return [wish.shares for wish in _ask(made, held, made.terms(BASE), Decimal(cash))]


def test_sales_pay_for_purchases_at_the_first_asking() -> None:
    swap = {"AAA": ("0", "50"), "BBB": ("0.49", "0")}
    # 500 less 5 for 490 and 4.90: ten cents stay.
    assert asked(swap, 0) == [-50, 49]
    assert asked(swap, "-0.10") == [-50, 49]
    assert asked(swap, "-0.11") == [-50, 48]


def test_a_spare_lot_goes_when_what_it_brings_makes_a_purchase_whole() -> None:
    both = {"AAA": ("0.126", "13"), "BBB": ("0.1", "0")}
    # BBB takes 101 USD; the last lot of AAA, 4 USD too many, brings 9.90.
    assert asked(both, "91.10") == [-1, 10]
    assert asked(both, "91.09") == [0, 9]
    assert asked(both, "101") == [0, 10]
    assert asked(both, "100.99") == [-1, 10]


def test_what_sales_will_bring_pays_and_the_reserve_does_not() -> None:
    wish = {"AAA": ("0.1", "0")}
    assert asked(wish, 0, expected=101) == [10]
    assert asked(wish, 0, expected=100) == [9]
    assert asked(wish, 201, reserve=100) == [10]
    assert asked(wish, 200, reserve=100) == [9]


ROOM = TradingRules(fees=RULES.fees, buy_price_buffer_ratio=Decimal("0.1"))


def offered(shares: int, rest: str | None, rules: TradingRules = RULES) -> list[Candidate]:
    made = book({"AAA": ("0.3", "30")}, rules=rules)
    missing = None if rest is None else Decimal(rest)
    wish = Wish(Decimal(shares), missing, ReasonCode.AT_TARGET)
    return _candidates(made.lines, [wish], [0], made.terms(BASE))


@pytest.mark.parametrize(
    ("shares", "rules", "cost"),
    [
        (0, RULES, "10.10"),
        (5, RULES, "10.10"),
        (-3, RULES, "9.90"),  # two sold instead of three: a lot kept, and its fee saved
        (0, ROOM, "11.11"),
        (5, ROOM, "11.11"),
        (-3, ROOM, "9.90"),  # what is kept needs no head room
    ],
)
def test_a_lot_costs_its_price_with_head_room_and_what_it_adds_to_the_fee(
    shares: int, rules: TradingRules, cost: str
) -> None:
    (found,) = offered(shares, "8", rules)
    fee = Decimal("-0.10") if shares < 0 else Decimal("0.10")
    assert found == Candidate(0, 16 - 10 - fee, Decimal(cost))


def test_a_lot_must_gain_something_beyond_its_fee() -> None:
    assert offered(0, "5.05") == []
    assert offered(0, "5.06")
    assert offered(-3, "4.95") == []
    assert offered(-3, "4.96")
    assert offered(3, None) == []


@pytest.mark.parametrize(("fee", "spare"), [("9.99", {0}), ("10", set()), ("10.01", set())])
def test_a_spare_lot_must_bring_more_than_its_sale_costs(fee: str, spare: set[int]) -> None:
    rules = TradingRules(fees=FeeModel(minimum_usd=Decimal(fee)))
    made = book({"AAA": ("0.126", "13"), "BBB": ("0.126", "12")}, rules=rules)
    still = Wish(ZERO, None, ReasonCode.AT_TARGET)
    found = _spare_lots(made.lines, [Decimal(13), Decimal(12)], [still] * 2, made.terms(BASE))
    assert found.keys() == spare
    sold = Wish(Decimal(-1), None, ReasonCode.AT_TARGET)
    assert not _spare_lots(made.lines, [Decimal(13), Decimal(12)], [sold] * 2, made.terms(BASE))


@pytest.mark.parametrize(
    ("before", "wish", "after"),
    [(10, 4, 10), (10, 5, 15), (12, 4, 16), (12, 2, 10), (10, -4, 10), (10, -5, 5), (10, 0, 10)],
)
def test_what_comes_to_less_than_the_smallest_order_is_not_filled(
    before: int, wish: int, after: int
) -> None:
    rules = TradingRules(minimum_notional_usd=Decimal(50))
    made = book({"AAA": ("0.3", "10")}, rules=rules)
    asks = [Wish(Decimal(wish), None, ReasonCode.AT_TARGET)]
    assert _fill(made, [Decimal(before)], asks) == [after]
    every = book({"AAA": ("0.3", "10")})
    assert _fill(every, [Decimal(before)], asks) == [before + wish]


def test_where_nothing_moves_the_whole_capital_is_sized_for() -> None:
    end = steady(book({"AAA": ("0.3", "0")}, cash=10))
    assert end.sized_on_usd == BASE
    assert end.fees_usd == 0
    assert end.shares == [0]


def test_lots_are_sized_for_the_capital_that_their_own_fees_leave() -> None:
    end = steady(book({"AAA": ("0.5", "0"), "BBB": ("0.5", "0")}))
    # For 990 both want 49.5 shares, and 98 of them leave 990.20: more than half a share lacks.
    assert end.sized_on_usd == Decimal("990.20")
    assert end.shares == [50, 49]
    assert (end.fees_usd, end.cash_usd) == (Decimal("9.90"), Decimal("0.10"))


def test_head_room_that_was_set_aside_is_counted() -> None:
    rules = TradingRules(
        fees=FeeModel(notional_bps=Decimal(100)), buy_price_buffer_ratio=Decimal("0.1")
    )
    end = steady(book({"AAA": ("0.5", "0"), "BBB": ("0", "10")}, rules=rules))
    assert end.shares == [50, 0]
    assert end.room_usd == Decimal("50.50")  # of 50 shares a dollar each, and its fee
