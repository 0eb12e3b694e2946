"""Broker truth against the ledger: what is adopted, what is copied, locked, and what stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from quant_platform_kit.contracts import Fill, PortfolioSnapshot, Side
from quant_platform_kit.errors import ReasonCode, ReconciliationError
from quant_platform_kit.ledger import (
    UNMANAGED,
    Kind,
    Ledger,
    Locks,
    Reconciliation,
    Tolerances,
    reconcile,
    results_now,
    verify,
)
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.store import Store, locks, reconciliations

MakeFill = Callable[..., Fill]
MakeOrder = Callable[..., JournalOrder]
Trade = Callable[..., None]
Holds = Callable[..., PortfolioSnapshot]
OWNERS = {"AAA": "a", "BBB": "a"}
SESSION = date(2020, 3, 31)


def sleeves(ledger: Ledger) -> dict[tuple[str, str], int]:
    return {(h.sleeve, h.symbol): int(h.quantity) for h in ledger.holdings()}


def costs(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    return {(h.sleeve, h.symbol): h.cost_usd for h in ledger.holdings()}


def prices(**usd: str) -> dict[str, Decimal]:
    return {symbol: Decimal(price) for symbol, price in usd.items()}


@pytest.fixture
def look(store: Store) -> Callable[..., Reconciliation]:
    """Return a function that reconciles; by default sleeve `a` manages AAA and BBB."""

    def compare(account: PortfolioSnapshot, owners: object = OWNERS, **more: object) -> object:
        tolerant = Tolerances(unexplained_ratio=Decimal(10))
        return reconcile(store, account, owners, **{"tolerances": tolerant} | more)  # type: ignore[arg-type]

    return compare  # type: ignore[return-value]


Look = Callable[..., Reconciliation]


# ── The first look ─────────────────────────────────────────────────────────────────────


def test_the_first_look_opens_the_sleeve_and_leaves_the_rest_unmanaged(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    found = look(holds(AAA=5, ZZZ=2), prices_usd=prices(AAA="10", ZZZ="3.333"))
    assert sleeves(ledger) == {("a", "AAA"): 5, (UNMANAGED, "ZZZ"): 2}
    assert costs(ledger) == {("a", "AAA"): Decimal(50), (UNMANAGED, "ZZZ"): Decimal("6.67")}
    assert ledger.cash() == {UNMANAGED: Decimal(1000)}
    assert found.notes[:2] == (
        "opening balance adopted: AAA",
        "unmanaged holdings follow the broker: ZZZ",
    )


@pytest.mark.parametrize("cash_usd", ["1000", "0"], ids=["cash", "fully invested"])
def test_a_second_look_at_the_same_account_changes_nothing(
    ledger: Ledger, holds: Holds, look: Look, cash_usd: str
) -> None:
    account = holds(AAA=5, ZZZ=2, cash_usd=cash_usd, equity_usd="1000")
    look(account)
    before = ledger.holdings()
    assert look(account) == Reconciliation()
    assert ledger.holdings() == before


def test_an_empty_account_is_nothing_to_note(ledger: Ledger, holds: Holds, look: Look) -> None:
    assert look(holds()).notes == ()
    assert ledger.holdings() == ()
    assert not ledger.is_new()


def test_a_new_account_is_one_where_nothing_was_ever_held_or_traded(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("a", Side.BUY, "5")
    trade("a", Side.SELL, "5")
    found = look(holds(AAA=3))
    assert found.locked == {"AAA": "broker 3, ledger 0"}
    assert ledger.holdings() == ()


# ── What is not managed ────────────────────────────────────────────────────────────────


def test_unmanaged_holdings_follow_the_broker(ledger: Ledger, holds: Holds, look: Look) -> None:
    look(holds(AAA=5, YYY=1, ZZZ=2))
    found = look(holds(AAA=5, XXX=4, ZZZ=9))
    assert sleeves(ledger) == {("a", "AAA"): 5, (UNMANAGED, "XXX"): 4, (UNMANAGED, "ZZZ"): 9}
    assert found.notes == ("unmanaged holdings follow the broker: XXX, YYY, ZZZ",)


def test_shares_sold_by_hand_take_their_average_cost_along(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(ZZZ=10), prices_usd=prices(ZZZ="10"))
    look(holds(ZZZ=4), prices_usd=prices(ZZZ="100"))
    assert costs(ledger) == {(UNMANAGED, "ZZZ"): Decimal(40)}


def test_what_a_person_sells_to_the_last_share_was_worth_its_last_price(
    ledger: Ledger, holds: Holds, look: Look, store: Store
) -> None:
    look(holds(ZZZ=100), prices_usd=prices(ZZZ="30"))
    ledger.close_day(SESSION, prices(ZZZ="60"))
    earned = results_now(store, prices(ZZZ="60"))[UNMANAGED].profit_usd
    look(holds(cash_usd="7100"))  # no longer held, it is no longer quoted
    assert results_now(store, {})[UNMANAGED].profit_usd == earned


def test_another_strategy_takes_over_what_it_manages_with_its_cost(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    account = holds(AAA=5, BBB=1)
    look(account, prices_usd=prices(AAA="1", BBB="2"))
    found = look(account, {"BBB": "b", "CCC": "b"}, prices_usd=prices(AAA="9", BBB="9"))
    assert found.notes[0] == "now managed by b: BBB"
    assert sleeves(ledger) == {("a", "AAA"): 5, ("b", "BBB"): 1}
    assert costs(ledger)["b", "BBB"] == Decimal(2)


def test_a_holding_that_leaves_the_universe_is_unmanaged_and_may_be_traded_by_hand(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=5, BBB=1))
    look(holds(AAA=5, BBB=1), {"BBB": "a"})
    assert sleeves(ledger) == {(UNMANAGED, "AAA"): 5, ("a", "BBB"): 1}
    assert look(holds(AAA=2, BBB=1), {"BBB": "a"}).locked == {}
    assert sleeves(ledger) == {(UNMANAGED, "AAA"): 2, ("a", "BBB"): 1}


def test_what_a_person_holds_is_taken_over_by_the_strategy_that_comes_to_manage_it(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=5, ZZZ=2))
    look(holds(AAA=5, ZZZ=2), OWNERS | {"ZZZ": "a"})
    assert sleeves(ledger) == {("a", "AAA"): 5, ("a", "ZZZ"): 2}


# ── Locks ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("now", [{"AAA": 4, "BBB": 1}, {"AAA": 6, "BBB": 1}, {"BBB": 1}])
def test_a_difference_in_a_managed_symbol_locks_it_and_changes_nothing(
    ledger: Ledger, holds: Holds, look: Look, store: Store, now: dict[str, int]
) -> None:
    look(holds(AAA=5, BBB=1))
    before = ledger.holdings()
    found = look(holds(**now))
    assert found.locked == {"AAA": f"broker {now.get('AAA', 0)}, ledger 5"}
    assert Locks(store).all() == {"AAA": ReasonCode.QUANTITY_MISMATCH}
    assert ledger.holdings() == before


def test_a_lock_keeps_its_beginning_tells_the_latest_and_ends_with_agreement(
    store: Store, holds: Holds, look: Look
) -> None:
    first = holds(AAA=5, BBB=1)
    look(first)
    look(holds(AAA=4, BBB=1))
    later = replace(first, taken_at=first.taken_at.replace(hour=20))
    look(replace(holds(AAA=3, BBB=1), taken_at=later.taken_at))
    with store.begin() as connection:
        row = connection.execute(select(locks)).mappings().one()
    assert (row["since"], row["detail"]) == (first.taken_at, "broker 3, ledger 5")
    look(later)
    assert Locks(store).all() == {}


def test_a_lock_for_another_reason_is_not_touched(store: Store, holds: Holds, look: Look) -> None:
    account = holds(AAA=5, BBB=1)
    row = {"code": ReasonCode.FOREIGN_ORDER.value, "detail": "", "since": account.taken_at}
    with store.begin() as connection:
        connection.execute(insert(locks), [row | {"symbol": "AAA"}, row | {"symbol": "CCC"}])
    look(account)
    look(holds(AAA=4, BBB=1))
    look(account)
    assert Locks(store).all() == dict.fromkeys(("AAA", "CCC"), ReasonCode.FOREIGN_ORDER)


def test_a17_too_much_that_is_unexplained_stops_the_run_with_the_locks_set(
    store: Store, ledger: Ledger, holds: Holds, tmp_path: Path
) -> None:
    prices_usd = prices(AAA="10", BBB="10")
    reconcile(store, holds(AAA=5, BBB=5), OWNERS, prices_usd=prices_usd)
    assert reconcile(store, holds(AAA=1, BBB=5), OWNERS, prices_usd=prices_usd).locked
    strict = Tolerances(unexplained_ratio=Decimal("0.4"))
    less = prices(BBB="10")
    with pytest.raises(ReconciliationError, match=r"60% of the managed .* AAA \(broker 0, le"):
        reconcile(
            store,
            holds(BBB=4),
            OWNERS,
            prices_usd=less,
            tolerances=strict,
            output=tmp_path / "record.json",
        )
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["locked"] == {"AAA": "broker 0, ledger 5", "BBB": "broker 4, ledger 5"}
    assert Locks(store).all().keys() == {"AAA", "BBB"}
    assert sleeves(ledger) == {("a", "AAA"): 5, ("a", "BBB"): 5}


# ── Orders whose end is unknown ────────────────────────────────────────────────────────


def test_nothing_is_concluded_about_the_symbol_of_an_unsettled_order(
    ledger: Ledger, holds: Holds, look: Look, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    look(holds(BBB=1))
    filled_but_not_reported = holds(AAA=10, BBB=1, cash_usd="900")
    found = look(filled_but_not_reported, uncertain={"AAA"})
    assert found.locked == {}
    assert found.notes == ("cash differs by -100.00 USD while orders are unresolved",)
    assert sleeves(ledger) == {("a", "BBB"): 1}
    assert ledger.cash() == {UNMANAGED: Decimal(1000)}

    order = make_order("10", wishes={"a": "1"})
    ledger.book([make_fill(order, "f-1")], {order.client_id: order.leg})  # the report arrives
    assert look(filled_but_not_reported) == Reconciliation()
    assert sleeves(ledger) == {("a", "AAA"): 10, ("a", "BBB"): 1}


def test_an_unsettled_order_outside_the_universe_is_left_alone_too(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=5))
    assert look(holds(AAA=5, OLD=3), uncertain={"OLD"}).notes == ()
    assert sleeves(ledger) == {("a", "AAA"): 5}


def test_a_book_that_an_unsettled_sale_explains_has_not_vanished(holds: Holds, look: Look) -> None:
    look(holds(AAA=5))
    assert look(holds(cash_usd="1050"), uncertain={"AAA"}).locked == {}


# ── Cash and equity ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cash_usd", "kind", "noted", "earned"),
    [
        ("1000.40", Kind.INTEREST, "interest booked: +0.40 USD", "0.40"),
        ("999.00", Kind.FEE, "fee booked: -1.00 USD", "-1.00"),
        ("1500.00", Kind.TRANSFER, "cash that came or went outside the platform: +500.00 USD", "0"),
        ("998.99", Kind.TRANSFER, "cash that came or went outside the platform: -1.01 USD", "0"),
    ],
)
def test_cash_that_differs_is_booked_to_the_pool_and_reported(
    ledger: Ledger, holds: Holds, look: Look, cash_usd: str, kind: Kind, noted: str, earned: str
) -> None:
    look(holds())
    found = look(holds(cash_usd=cash_usd))
    assert found.notes == (noted,)
    assert found.cash_difference_usd == Decimal(cash_usd) - 1000
    assert ledger.cash() == {UNMANAGED: Decimal(cash_usd)}
    last = ledger.transactions(UNMANAGED)[-1]
    assert (last.kind, last.realised_usd) == (kind, Decimal(earned))


@pytest.mark.parametrize(("equity_usd", "noted"), [("1050.9", False), ("1052", True)])
def test_equity_that_is_not_cash_and_holdings_is_reported(
    holds: Holds, look: Look, equity_usd: str, noted: bool
) -> None:
    account = holds(AAA=5, equity_usd=equity_usd)
    notes = look(account, prices_usd=prices(AAA="10")).notes
    assert any("equity" in note for note in notes) is noted


# ── Splits ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        (10, 20, "100", "50"),
        (10, 20, "100", "60"),
        (10, 100, "1000", "101"),
        (7, 10, "30", "20"),  # three for two, half a share in cash
        (25, 2, "1", "10"),  # one for ten
        (8, 10, "50", "40"),
    ],
)
def test_a_split_explains_a_difference(
    ledger: Ledger, holds: Holds, look: Look, before: int, after: int, old: str, new: str
) -> None:
    look(holds(AAA=before), prices_usd=prices(AAA=old))
    ledger.close_day(SESSION, prices(AAA=old))
    found = look(holds(AAA=after), prices_usd=prices(AAA=new))
    assert found.locked == {}
    assert f"AAA split: {before} shares became {after}" in found.notes
    assert sleeves(ledger) == {("a", "AAA"): after}
    assert costs(ledger) == {("a", "AAA"): before * Decimal(old)}


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        (10, 20, "100", "100"),
        (10, 20, "100", "75"),
        (10, 17, "100", "59"),
        (8, 10, "50", "50"),  # bought by hand
        (10, 5, "50", "50"),  # sold by hand
    ],
)
def test_a_trade_by_hand_is_no_split(
    ledger: Ledger, holds: Holds, look: Look, before: int, after: int, old: str, new: str
) -> None:
    look(holds(AAA=before), prices_usd=prices(AAA=old))
    ledger.close_day(SESSION, prices(AAA=old))
    assert look(holds(AAA=after), prices_usd=prices(AAA=new)).locked.keys() == {"AAA"}
    assert sleeves(ledger) == {("a", "AAA"): before}


def test_a_split_divides_what_several_sleeves_hold(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("a", Side.BUY, "5", "30")
    trade("b", Side.BUY, "1", "30")
    cash = str(sum(ledger.cash().values()) + 2000)
    both = OWNERS | {"CCC": "b"}
    look(holds(AAA=6, cash_usd=cash), both, prices_usd=prices(AAA="30"))
    ledger.close_day(SESSION, prices(AAA="30"))
    look(holds(AAA=1, cash_usd=cash), both, prices_usd=prices(AAA="150"))  # one for five
    assert sleeves(ledger) == {("a", "AAA"): 1}
    lost = ledger.transactions("b")[-1]
    assert (lost.kind, lost.realised_usd) == (Kind.SPLIT, Decimal(-30))


# ── What stops ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("equity_usd", ["0", "-1"])
def test_an_account_without_equity_stops_the_run(
    ledger: Ledger, holds: Holds, look: Look, equity_usd: str
) -> None:
    with pytest.raises(ReconciliationError) as stopped:
        look(holds(AAA=5, equity_usd=equity_usd))
    assert stopped.value.code is ReasonCode.EQUITY_ZERO
    assert ledger.is_new()


def test_a_book_that_vanishes_stops_the_run(ledger: Ledger, holds: Holds, look: Look) -> None:
    look(holds(AAA=5, ZZZ=1))
    before = ledger.holdings()
    with pytest.raises(ReconciliationError, match="AAA") as stopped:
        look(holds())
    assert stopped.value.code is ReasonCode.POSITIONS_VANISHED
    assert ledger.holdings() == before


def test_what_nobody_manages_a_person_may_sell_to_the_last_share(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(ZZZ=5))
    look(holds())
    assert ledger.holdings() == ()


def test_a_comparison_that_fails_leaves_no_trace(
    store: Store, ledger: Ledger, holds: Holds, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash(*_: object) -> None:
        raise Crash

    monkeypatch.setattr("quant_platform_kit.ledger._locks.put", crash)
    with pytest.raises(Crash):
        look(holds(AAA=5))
    assert ledger.is_new()
    with store.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(reconciliations)) == 0


def test_every_comparison_is_on_record(store: Store, holds: Holds, look: Look) -> None:
    look(holds(AAA=5))
    look(holds(AAA=4), run_key="run-2")
    with store.begin() as connection:
        rows = connection.execute(select(reconciliations)).mappings().all()
    assert [row["run_key"] for row in rows] == [None, "run-2"]
    assert json.loads(rows[1]["result"])["locked"] == {"AAA": "broker 4, ledger 5"}


# ── After trading ──────────────────────────────────────────────────────────────────────


def test_verification_looks_at_managed_symbols_and_cash(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=5))
    verify(ledger, holds(AAA=5, ZZZ=2), OWNERS)
    verify(ledger, holds(AAA=5, cash_usd="999.50"), OWNERS)
    with pytest.raises(ReconciliationError, match=r"AAA \(broker 4, .*, BBB \(.*, cash \(b"):
        verify(ledger, holds(AAA=4, BBB=1, cash_usd="900"), OWNERS)
    verify(ledger, holds(AAA=4, cash_usd="900"), OWNERS, except_for={"AAA"})


accounts = st.dictionaries(st.sampled_from(["AAA", "BBB", "YYY", "ZZZ"]), st.integers(1, 9))
dollars = st.integers(0, 10**6).map(lambda cents: str(Decimal(cents) / 100))


@given(first=accounts, hand=accounts, opening=dollars, later_cash=dollars)
def test_after_agreement_broker_and_ledger_hold_the_same(
    shared_store: Store,
    holds: Holds,
    first: dict[str, int],
    hand: dict[str, int],
    opening: str,
    later_cash: str,
) -> None:
    shared_store.clear()
    ledger = Ledger(shared_store)
    reconcile(shared_store, holds(**first, cash_usd=opening, equity_usd="1"), OWNERS)
    assert ledger.quantities() == first
    managed = {symbol: n for symbol, n in first.items() if symbol in OWNERS}
    by_hand = {symbol: n for symbol, n in hand.items() if symbol not in OWNERS}
    later = managed | by_hand
    account = holds(**later, cash_usd=later_cash, equity_usd="1")
    if managed and not later:
        with pytest.raises(ReconciliationError):
            reconcile(shared_store, account, OWNERS)
    else:
        reconcile(shared_store, account, OWNERS)
        assert ledger.quantities() == later
        assert sum(ledger.cash().values()) == Decimal(later_cash)


# ── What an operator explains ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(("now", "cost"), [(8, "80"), (2, "20"), (0, None)])
def test_what_an_operator_accepts_follows_the_broker(
    ledger: Ledger, store: Store, holds: Holds, look: Look, now: int, cost: str | None
) -> None:
    look(holds(AAA=5, BBB=1), prices_usd=prices(AAA="10"))
    account = holds(BBB=1) if not now else holds(AAA=now, BBB=1)
    assert look(account).locked
    found = look(account, accepted={"AAA"}, prices_usd=prices(AAA="10"))
    assert found.locked == {}
    assert found.notes[0] == f"AAA accepted: 5 shares became {now}"
    assert Locks(store).all() == {}
    assert costs(ledger).get(("a", "AAA")) == (None if cost is None else Decimal(cost))


def test_an_accepted_difference_is_shared_by_who_holds_the_symbol(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("a", Side.BUY, "4")
    trade("b", Side.BUY, "2")
    both = OWNERS | {"CCC": "b"}
    look(holds(AAA=3), both, accepted={"AAA"})
    assert sleeves(ledger) == {("a", "AAA"): 2, ("b", "AAA"): 1}


def test_an_accepted_book_may_vanish(ledger: Ledger, holds: Holds, look: Look) -> None:
    look(holds(AAA=5))
    look(holds(), accepted={"AAA"})
    assert ledger.holdings() == ()
