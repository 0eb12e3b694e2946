"""How far cash goes: lot by lot to the largest shortfall, or one purchase after the other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.planner._paying import Purchase, afford, least_lots, short_of

ZERO = Decimal(0)
FREE = FeeModel()


def purchase(
    shortfall: int | str,
    price: int | str,
    lots: int,
    *,
    least: int = 1,
    fees: FeeModel = FREE,
    room: str = "1",
) -> Purchase:
    cost = Decimal(price) * Decimal(room)
    return Purchase(Decimal(shortfall), Decimal(price), lots, least, cost, fees.rate(cost), fees)


def one_by_one(purchases: list[Purchase], cash: Decimal) -> list[int]:
    """Hand out lots literally as the rule says."""
    counts = [0] * len(purchases)
    over = {place for place, each in enumerate(purchases) if each.lots < each.least_lots}
    while True:
        queue = []
        for place, each in enumerate(purchases):
            lots = counts[place] + 1 if counts[place] else each.least_lots
            if place not in over and lots <= each.lots:
                queue.append((lots * each.lot_usd - each.shortfall_usd, place, lots))
        if not queue:
            return counts
        _, place, lots = min(queue)
        extra = purchases[place].cost_usd(lots) - purchases[place].cost_usd(counts[place])
        if extra <= cash:
            cash -= extra
            counts[place] = lots
        else:
            over.add(place)


usd = st.integers(1, 300_000).map(lambda n: Decimal(n) / 100)
charged = st.builds(
    FeeModel,
    per_share_usd=st.sampled_from([ZERO, Decimal("0.0049")]),
    notional_bps=st.sampled_from([ZERO, Decimal(7)]),
    minimum_usd=st.sampled_from([ZERO, Decimal("0.35"), Decimal(3)]),
)


@st.composite
def wanted(draw: st.DrawFn, most: int = 6) -> list[Purchase]:
    fees = draw(charged)
    made = []
    for _ in range(draw(st.integers(1, most))):
        price = draw(st.one_of(usd, st.integers(1, 500).map(lambda n: Decimal(n) / 100)))
        lots = draw(st.integers(1, 40))
        rest = price * draw(st.integers(-9, 99)) / 100  # a lot more than the target, or a rest
        made.append(
            Purchase(
                lots * price + rest,
                price,
                lots,
                draw(st.sampled_from([1, 1, min(3, lots)])),
                price * Decimal("1.01"),
                fees.rate(price * Decimal("1.01")),
                fees,
            )
        )
    return made


def spent(purchases: list[Purchase], counts: list[int]) -> Decimal:
    return sum((p.cost_usd(n) for p, n in zip(purchases, counts, strict=True)), ZERO)


@given(purchases=wanted(), cash=usd)
def test_the_quick_way_gives_exactly_the_lots_of_the_literal_rule(
    purchases: list[Purchase], cash: Decimal
) -> None:
    counts, left = afford(purchases, cash, level=True)
    assert counts == one_by_one(purchases, cash)
    assert left == cash - spent(purchases, counts)


@given(purchases=wanted(), cash=usd, level=st.booleans())
def test_no_more_than_cash_is_spent_and_no_further_lot_fits(
    purchases: list[Purchase], cash: Decimal, *, level: bool
) -> None:
    counts, left = afford(purchases, cash, level=level)
    assert left >= 0
    for each, lots in zip(purchases, counts, strict=True):
        assert lots == 0 or each.least_lots <= lots <= each.lots
        following = max(lots + 1, each.least_lots)
        if following <= each.lots:
            assert each.cost_usd(following) - each.cost_usd(lots) > left


@given(purchases=wanted(), cash=usd, more=usd, level=st.booleans())
def test_more_cash_never_buys_for_less(
    purchases: list[Purchase], cash: Decimal, more: Decimal, *, level: bool
) -> None:
    less, _ = afford(purchases, cash, level=level)
    rich, _ = afford(purchases, cash + more, level=level)
    assert spent(purchases, less) <= spent(purchases, rich)


@given(purchases=wanted(), cash=usd, done=st.sets(st.integers(0, 5)))
def test_what_is_paid_for_already_leaves_the_others_their_lots(
    purchases: list[Purchase], cash: Decimal, done: set[int]
) -> None:
    counts, _ = afford(purchases, cash, level=True)
    paid = [place for place in range(len(purchases)) if place in done]
    left = cash - sum((purchases[place].cost_usd(counts[place]) for place in paid), ZERO)
    others = [place for place in range(len(purchases)) if place not in done]
    again, _ = afford([purchases[place] for place in others], left, level=True)
    assert again == [counts[place] for place in others]


def test_a_want_of_cash_is_shared_by_the_symbols_that_lack_most() -> None:
    three = [purchase(1000, 10, 100), purchase(900, 10, 90), purchase(100, 10, 10)]
    counts, left = afford(three, Decimal(1000), level=True)
    assert (counts, left) == ([55, 45, 0], 0)


def test_equals_are_served_in_their_order() -> None:
    two = [purchase(30, 10, 3), purchase(30, 10, 3)]
    assert afford(two, Decimal(30), level=True)[0] == [2, 1]


def test_a_purchase_whose_next_lot_does_not_fit_leaves_cash_to_the_others() -> None:
    counts, left = afford([purchase(500, 100, 5), purchase(20, 9, 2)], Decimal(240), level=True)
    assert (counts, left) == ([2, 2], 22)


def test_one_after_the_other_each_takes_what_it_can() -> None:
    three = [purchase(1000, 10, 100), purchase(900, 10, 90), purchase(15, 5, 3)]
    counts, left = afford(three, Decimal(1016), level=False)
    assert (counts, left) == ([100, 1, 1], 1)


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("cash", [0, -5, 9])
def test_without_cash_for_a_lot_nothing_is_bought(cash: int, *, level: bool) -> None:
    assert afford([purchase(50, 10, 5)], Decimal(cash), level=level) == ([0], cash)


@pytest.mark.parametrize("level", [False, True])
def test_what_is_paid_for_to_the_cent_is_bought_whole(*, level: bool) -> None:
    two = [purchase(50, 10, 5, fees=FeeModel(minimum_usd=Decimal(1))), purchase(20, 20, 1)]
    assert afford(two, Decimal(71), level=level) == ([5, 1], 0)
    assert afford(two, Decimal("70.99"), level=level)[0] != [5, 1]


def test_an_order_starts_with_as_many_lots_as_the_broker_takes() -> None:
    counts, left = afford(
        [purchase(100, 10, 10), purchase(90, 10, 9, least=5)], Decimal(80), level=True
    )
    assert (counts, left) == ([8, 0], 0)
    counts, left = afford(
        [purchase(100, 10, 10), purchase(90, 10, 9, least=5)], Decimal(110), level=True
    )
    assert (counts, left) == ([6, 5], 0)


def test_head_room_and_fee_are_part_of_the_cost() -> None:
    each = purchase(500, 100, 5, fees=FeeModel(notional_bps=Decimal(10)), room="1.1")
    assert each.cost_usd(0) == 0
    assert each.cost_usd(2) == Decimal("220.22")


def test_a_great_difference_in_prices_is_no_great_effort() -> None:
    """A share of 600,000 USD that does not fit leaves cash for millions of others."""
    purchases = [
        purchase(1_200_000, 600_000, 2),
        purchase(400_000, "0.01", 40_000_000),
        *(purchase(100_000, "4.99", 20_000) for _ in range(50)),
    ]
    counts, left = afford(purchases, Decimal(1_100_000), level=True)
    assert counts[0] == 1
    assert left < Decimal("0.01")


@pytest.mark.parametrize(
    ("minimum", "lot", "lots"), [(0, 10, 1), (5, 10, 1), (10, 10, 1), (11, 10, 2), (20, 10, 2)]
)
def test_the_fewest_lots_are_worth_the_smallest_order(minimum: int, lot: int, lots: int) -> None:
    assert least_lots(Decimal(lot), Decimal(minimum)) == lots


def test_a_debit_reads_as_nothing_left() -> None:
    assert short_of(Decimal("12.3"), Decimal(-3)) == (
        "12.30 USD needed with head room and fee, 0.00 left"
    )
