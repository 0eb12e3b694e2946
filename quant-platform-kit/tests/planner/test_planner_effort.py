"""Cash for millions of lots is handed out in a few steps, down to the right level.

The lots themselves are held by test_planner_paying.py; these tests hold how they are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.planner._paying import Purchase, _down_to_a_level, _level, afford

FEES = FeeModel(notional_bps=Decimal(5), minimum_usd=Decimal("0.35"))


@dataclass(frozen=True)
class Counted(Purchase):
    """A purchase that counts how often its cost is asked for."""

    asked: list[int]

    def cost_usd(self, lots: int) -> Decimal:
        self.asked[0] += 1
        return Purchase.cost_usd(self, lots)


def purchase(
    shortfall: str | int, price: str | int, lots: int, asked: list[int], least: int = 1
) -> Counted:
    usd = Decimal(price)
    cost = usd * Decimal("1.01")
    return Counted(Decimal(shortfall), usd, lots, least, cost, FEES.rate(cost), FEES, asked)


def effort(book: list[tuple[str | int, str | int, int]], cash: str | int) -> int:
    asked = [0]
    purchases = [purchase(*each, asked) for each in book]
    counts, left = afford(purchases, Decimal(cash), level=True)
    assert left >= 0
    assert any(counts)
    return asked[0]


def test_a_million_lots_are_not_handed_out_one_by_one() -> None:
    assert effort([(1_000_000, 1, 1_000_000), (900_000, 1, 900_000)], 950_000) < 50


def test_lots_of_very_different_worth_are_not_handed_out_one_by_one() -> None:
    book = [(1_000_000, 1, 1_000_000), (800_000, "0.01", 80_000_000), (700_000, 500, 1_400)]
    assert effort(book, 1_200_000) < 1_000


def test_what_a_purchase_leaves_that_does_not_fit_is_not_handed_out_one_by_one() -> None:
    # The second lot of 600,000 does not fit: what it leaves pays for 500,000 lots of a dollar.
    book = [(1_200_000, 600_000, 2), (500_000, 1, 500_000), (499_000, 1, 499_000)]
    assert effort(book, 1_100_000) < 100


def test_when_the_neediest_cannot_be_served_the_others_share_at_a_level_again() -> None:
    # The second of four large lots comes first and does not fit; 494,000 USD are left for others.
    book = [(2_400_000, 600_000, 4), (500_000, 1, 500_000), (499_000, 1, 499_000)]
    assert effort(book, 1_100_000) < 100


usd = st.integers(1, 100_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def distributions(draw: st.DrawFn) -> tuple[list[Purchase], list[int], Decimal]:
    """Draw purchases, what each has been given already, and cash."""
    purchases: list[Purchase] = []
    counts: list[int] = []
    for _ in range(draw(st.integers(1, 5))):
        price, lots = draw(usd), draw(st.integers(1, 300))
        rest = price * draw(st.integers(0, 99)) / 100
        purchases.append(purchase(str(lots * price + rest), str(price), lots, [0]))
        counts.append(draw(st.sampled_from([0, 0, lots // 2])))
    return purchases, counts, draw(usd) * draw(st.sampled_from([1, 30, 900]))


def charged(purchases: list[Purchase], counts: list[int], level: Decimal) -> Decimal:
    """Return what the lots above a level cost: never less than they do."""
    total = Decimal(0)
    for each, count in zip(purchases, counts, strict=True):
        more = min(int((each.shortfall_usd - level) / each.lot_usd), each.lots) - count
        if more > 0:
            unit = each.budget_lot_usd + each.fee_lot_usd
            total += more * unit + each.fees.minimum_usd + Decimal("0.01")
    return total


@given(drawn=distributions())
def test_the_level_is_the_lowest_that_cash_reaches_within_half_a_lot(
    drawn: tuple[list[Purchase], list[int], Decimal],
) -> None:
    purchases, counts, cash = drawn
    level = Decimal(_level(purchases, counts, range(len(purchases)), float(cash)))
    grain = Decimal("0.000001")
    fine = min(each.lot_usd for each in purchases) / 2
    assert charged(purchases, counts, level + grain) <= cash + grain
    lowest = min(each.shortfall_usd - each.lots * each.lot_usd for each in purchases)
    highest = max(each.shortfall_usd for each in purchases)
    assert lowest - grain <= level <= highest + grain
    if level > lowest + fine + grain:
        assert charged(purchases, counts, level - fine - grain) > cash - grain


@given(drawn=distributions())
def test_what_is_handed_out_down_to_the_level_is_paid_for_and_counted(
    drawn: tuple[list[Purchase], list[int], Decimal],
) -> None:
    purchases, before, cash = drawn
    counts = list(before)
    left = _down_to_a_level(purchases, counts, set(range(len(purchases))), cash)
    assert 0 <= left <= cash
    spent = sum(
        each.cost_usd(now) - each.cost_usd(then)
        for each, now, then in zip(purchases, counts, before, strict=True)
    )
    assert cash - left == spent
    assert all(now >= then for now, then in zip(counts, before, strict=True))


def test_without_cash_nothing_is_handed_out_down_to_any_level() -> None:
    counts = [0]
    assert _down_to_a_level([purchase(50, 10, 5, [0])], counts, {0}, Decimal(0)) == 0
    assert counts == [0]


def test_an_order_of_fewer_lots_than_the_broker_takes_is_not_begun_at_the_level() -> None:
    counts = [0, 0]
    asked = [0]
    purchases = [purchase(100, 10, 10, asked), purchase(50, 10, 5, asked, least=5)]
    _down_to_a_level(purchases, counts, {0, 1}, Decimal(75))
    assert counts[1] == 0
    assert counts[0] >= 4
