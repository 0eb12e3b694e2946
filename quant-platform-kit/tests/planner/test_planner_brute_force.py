"""The lots of up to five symbols against every combination of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.contracts import FeeModel, OrderPlan, Side, TargetMode, TradingRules

Planner = Callable[..., OrderPlan]

ZERO = Decimal(0)
NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")

prices = st.integers(1, 2_000).map(lambda n: Decimal(n) / 10)
fees = st.sampled_from(
    [
        FeeModel(),
        FeeModel(minimum_usd=Decimal(1)),
        FeeModel(notional_bps=Decimal(20)),
        FeeModel(per_share_usd=Decimal("0.5"), minimum_usd=Decimal("0.35")),
    ]
)


def misfit_usd(
    shares: Sequence[Decimal],
    held: Mapping[str, int],
    wishes: Mapping[str, Decimal],
    quoted: Mapping[str, Decimal],
    charged: FeeModel,
) -> tuple[Decimal, Decimal]:
    """Return the dollars off target plus fees, and the cash that the trades take."""
    off = cash = ZERO
    for symbol, after in zip(wishes, shares, strict=True):
        traded = after - held[symbol]
        fee = charged.fee(abs(traded), quoted[symbol]) if traded else ZERO
        off += abs(wishes[symbol] - after * quoted[symbol]) + fee
        cash += traded * quoted[symbol] + fee
    return off, cash


@given(
    wishes=st.dictionaries(
        st.sampled_from(NAMES), st.integers(1, 20_000).map(lambda n: Decimal(n) / 10), min_size=1
    ),
    quoted=st.lists(prices, min_size=5, max_size=5),
    owned=st.lists(st.integers(0, 40), min_size=5, max_size=5),
    cash=st.integers(1, 60_000).map(lambda n: Decimal(n) / 10),
    charged=fees,
)
def test_no_combination_of_lots_comes_closer_for_the_cash(
    plan: Planner,
    wishes: dict[str, Decimal],
    quoted: list[Decimal],
    owned: list[int],
    cash: Decimal,
    charged: FeeModel,
) -> None:
    """Each symbol at its target rounded down or up: the least dollars off target, and fees."""
    price = dict(zip(NAMES, quoted, strict=True))
    held = dict(zip(sorted(wishes), owned, strict=False))
    made = plan(
        wishes,
        mode=TargetMode.VALUE,
        prices=price,
        positions=held,
        cash=cash,
        rules=TradingRules(fees=charged),
    )
    choices = [
        (wish // price[symbol], wish // price[symbol] + (1 if wish % price[symbol] else 0))
        for symbol, wish in wishes.items()
    ]
    down = [fewer for fewer, _ in choices]
    if misfit_usd(down, held, wishes, price, charged)[1] > cash:
        return  # not even the whole lots are paid for: test_planner_paying.py
    after = {symbol: Decimal(held[symbol]) for symbol in wishes}
    for leg in made.legs:
        after[leg.symbol] += leg.quantity if leg.side is Side.BUY else -leg.quantity
    reached = tuple(after.values())
    assert all(lots in choice for lots, choice in zip(reached, choices, strict=True))
    off, needed = misfit_usd(reached, held, wishes, price, charged)
    assert needed <= cash
    assert off == min(
        other
        for lots in product(*map(set, choices))
        for other, cost in [misfit_usd(lots, held, wishes, price, charged)]
        if cost <= cash
    )
