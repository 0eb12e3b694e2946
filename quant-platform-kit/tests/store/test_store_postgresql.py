"""The store on PostgreSQL: its address is a secret, and accounts do not see each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from quant_platform_kit.errors import ReasonCode, SettingsError, StopAndTell, TransientError
from quant_platform_kit.store import Store, cash

SECRET = "hunter" + "2"


def test_each_account_and_mode_has_tables_of_its_own(postgresql: str) -> None:
    live, paper = (Store.connect(postgresql, f"ibkr_1_{mode}") for mode in ("live", "paper"))
    with live.begin() as connection:
        connection.execute(insert(cash).values(sleeve="a", amount_usd=1))
    with paper.begin() as connection:
        assert connection.execute(select(cash)).all() == []
    for store in (live, paper):
        assert Store.exists(postgresql, store.name)
        with store.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {store.name} CASCADE"))
        store.close()
    assert not Store.exists(postgresql, "ibkr_1_live")


def test_a_reader_cannot_write(postgresql: str) -> None:
    store = Store.connect(postgresql, "read_by_others")
    reader = Store.connect(postgresql, "read_by_others", read_only=True)
    with pytest.raises(StopAndTell, match="read-only transaction"), reader.begin() as connection:
        connection.execute(insert(cash).values(sleeve="a", amount_usd=1))
    with store.begin() as connection:
        assert connection.execute(select(cash)).all() == []
        connection.execute(text("DROP SCHEMA read_by_others CASCADE"))
    reader.close()
    store.close()


def test_reading_what_does_not_exist_creates_nothing(postgresql: str) -> None:
    with pytest.raises(TransientError, match="never_made"):
        Store.connect(postgresql, "never_made", read_only=True)
    assert not Store.exists(postgresql, "never_made")


def test_a_database_that_cannot_be_reached_is_a_transient_error_without_its_address(
    tmp_path: Path,
) -> None:
    nowhere = f"postgresql+psycopg://trader:{SECRET}@/orders?host={tmp_path}"
    for call in (Store.connect, Store.exists):
        with pytest.raises(TransientError) as refused:
            call(nowhere, "ibkr_1_paper")
        assert refused.value.code is ReasonCode.STORE_UNAVAILABLE
        said = refused.value.message + str(refused.value.__cause__) + str(refused.value)
        for hidden in (SECRET, "trader", str(tmp_path), "/orders"):
            assert hidden not in said


@pytest.mark.parametrize(
    "url", ["rubbish", f"nosuch://a:{SECRET}@b/c", f"nosuch+at_all://{SECRET}"]
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="QPK_STORE_URL") as refused:
        Store.connect(url, "ibkr_1_paper")
    assert SECRET not in refused.value.message


@pytest.mark.parametrize("name", ["", "Ibkr", "a-b", "a b", "1a", "a;drop", "a" * 64])
def test_a_schema_has_a_plain_name(name: str) -> None:
    with pytest.raises(SettingsError, match="schema"):
        Store.connect("postgresql+psycopg://localhost/none", name)
