"""An order that fills in parts: each moves everyone a part of the way, and leaves its proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

from sqlalchemy import select

from quant_platform_kit.contracts import Fill, PortfolioSnapshot, Side
from quant_platform_kit.ledger import UNMANAGED, Kind, Ledger, reconcile
from quant_platform_kit.orders import JournalOrder
from quant_platform_kit.store import Store, evidence

MakeFill = Callable[..., Fill]
MakeOrder = Callable[..., JournalOrder]
Trade = Callable[..., None]
Holds = Callable[..., PortfolioSnapshot]


def test_an_order_that_two_sleeves_share_ends_at_both_wishes_however_it_fills(
    ledger: Ledger, trade: Trade, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    trade("a", Side.BUY, "40")
    trade("b", Side.BUY, "10")
    # a wishes for 20 and b for 40: together 10 more, and 20 pass between them.
    order = make_order("10", target="60", wishes={"a": "1", "b": "2"})
    legs = {order.client_id: order.leg}
    seen = []
    for number, part in enumerate(("5", "3", "2")):
        ledger.book([make_fill(order, f"part-{number}", quantity=part)], legs)
        seen.append(tuple(int(h.quantity) for h in ledger.holdings()))
    assert seen == [(30, 25), (24, 34), (20, 40)]


def test_wishes_that_cancel_out_or_aim_at_nothing_are_no_wishes(
    ledger: Ledger, trade: Trade, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    trade("a", Side.BUY, "6")
    trade("b", Side.BUY, "3")
    out = make_order("3", Side.SELL, target="0", wishes={"a": "1"})
    ledger.book([make_fill(out, "s-1")], {out.client_id: out.leg})
    assert ledger.quantities("a") | {"b": ledger.quantities("b")["AAA"]} == {"AAA": 4, "b": 2}
    nothing = make_order("3", Side.SELL, target="3", wishes={"a": "0"})
    ledger.book([make_fill(nothing, "s-2")], {nothing.client_id: nothing.leg})
    assert (ledger.quantities("a")["AAA"], ledger.quantities("b")["AAA"]) == (2, 1)


def test_every_booked_fill_leaves_its_proof_under_its_order_and_run(
    ledger: Ledger, store: Store, make_order: MakeOrder, make_fill: MakeFill
) -> None:
    order = make_order("10", wishes={"a": "3", "b": "1"})
    legs = {order.client_id: order.leg}
    fills = [make_fill(order, "f-1", quantity="4"), make_fill(order, "f-2", quantity="6")]
    ledger.book(fills, legs, run_key="run")
    ledger.book(fills, legs, run_key="run")
    with store.begin() as connection:
        rows = connection.execute(
            select(evidence).where(evidence.c.kind == "fill").order_by(evidence.c.seq)
        ).mappings()
        found = [(row["run_key"], row["key"], json.loads(row["payload"])) for row in rows]
    assert [(run_key, key) for run_key, key, _ in found] == [("run", order.client_id)] * 2
    parts = [(p["sleeve"], Decimal(p["quantity"])) for _, _, row in found for p in row["parts"]]
    assert parts == [("a", 3), ("b", 1), ("a", 5), ("b", 1)]


def test_what_comes_and_goes_is_a_flow_at_its_price_and_else_at_its_cost(
    ledger: Ledger, store: Store, holds: Holds
) -> None:
    owners = {"AAA": "a"}
    quoted = {"AAA": Decimal(10)}
    reconcile(store, holds(AAA=5), owners, prices_usd=quoted)
    adopted = ledger.transactions("a")[-1]
    assert (adopted.kind, adopted.flow_usd) == (Kind.ADOPTION, 50)
    # Given to another sleeve at twice the price: it leaves at its worth, and comes at it too.
    reconcile(store, holds(AAA=5), {"AAA": "b"}, prices_usd={"AAA": Decimal(20)})
    assert [t.flow_usd for t in ledger.transactions("a")] == [50, -100]
    assert [t.flow_usd for t in ledger.transactions("b")] == [100]
    reconcile(store, holds(AAA=5), {"AAA": "c"})
    assert [t.flow_usd for t in ledger.transactions("c")] == [50]
    pool = ledger.transactions(UNMANAGED)[0]
    assert (pool.amount_usd, pool.flow_usd) == (1000, 1000)
