"""A message is cut to what its channel carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import ContractError
from quant_platform_kit.notify import split

texts = st.text(st.sampled_from("ab 中\n"), max_size=200)


@given(texts, st.integers(min_value=1, max_value=40))
def test_no_piece_is_blank_or_longer_than_the_limit(body: str, limit: int) -> None:
    pieces = split(body, limit)
    assert all(piece.strip() for piece in pieces)
    assert all(len(piece) <= limit for piece in pieces)


@given(texts, st.integers(min_value=1, max_value=40))
def test_no_text_is_lost(body: str, limit: int) -> None:
    assert "".join("".join(split(body, limit)).split()) == "".join(body.split())


@given(st.lists(st.text("abc", min_size=1, max_size=10), min_size=1))
def test_a_line_that_fits_is_never_cut(lines: list[str]) -> None:
    pieces = split("\n".join(lines), 10)
    assert "\n".join(pieces).split("\n") == lines


def test_a_message_that_fits_stays_whole() -> None:
    assert split("Equity: 1\n\nOrders", 4096) == ("Equity: 1\n\nOrders",)


def test_a_piece_takes_as_many_lines_as_it_can() -> None:
    assert split("aa\nbb\ncc\ndd", 5) == ("aa\nbb", "cc\ndd")


def test_a_line_longer_than_the_limit_is_cut_where_it_must_be() -> None:
    assert split("x\nabcdefg\ny", 3) == ("x", "abc", "def", "g\ny")


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(ContractError, match="limit = 0"):
        split("text", 0)
