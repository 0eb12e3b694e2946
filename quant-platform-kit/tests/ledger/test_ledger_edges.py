"""The edges of the ledger's rules: exactly at each tolerance, and where there is nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from quant_platform_kit.contracts import PortfolioSnapshot, Side
from quant_platform_kit.errors import ReconciliationError
from quant_platform_kit.ledger import (
    UNMANAGED,
    Kind,
    Ledger,
    Locks,
    Reconciliation,
    Tolerances,
    Transaction,
    performance,
    reconcile,
    verify,
)
from quant_platform_kit.store import Store

BUY, SELL = Side.BUY, Side.SELL
Trade = Callable[..., None]
Holds = Callable[..., PortfolioSnapshot]
Give = Callable[[str], None]
OWNERS = {"AAA": "a", "BBB": "a"}
DAYS = [date(2020, 3, day) for day in (2, 3, 4, 5)]


def prices(**usd: str) -> dict[str, Decimal]:
    return {symbol: Decimal(price) for symbol, price in usd.items()}


def held(ledger: Ledger) -> dict[tuple[str, str], tuple[int, Decimal]]:
    return {(h.sleeve, h.symbol): (int(h.quantity), h.cost_usd) for h in ledger.holdings()}


@pytest.fixture
def give(ledger: Ledger, trade: Trade) -> Give:
    """Return a function that gives sleeve `a` capital."""
    trade("warm-up", BUY, "1", symbol="ZZZ")
    at = ledger.transactions("warm-up")[0].at

    def transfer(usd: str) -> None:
        for sleeve, sign in (("a", 1), (UNMANAGED, -1)):
            amount = sign * Decimal(usd)
            ledger.post([Transaction(at, sleeve, Kind.TRANSFER, amount_usd=amount)])

    return transfer


# ── Capital ────────────────────────────────────────────────────────────────────────────


def test_the_price_of_what_another_sleeve_holds_is_not_needed(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10")
    trade("b", BUY, "1", symbol="BBB")
    ledger.fund({"a": Decimal(300)}, prices(AAA="10"), at=ledger.transactions("a")[0].at)
    assert ledger.cash()["a"] == 200
    assert ledger.cash()["b"] == -10


def test_capital_that_is_there_already_moves_nothing(ledger: Ledger, trade: Trade) -> None:
    trade("a", BUY, "10")
    at = ledger.transactions("a")[0].at
    for _ in range(2):
        ledger.fund({"a": Decimal(300)}, prices(AAA="10"), at=at, run_key=None)
    assert [t.kind for t in ledger.transactions("a")] == [Kind.BUY, Kind.TRANSFER]
    assert [t.amount_usd for t in ledger.transactions(UNMANAGED)] == [-300]


# ── Performance ────────────────────────────────────────────────────────────────────────


def test_days_on_which_a_sleeve_has_nothing_have_no_return(
    ledger: Ledger, store: Store, give: Give
) -> None:
    give("1000")
    ledger.close_day(DAYS[0], {})
    give("-1000")
    for day in DAYS[1:]:
        ledger.close_day(day, {})
    found = performance(store, "a")
    assert found is not None
    assert (found.session, found.equity_usd) == (DAYS[3], 0)
    assert (found.return_ratio, found.max_drawdown_ratio, found.sharpe) == (0.0, 0.0, None)


def test_a_sleeve_that_was_never_given_anything_has_no_return(
    ledger: Ledger, store: Store, trade: Trade
) -> None:
    trade("a", BUY, "1", "100")
    ledger.close_day(DAYS[0], prices(AAA="100"))
    found = performance(store, "a")
    assert found is not None
    assert (found.return_ratio, found.max_drawdown_ratio, found.sharpe) == (None, None, None)


def test_the_first_day_alone_has_a_return_and_no_deviation(
    ledger: Ledger, store: Store, give: Give, trade: Trade
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    ledger.close_day(DAYS[0], prices(AAA="90"))
    found = performance(store, "a")
    assert found is not None
    assert found.return_ratio == pytest.approx(-0.1)
    assert found.max_drawdown_ratio == pytest.approx(-0.1)
    assert found.sharpe is None


def test_two_days_are_enough_for_a_deviation(
    ledger: Ledger, store: Store, give: Give, trade: Trade
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    ledger.close_day(DAYS[0], prices(AAA="100"))
    ledger.close_day(DAYS[1], prices(AAA="110"))
    found = performance(store, "a")
    assert found is not None
    # Half of 10 %, by the deviation of 0 and 10 %, on 252 days a year.
    assert found.sharpe == pytest.approx(0.05 / (0.1 / 2**0.5) * 252**0.5)


def test_a_sale_without_a_gain_is_no_win(
    ledger: Ledger, store: Store, give: Give, trade: Trade
) -> None:
    give("1000")
    trade("a", BUY, "3", "100")
    for price in ("100", "99", "101"):
        trade("a", SELL, "1", price)
    ledger.close_day(DAYS[0], {})
    found = performance(store, "a")
    assert found is not None
    assert found.win_rate == pytest.approx(1 / 3)


def test_a_drawdown_is_from_the_highest_point_not_from_the_beginning(
    ledger: Ledger, store: Store, give: Give, trade: Trade
) -> None:
    give("1000")
    trade("a", BUY, "10", "100")
    for day, price in zip(DAYS, ("100", "200", "150", "190"), strict=True):
        ledger.close_day(day, prices(AAA=price))
    found = performance(store, "a")
    assert found is not None
    assert found.max_drawdown_ratio == pytest.approx(-0.25)


# ── Reconciliation ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def look(store: Store) -> Callable[..., Reconciliation]:
    """Return a function that reconciles; by default sleeve `a` manages AAA and BBB."""

    def compare(account: PortfolioSnapshot, owners: object = OWNERS, **more: object) -> object:
        tolerant = Tolerances(unexplained_ratio=Decimal(10))
        return reconcile(store, account, owners, **{"tolerances": tolerant} | more)  # type: ignore[arg-type]

    return compare  # type: ignore[return-value]


Look = Callable[..., Reconciliation]


@pytest.mark.parametrize(
    ("cash_usd", "noted"), [("951", False), ("951.01", True), ("949", False), ("948.99", True)]
)
def test_equity_may_be_off_by_the_tolerance_on_either_side(
    holds: Holds, look: Look, cash_usd: str, *, noted: bool
) -> None:
    account = holds(AAA=5, cash_usd=cash_usd, equity_usd="1000")
    notes = look(account, prices_usd=prices(AAA="10")).notes
    assert any("equity" in note for note in notes) is noted


def test_equity_is_not_judged_without_every_price(holds: Holds, look: Look) -> None:
    account = holds(AAA=5, BBB=1, equity_usd="5000")
    assert not any("equity" in note for note in look(account, prices_usd=prices(AAA="1")).notes)


def test_half_of_the_holdings_may_be_unexplained_and_no_more(store: Store, holds: Holds) -> None:
    quoted = prices(AAA="10", BBB="10")
    reconcile(store, holds(AAA=50, BBB=50), OWNERS, prices_usd=quoted)
    assert reconcile(store, holds(BBB=50), OWNERS, prices_usd=quoted).locked
    with pytest.raises(ReconciliationError, match="51% of the managed"):
        reconcile(store, holds(BBB=49), OWNERS, prices_usd=quoted)


def test_shares_that_came_unexplained_count_with_what_the_broker_holds(
    store: Store, holds: Holds
) -> None:
    quoted = prices(AAA="10", BBB="10")
    reconcile(store, holds(AAA=40, BBB=10), OWNERS, prices_usd=quoted)
    # 60 of 110 came from nowhere: 55 % of what is held now, 120 % of what was.
    with pytest.raises(ReconciliationError, match="55% of the managed"):
        reconcile(store, holds(AAA=100, BBB=10), OWNERS, prices_usd=quoted)


def test_what_has_no_price_counts_at_what_a_share_cost(store: Store, holds: Holds) -> None:
    reconcile(store, holds(AAA=10, BBB=10), OWNERS, prices_usd=prices(AAA="30", BBB="10"))
    with pytest.raises(ReconciliationError, match="75% of the managed"):
        reconcile(store, holds(BBB=10), OWNERS, prices_usd=prices(BBB="10"))


def test_another_sleeves_shares_stay_with_it_while_it_is_present(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("b", BUY, "5")
    look(holds(AAA=5), sleeves={"b"})
    assert held(ledger) == {("b", "AAA"): (5, Decimal(50))}
    look(holds(AAA=5))
    assert held(ledger) == {("a", "AAA"): (5, Decimal(50))}


def test_a_doubled_holding_that_was_paid_for_is_a_purchase_by_hand(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    for number, (cash_usd, split) in enumerate(
        [("9500", False), ("9749", False), ("9751", True), ("9250", True), ("9251", False)]
    ):
        symbol = f"S{number}"
        owners = {symbol: "a"}
        look(holds(cash_usd="10000", **{symbol: 10}), owners, accepted={symbol})
        ledger.close_day(DAYS[0], prices(**{symbol: "100"}))
        account = holds(cash_usd=cash_usd, **{symbol: 20})
        found = look(account, owners, prices_usd=prices(**{symbol: "50"}))
        assert (found.locked == {}) is split, cash_usd
        look(holds(cash_usd="10000", **{symbol: 20}), owners, accepted={symbol})


def test_what_was_no_split_when_it_came_up_does_not_become_one(
    ledger: Ledger, store: Store, holds: Holds, look: Look
) -> None:
    look(holds(AAA=10), prices_usd=prices(AAA="100"))
    ledger.close_day(DAYS[0], prices(AAA="100"))
    assert look(holds(AAA=20), prices_usd=prices(AAA="100")).locked
    assert look(holds(AAA=20), prices_usd=prices(AAA="50")).locked
    assert Locks(store).all().keys() == {"AAA"}
    assert held(ledger)["a", "AAA"][0] == 10


def test_a_split_keeps_what_the_shares_cost_and_realises_nothing(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=10), prices_usd=prices(AAA="100"))
    ledger.close_day(DAYS[0], prices(AAA="100"))
    look(holds(AAA=20), prices_usd=prices(AAA="50"))
    assert held(ledger) == {("a", "AAA"): (20, Decimal(1000))}
    last = ledger.transactions("a")[-1]
    assert (last.kind, last.quantity, last.cost_usd, last.realised_usd) == (Kind.SPLIT, 10, 0, 0)


def test_shares_that_an_operator_explains_come_at_their_price_and_go_at_their_cost(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=10), prices_usd=prices(AAA="10"))
    look(holds(AAA=12), accepted={"AAA"}, prices_usd=prices(AAA="40"))
    assert held(ledger) == {("a", "AAA"): (12, Decimal(180))}
    look(holds(AAA=8), accepted={"AAA"}, prices_usd=prices(AAA="40"))
    assert held(ledger) == {("a", "AAA"): (8, Decimal(120))}


@pytest.mark.parametrize(("cash_usd", "agrees"), [("999", True), ("1001", True), ("998.99", False)])
def test_cash_after_trading_may_be_off_by_the_tolerance(
    ledger: Ledger, holds: Holds, look: Look, cash_usd: str, *, agrees: bool
) -> None:
    look(holds(AAA=5))
    if agrees:
        verify(ledger, holds(AAA=5, cash_usd=cash_usd), OWNERS)
    else:
        with pytest.raises(ReconciliationError, match="cash"):
            verify(ledger, holds(AAA=5, cash_usd=cash_usd), OWNERS)
        verify(
            ledger,
            holds(AAA=5, cash_usd=cash_usd),
            OWNERS,
            tolerances=Tolerances(cash_usd=Decimal(2)),
        )


def test_an_account_without_a_dollar_and_a_share_was_looked_at_too(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(cash_usd="0", equity_usd="1"))
    assert not ledger.is_new()
    assert look(holds(cash_usd="0", equity_usd="1", AAA=5)).locked.keys() == {"AAA"}


def test_what_an_absent_sleeve_held_is_unmanaged_once_a_person_trades_it(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("gone", BUY, "5", symbol="ZZZ")
    look(holds(ZZZ=5))
    assert held(ledger) == {("gone", "ZZZ"): (5, Decimal(50))}
    look(holds(ZZZ=3))
    assert held(ledger) == {(UNMANAGED, "ZZZ"): (3, Decimal(30))}
    came, went = ledger.transactions(UNMANAGED)[-2:]
    assert (came.kind, came.quantity, went.quantity) == (Kind.TRANSFER, 5, -2)


def test_who_is_left_without_a_share_by_a_split_loses_what_it_cost(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("a", BUY, "5", "30")
    trade("b", BUY, "1", "30")
    cash = str(sum(ledger.cash().values()) + 2000)
    both = OWNERS | {"CCC": "b"}
    look(holds(AAA=6, cash_usd=cash), both, prices_usd=prices(AAA="30"))
    ledger.close_day(DAYS[0], prices(AAA="30"))
    look(holds(AAA=1, cash_usd=cash), both, prices_usd=prices(AAA="150"))
    lost = ledger.transactions("b")[-1]
    assert (lost.quantity, lost.cost_usd, lost.realised_usd) == (-1, -30, -30)
    kept = ledger.transactions("a")[-1]
    assert (kept.quantity, kept.cost_usd, kept.realised_usd) == (-4, 0, 0)
