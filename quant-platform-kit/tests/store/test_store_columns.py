"""Money, shares and instants are read back exactly as they were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from quant_platform_kit.store import Store, cash, gate

decimals = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18
).filter(lambda value: len(format(value, "f")) <= 64)
zones = st.integers(-14 * 60, 14 * 60).map(lambda mins: timezone(timedelta(minutes=mins)))
instants = st.datetimes(timezones=zones).filter(lambda at: 1 < at.year < 9999)


@given(decimals)
def test_a_decimal_keeps_every_digit(shared_store: Store, value: Decimal) -> None:
    with shared_store.engine.connect() as connection:  # never committed
        connection.execute(insert(cash).values(sleeve="a", amount_usd=value))
        back = connection.execute(select(cash.c.amount_usd)).scalar_one()
        stored = connection.scalar(text("SELECT amount_usd FROM cash"))
    assert back == value
    assert format(back, "f") == format(value, "f") == stored


@given(st.lists(instants, min_size=1, max_size=5, unique=True))
def test_an_instant_keeps_its_microsecond_and_sorts_by_time(
    shared_store: Store, values: list[datetime]
) -> None:
    with shared_store.engine.connect() as connection:  # never committed
        for number, value in enumerate(values):
            row = {"name": str(number), "mode": "active", "who": "", "why": "", "since": value}
            connection.execute(insert(gate).values(row))
        back = connection.scalars(select(gate.c.since).order_by(gate.c.since)).all()
    assert list(back) == sorted(values)
    assert all(instant.tzinfo is UTC for instant in back)
