"""What the Schwab simulator answers to the SDK beyond what the adapter asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from quant_platform_kit.brokers import AccountKind, AccountTerms
from quant_platform_kit.simulators import HostOptions, SimulatorControl

if TYPE_CHECKING:
    from schwab.client import Client

BUY: dict[str, Any] = {
    "session": "NORMAL",
    "duration": "DAY",
    "orderType": "MARKET",
    "orderStrategyType": "SINGLE",
    "orderLegCollection": [
        {
            "instruction": "BUY",
            "quantity": 1,
            "instrument": {"symbol": "AAA", "assetType": "EQUITY"},
        }
    ],
}


@pytest.fixture
def account_hash(schwab_client: Client, fresh: HostOptions) -> str:
    (row,) = schwab_client.get_account_numbers().json()
    assert row["accountNumber"] == fresh.account_id
    found: str = row["hashValue"]
    return found


def test_every_account_is_listed(schwab_client: Client, account_hash: str) -> None:
    schwab_client.place_order(account_hash, BUY)
    (row,) = schwab_client.get_accounts(fields=[schwab_client.Account.Fields.POSITIONS]).json()
    (position,) = row["securitiesAccount"]["positions"]
    assert (position["instrument"]["symbol"], position["longQuantity"]) == ("AAA", 1.0)
    (bare,) = schwab_client.get_accounts().json()
    assert "positions" not in bare["securitiesAccount"]


@pytest.mark.parametrize(
    ("kind", "row"),
    [(AccountKind.MARGIN, "availableFunds"), (AccountKind.CASH, "cashAvailableForTrading")],
)
def test_an_account_says_whether_it_is_one_of_cash_or_margin(
    schwab_client: Client,
    schwab_control: SimulatorControl,
    fresh: HostOptions,
    kind: AccountKind,
    row: str,
) -> None:
    schwab_control.open_account(replace(fresh, terms=AccountTerms(kind)))
    (shown,) = schwab_client.get_accounts().json()
    account = shown["securitiesAccount"]
    assert account["type"] == kind.upper()
    assert account["currentBalances"][row] == 1_000
    assert {"availableFunds", "cashAvailableForTrading"} & set(account["currentBalances"]) == {row}


def test_the_id_of_an_order_is_in_its_location_alone(
    schwab_client: Client, account_hash: str
) -> None:
    from schwab.utils import Utils

    response = schwab_client.place_order(account_hash, BUY)
    assert (response.status_code, response.content) == (201, b"")
    order_id = Utils(schwab_client, account_hash).extract_order_id(response)
    shown = schwab_client.get_order(order_id, account_hash).json()
    assert (shown["orderId"], shown["status"]) == (order_id, "FILLED")


def test_a_replaced_order_says_so(schwab_client: Client, account_hash: str) -> None:
    limit = BUY | {"orderType": "LIMIT", "price": "5.00"}
    schwab_client.place_order(account_hash, limit)
    (old,) = list_orders(schwab_client, account_hash)
    response = schwab_client.replace_order(account_hash, old["orderId"], limit | {"price": "6"})
    assert response.status_code == 201
    new, old = list_orders(schwab_client, account_hash)
    assert (old["status"], new["status"], new["price"]) == ("REPLACED", "WORKING", 6.0)


def list_orders(client: Client, account_hash: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = client.get_orders_for_account(
        account_hash,
        from_entered_datetime=datetime(2020, 3, 1, tzinfo=UTC),
        to_entered_datetime=datetime(2020, 4, 1, tzinfo=UTC),
    ).json()
    return listed


def test_orders_are_listed_by_the_time_they_were_entered(
    schwab_client: Client, account_hash: str, schwab_control: SimulatorControl
) -> None:
    schwab_client.place_order(account_hash, BUY)
    entered = schwab_control.now()
    for first, count in ((entered, 1), (entered + timedelta(seconds=1), 0)):
        listed = schwab_client.get_orders_for_account(
            account_hash,
            from_entered_datetime=first,
            to_entered_datetime=entered + timedelta(days=1),
        )
        assert len(listed.json()) == count


@pytest.mark.parametrize(
    "changes",
    [
        {"orderType": "NET_DEBIT"},
        {"session": "SEAMLESS"},
        {"duration": "FILL_OR_KILL"},
        {"orderStrategyType": "OCO"},
        {"orderLegCollection": []},
        {"orderType": "LIMIT"},
        {"orderType": "TRAILING_STOP", "stopPriceLinkType": "VALUE", "stopPriceOffset": 1},
    ],
)
def test_an_order_that_is_not_served_is_refused(
    changes: dict[str, Any], schwab_client: Client, account_hash: str
) -> None:
    response = schwab_client.place_order(account_hash, BUY | changes)
    assert response.status_code == 400
    assert response.json()["message"]
    assert list_orders(schwab_client, account_hash) == []


def test_nobody_else_s_account_is_shown(schwab_client: Client) -> None:
    assert schwab_client.get_account("0" * 64).status_code == 404
    assert schwab_client.place_order("0" * 64, BUY).status_code == 404
    assert schwab_client.get_order(1, "0" * 64).status_code == 404


def test_an_unknown_symbol_has_no_quote(schwab_client: Client) -> None:
    assert schwab_client.get_quote("AAA").json()["AAA"]["quote"]["lastPrice"] == 10.0
    assert schwab_client.get_quote("NONE").status_code == 404
    quotes = schwab_client.get_quotes(["AAA", "NONE"]).json()
    assert quotes["errors"] == {"invalidSymbols": ["NONE"]}


def test_an_unknown_symbol_has_no_candles(schwab_client: Client) -> None:
    answer = schwab_client.get_price_history_every_day("NONE").json()
    assert answer == {"candles": [], "symbol": "NONE", "empty": True}


def test_the_candle_of_the_open_session_is_among_the_others(
    schwab_client: Client, schwab_control: SimulatorControl
) -> None:
    answer = schwab_client.get_price_history_every_day(
        "AAA", start_datetime=datetime(2020, 3, 2, tzinfo=UTC), end_datetime=schwab_control.now()
    ).json()
    last = datetime.fromtimestamp(answer["candles"][-1]["datetime"] / 1000, UTC)
    assert last.date() == schwab_control.now().date()


def test_a_request_without_a_good_token_is_refused(schwab_client: Client) -> None:
    schwab_client.session.token = schwab_client.session.token | {"access_token": "stolen"}
    assert schwab_client.get_account_numbers().status_code == 401
