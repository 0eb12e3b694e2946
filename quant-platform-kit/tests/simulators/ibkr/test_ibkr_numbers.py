"""TWS knows through a restart which client placed an order, and so does its simulator."""

from __future__ import annotations

from pathlib import Path

from quant_platform_kit.simulators.tws._numbers import Numbers


def test_the_numbers_of_orders_are_kept_beside_the_book(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    numbers = Numbers.beside(book)
    numbers.note("sim-000001", client=7, number=3)
    numbers.note("sim-000002", client=7, number=4)
    again = Numbers.beside(book)
    assert again.pair("sim-000002") == (7, 4)
    assert again.order_id(7, 3) == "sim-000001"
    assert again.next_free() == 5
    assert not book.exists()


def test_an_account_in_memory_forgets_them(tmp_path: Path) -> None:
    numbers = Numbers.beside(None)
    numbers.note("sim-000001", client=7, number=3)
    assert numbers.taken(7, 3)
    assert not Numbers.beside(None).taken(7, 3)
    assert list(tmp_path.iterdir()) == []
