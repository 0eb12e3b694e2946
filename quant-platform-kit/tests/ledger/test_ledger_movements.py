"""Cash that moved beside trades: booked once, to whom it belongs, and every cent of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from quant_platform_kit.contracts import (
    Account,
    CashMovement,
    Environment,
    MovementKind,
    PortfolioSnapshot,
    Position,
    Side,
)
from quant_platform_kit.ledger import (
    UNMANAGED,
    Kind,
    Ledger,
    Reconciliation,
    Tolerances,
    Transaction,
    performance,
    reconcile,
)
from quant_platform_kit.store import RunBook, Store, evidence

Trade = Callable[..., None]
Holds = Callable[..., PortfolioSnapshot]
Look = Callable[..., Reconciliation]
OWNERS = {"AAA": "a", "BBB": "a"}
NOW = datetime.fromisoformat("2020-03-31T19:30:00+00:00")  # of all that the fixtures book
LATER = NOW + timedelta(hours=1)
DIVIDEND, TAX = MovementKind.DIVIDEND, MovementKind.TAX
INTEREST, FEE = MovementKind.INTEREST, MovementKind.FEE
TRANSFER, OTHER = MovementKind.TRANSFER, MovementKind.OTHER


def moved(
    usd: str,
    kind: MovementKind = DIVIDEND,
    symbol: str | None = "AAA",
    *,
    name: str = "",
    at: datetime = LATER,
) -> CashMovement:
    return CashMovement(name or f"{kind.value}-{usd}", at, Decimal(usd), kind, symbol, "as told")


@pytest.fixture
def look(store: Store) -> Look:
    """Return a function that reconciles; sleeve `a` manages AAA and BBB."""

    def compare(account: PortfolioSnapshot, *told: CashMovement, **more: object) -> object:
        tolerant = Tolerances(unexplained_ratio=Decimal(10))
        sleeves = frozenset({"a", "b", "c", "late"})
        usual = {"movements": told, "tolerances": tolerant, "run_key": "run", "sleeves": sleeves}
        return reconcile(store, account, OWNERS, **usual | more)  # type: ignore[arg-type]

    return compare  # type: ignore[return-value]


@pytest.fixture
def thirds(trade: Trade) -> None:
    """Let three sleeves hold a share each, bought for ten dollars; the pool has nothing."""
    for sleeve in ("a", "b", "c"):
        trade(sleeve, Side.BUY, "1")


def earned(ledger: Ledger, *sleeves: str) -> list[Decimal]:
    return [sum((t.realised_usd for t in ledger.transactions(s)), Decimal(0)) for s in sleeves]


def flows(ledger: Ledger) -> Decimal:
    return sum((t.flow_usd for t in ledger.transactions(UNMANAGED)), Decimal(0))


# ── Whose it is ────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("thirds")
def test_a_dividend_and_its_tax_are_divided_by_shares_to_the_cent(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    cash = str(Decimal(-30) + Decimal("8.50"))
    found = look(holds(AAA=3, cash_usd=cash, equity_usd="1"), moved("10.00"), moved("-1.50", TAX))
    assert earned(ledger, "a", "b", "c") == [
        Decimal("3.34") - Decimal("0.50"),
        Decimal("3.33") - Decimal("0.50"),
        Decimal("3.33") - Decimal("0.50"),
    ]
    assert found == Reconciliation(
        ("dividend booked: AAA +10.00 USD", "tax booked: AAA -1.50 USD"),
    )
    last = ledger.transactions("b")[-2]
    assert (last.kind, last.symbol, last.movement_id) == (Kind.DIVIDEND, "AAA", "dividend-10.00")
    assert (last.at, last.run_key, last.note) == (LATER, "run", "as told")


@pytest.mark.usefixtures("thirds")
def test_a_dividend_that_comes_when_all_is_sold_goes_to_the_last_holders(
    ledger: Ledger, holds: Holds, look: Look, trade: Trade
) -> None:
    trade("a", Side.SELL, "1")
    later = [
        Transaction(NOW + timedelta(minutes=n), s, Kind.SELL, "AAA", Decimal(-1))
        for n, s in ((1, "b"), (2, "c"))
    ]
    ledger.post(later)
    look(holds(cash_usd="-19", equity_usd="1"), moved("1.00"))
    assert earned(ledger, "a", "b", "c") == [0, 0, Decimal("1.00")]


@pytest.mark.usefixtures("thirds")
def test_a_dividend_goes_to_who_held_when_it_was_paid_and_not_to_who_bought_since(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    ledger.post([Transaction(LATER, "late", Kind.BUY, "AAA", Decimal(1))])
    look(holds(AAA=4, cash_usd="-27", equity_usd="1"), moved("3.00"))
    assert earned(ledger, "a", "b", "c", "late") == [1, 1, 1, 0]


@pytest.mark.parametrize("symbol", ["BBB", None], ids=["held by nobody", "not told"])
@pytest.mark.usefixtures("thirds")
def test_a_dividend_of_nobody_s_shares_is_the_account_s(
    ledger: Ledger, holds: Holds, look: Look, symbol: str | None
) -> None:
    look(holds(AAA=3, cash_usd="-28", equity_usd="1"), moved("2.00", symbol=symbol))
    assert earned(ledger, "a", UNMANAGED) == [0, 2]
    assert ledger.dividends("run") == {symbol or "": 2}


@pytest.mark.parametrize(
    ("kind", "usd", "is_earned"),
    [
        (INTEREST, "5", True),
        (FEE, "-5", True),
        (TAX, "-5", True),
        (TRANSFER, "50", False),
        (OTHER, "-7", False),
    ],
)
def test_what_is_no_holding_s_goes_to_the_pool_and_only_some_of_it_is_earned(
    ledger: Ledger, holds: Holds, look: Look, kind: MovementKind, usd: str, is_earned: bool
) -> None:
    look(holds())
    found = look(holds(cash_usd=str(1000 + int(usd))), moved(usd, kind, None))
    assert found.notes == (f"{kind.value} booked: {Decimal(usd):+.2f} USD",)
    assert earned(ledger, UNMANAGED) == [Decimal(usd) if is_earned else 0]
    assert flows(ledger) == 1000 + (0 if is_earned else int(usd))


@pytest.mark.usefixtures("thirds")
def test_a_dividend_is_part_of_a_sleeve_s_performance(
    ledger: Ledger, holds: Holds, look: Look, store: Store
) -> None:
    look(holds(AAA=3, cash_usd="-24", equity_usd="1"), moved("6.00"))
    ledger.close_day(NOW.date(), {"AAA": Decimal(10)})
    found = performance(store, "a")
    assert found is not None
    assert (found.realised_usd, found.unrealised_usd) == (2, 0)


# ── Once ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("thirds")
def test_what_is_told_again_is_booked_no_second_time(
    ledger: Ledger, holds: Holds, look: Look, store: Store
) -> None:
    account = holds(AAA=3, cash_usd="-27", equity_usd="1")
    paid = moved("3.00")
    look(account, paid, paid)
    before = [ledger.transactions(s) for s in ("a", "b", "c", UNMANAGED)]
    assert look(account, replace(paid, amount_usd=Decimal(4))) == Reconciliation()
    assert [ledger.transactions(s) for s in ("a", "b", "c", UNMANAGED)] == before
    with store.begin() as connection:
        kept = connection.execute(
            select(evidence.c.run_key, evidence.c.key, evidence.c.payload).where(
                evidence.c.kind == "movement"
            )
        ).all()
    ((run_key, key, payload),) = kept
    assert (run_key, key) == ("run", "dividend-3.00")
    assert json.loads(payload)["parts"] == {"a": "1.00", "b": "1.00", "c": "1.00"}


def test_what_moved_before_the_book_began_is_in_its_opening_cash(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    paid = [moved("3.00", at=NOW - timedelta(days=1)), moved("4.00", at=NOW)]
    look(holds(AAA=3), *paid)
    assert look(holds(AAA=3), *paid) == Reconciliation()
    assert earned(ledger, "a", UNMANAGED) == [0, 0]


# ── What is told too late, too early, or never ─────────────────────────────────────────


@pytest.mark.parametrize("usd", ["30.00", "0.60"], ids=["as a transfer", "as interest"])
def test_cash_that_was_booked_before_it_was_told_is_taken_back_as_what_it_was(
    ledger: Ledger, holds: Holds, look: Look, usd: str
) -> None:
    look(holds(AAA=3))
    account = holds(AAA=3, cash_usd=str(1000 + Decimal(usd)))
    look(account)
    found = look(account, moved(usd))
    assert found.notes == (
        f"dividend booked: AAA +{usd} USD",
        f"taken back, now that the broker tells what it was: -{usd} USD",
    )
    assert earned(ledger, "a", UNMANAGED) == [Decimal(usd), 0]
    assert flows(ledger) == 1000
    assert look(account, moved(usd)) == Reconciliation()


def test_what_is_told_before_its_cash_has_come_is_even_when_it_has(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=3))
    look(holds(AAA=3), moved("30.00"))
    assert sum(ledger.cash().values()) == 1000
    look(holds(AAA=3, cash_usd="1030"), moved("30.00"))
    assert earned(ledger, "a", UNMANAGED) == [30, 0]
    assert flows(ledger) == 1000


def test_only_what_nothing_explains_is_money_that_came_or_went(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=3))
    found = look(holds(AAA=3, cash_usd="1502"), moved("2.00"))
    assert found.cash_difference_usd == 500
    assert found.notes == (
        "dividend booked: AAA +2.00 USD",
        "cash that came or went outside the platform: +500.00 USD",
    )


def test_a_dividend_is_booked_while_an_order_s_end_is_unknown_and_nothing_else_is(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=3))
    account = holds(AAA=3, cash_usd="1502")
    found = look(account, moved("2.00"), uncertain=frozenset({"BBB"}))
    assert found.notes[-1] == "cash differs by +500.00 USD while orders are unresolved"
    assert sum(ledger.cash().values()) == 1002
    assert look(account, moved("2.00")).cash_difference_usd == 500


def test_a_dividend_is_not_taken_for_the_price_of_shares_that_a_split_made(
    ledger: Ledger, holds: Holds, look: Look
) -> None:
    look(holds(AAA=100), prices_usd={"AAA": Decimal(10)})
    ledger.close_day(NOW.date(), {"AAA": Decimal(10)})
    halved = {"AAA": Decimal(5)}
    paid = moved("-500.00", TAX)  # as much as a hundred shares would have cost
    found = look(holds(AAA=200, cash_usd="500"), paid, prices_usd=halved)
    assert "AAA split: 100 shares became 200" in found.notes
    assert found.locked == {}


# ── Whatever comes ─────────────────────────────────────────────────────────────────────

amounts = st.integers(-20_000, 20_000).filter(bool).map(lambda cents: Decimal(cents) / 100)
tellings = st.lists(
    st.tuples(
        amounts,
        st.sampled_from(MovementKind),
        st.sampled_from(("AAA", "BBB", None)),
        st.integers(0, 3),  # the look at which its cash is there
        st.integers(0, 3),  # the look at which it is told
        st.integers(-1, 3),  # hours after the book began
    ),
    max_size=6,
)


@settings(max_examples=40)
@given(
    told=tellings,
    holders=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), max_size=4),
    deposits=st.lists(amounts | st.just(Decimal(0)), min_size=4, max_size=4),
    late=st.booleans(),
)
def test_the_sleeves_add_up_to_the_broker_s_cash_whatever_is_told_and_when(
    shared_store: Store,
    told: list[tuple[Decimal, MovementKind, str | None, int, int, int]],
    holders: list[tuple[str, int]],
    deposits: list[Decimal],
    late: bool,
) -> None:
    shared_store.clear()
    RunBook(shared_store).open("run", NOW)
    ledger, cash = Ledger(shared_store), Decimal(100_000)
    shares = Decimal(sum(held for _, held in holders))
    listed = [
        (moved(str(usd), kind, symbol, name=f"m{n}", at=NOW + timedelta(hours=hours)), comes, shown)
        for n, (usd, kind, symbol, comes, shown, hours) in enumerate(told)
    ]

    def compare(known: list[CashMovement]) -> None:
        position = (Position("AAA", shares),) if shares else ()
        account = Account("an account", Environment.PAPER, cash, cash, Decimal(1))
        reconcile(
            shared_store,
            PortfolioSnapshot(account, position, (), NOW),
            {"AAA": "a", "BBB": "b"},
            sleeves=frozenset("abc"),
            movements=known,
            run_key="run",
        )
        assert sum(ledger.cash().values()) == cash

    compare([])
    if holders:  # divided among the sleeves as if they had bought it
        adopted = Transaction(NOW, "a", Kind.TRANSFER, "AAA", -shares)
        parts = [Transaction(NOW, s, Kind.TRANSFER, "AAA", Decimal(n)) for s, n in holders]
        ledger.post([adopted, *parts])
    for step in range(4):
        cash += deposits[step] + sum(each.amount_usd for each, comes, _ in listed if comes == step)
        if not (late and step == 1):  # a query may fail
            compare([each for each, _, shown in listed if shown <= step])
        else:
            compare([])
    compare([each for each, _, _ in listed])
    booked = [each for each, _, _ in listed if each.at > NOW]
    profit = {MovementKind.DIVIDEND, MovementKind.TAX, MovementKind.INTEREST, MovementKind.FEE}
    entries = [t for s in ("a", "b", "c", UNMANAGED) for t in ledger.transactions(s)]
    for each in booked:  # each once, every cent of it, and nothing of what is not the sleeve's own
        parts = [t for t in entries if t.movement_id == each.movement_id]
        assert sum(t.amount_usd for t in parts) == each.amount_usd
        assert sum(t.realised_usd for t in parts) == (each.amount_usd if each.kind in profit else 0)
        assert all(t.amount_usd == t.amount_usd.quantize(Decimal("0.01")) for t in parts)
    assert {t.movement_id for t in entries} - {None} == {each.movement_id for each in booked}
