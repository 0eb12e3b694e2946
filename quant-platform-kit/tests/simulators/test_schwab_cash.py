"""What Schwab's transactions say, in each of the ways in which it says it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_platform_kit.contracts import CashMovement, MovementKind, OrderRequest, Side
from quant_platform_kit.errors import BrokerAnswerError, TransientError
from quant_platform_kit.simulators import SimulatorControl, WireFault

pytest.importorskip("quant_platform_kit.brokers.schwab")

from quant_platform_kit.brokers.schwab._cash import lacks_a_symbol, movements, names_of
from quant_platform_kit.brokers.schwab._rows import reading

Connect = Callable[..., Any]
NAMES = {"COCACOLA CO": "KO", "ISHARES CORE SP 500 ETF": "IVV"}
DOLLARS = {"instrument": {"assetType": "CURRENCY", "symbol": "CURRENCY_USD"}, "amount": 1}


def a_row(text: str = "", net: str = "4.40", **changes: object) -> dict[str, object]:
    return {
        "activityId": 4711,
        "time": "2026-11-20T08:15:22+0000",
        "type": "DIVIDEND_OR_INTEREST",
        "status": "VALID",
        "netAmount": Decimal(net),
        "description": text,
        "transferItems": [DOLLARS],
    } | changes


def a_leg(symbol: str, kind: str = "EQUITY") -> dict[str, object]:
    return {"instrument": {"assetType": kind, "symbol": symbol}, "amount": 0}


@pytest.mark.parametrize(
    ("row", "kind", "symbol"),
    [
        (a_row("Qualified Dividend~MKSI"), "dividend", "MKSI"),
        (a_row("Qualified Dividend~BRK/B"), "dividend", "BRK.B"),
        (a_row("DIVIDEND", transferItems=[DOLLARS, a_leg("BRK/B")]), "dividend", "BRK.B"),
        (a_row("THE COCA-COLA CO"), "dividend", "KO"),
        (a_row("Coca-Cola Company"), "dividend", "KO"),
        (a_row("iShares Core S&P 500 ETF"), "dividend", "IVV"),
        (a_row("SOMEBODY ELSE INC"), "dividend", None),
        (a_row("NRA TAX ADJ~KO", "-0.66"), "tax", "KO"),
        (a_row("THE COCA-COLA CO", "-0.66"), "tax", "KO"),
        (a_row("FOREIGN TAX PAID", "-0.66"), "tax", None),
        (a_row("BANK INT 101625-111526"), "interest", None),
        (a_row("Margin Interest", "-3.10"), "interest", None),
        (a_row("HIGH INTEREST FUND~HIF"), "dividend", "HIF"),
        (a_row("ADR MGMT FEE~NIO", "-0.50"), "fee", "NIO"),
        (a_row("THE COCA-COLA CO", "-0.50", type="JOURNAL"), "fee", "KO"),
        (a_row("TRANSFER FROM ...123", "9", type="JOURNAL"), "transfer", None),
        (a_row("MoneyLink Deposit", "500", type="ELECTRONIC_FUND"), "transfer", None),
        (a_row("", "-500", type="WIRE_OUT"), "transfer", None),
        (a_row("x", transferItems=[a_leg("037833100-BOND.X!")]), "dividend", None),
        (a_row("x", transferItems=[a_leg("SWVXX", "CASH_EQUIVALENT")]), "dividend", None),
    ],
)
def test_a_transaction_is_what_its_type_words_and_symbol_say(
    row: dict[str, object], kind: str, symbol: str | None
) -> None:
    (moved,) = movements([row], NAMES)
    at = datetime(2026, 11, 20, 8, 15, 22, tzinfo=UTC)
    usd, text = Decimal(str(row["netAmount"])), str(row["description"])
    assert moved == CashMovement("4711", at, usd, MovementKind(kind), symbol, text)


@pytest.mark.parametrize(
    "row",
    [
        a_row(type="TRADE"),
        a_row(type="MEMORANDUM"),
        a_row(status="PENDING"),
        a_row(status="CANCELED"),
        a_row(net="0"),
    ],
)
def test_what_is_a_trade_or_not_final_or_moves_nothing_is_no_movement(
    row: dict[str, object],
) -> None:
    assert movements([row], {}) == ()
    assert not lacks_a_symbol([row])


def test_names_are_asked_for_only_where_one_would_tell() -> None:
    assert lacks_a_symbol([a_row("THE COCA-COLA CO")])
    assert not lacks_a_symbol(
        [a_row("Qualified Dividend~KO"), a_row("BANK INT"), a_row(type="WIRE_IN")]
    )


def test_a_name_that_two_have_is_nobody_s() -> None:
    quoted = {
        "KO": {"reference": {"description": "Coca-Cola Co"}},
        "GOOG": {"reference": {"description": "Alphabet Inc"}},
        "GOOGL": {"reference": {"description": "Alphabet, Inc."}},
        "NEW": {},
    }
    assert names_of(quoted) == {"COCACOLA CO": "KO"}


def test_a_transaction_of_another_form_is_an_error_that_says_so() -> None:
    with pytest.raises(BrokerAnswerError, match="cannot be read"), reading("what moved the cash"):
        movements([{"type": "DIVIDEND_OR_INTEREST", "status": "VALID"}], {})


def test_a_dividend_told_by_name_is_found_while_the_shares_were_held_lately(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker, since = connect_schwab(), schwab_control.now()
    for name, side in (("in", Side.BUY), ("out", Side.SELL)):
        broker.submit(OrderRequest(name, "AAA", side, Decimal(10)))
    schwab_control.move_cash(MovementKind.DIVIDEND, Decimal("4.40"), symbol="AAA")
    schwab_control.move_cash(MovementKind.DIVIDEND, Decimal("1.10"), symbol="BBB")
    told = {moved.amount_usd: moved.symbol for moved in broker.cash_movements(since)}
    assert told == {Decimal("4.40"): "AAA", Decimal("1.10"): None}


def test_without_the_names_nothing_is_told_by_halves(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker, since = connect_schwab(), schwab_control.now()
    broker.submit(OrderRequest("in", "AAA", Side.BUY, Decimal(10)))
    schwab_control.move_cash(MovementKind.DIVIDEND, Decimal("4.40"), symbol="AAA")
    schwab_control.fault(WireFault.SERVER_ERROR, operation="quotes")
    with pytest.raises(TransientError, match="names"):
        broker.cash_movements(since)


def test_no_more_than_sixty_days_are_asked_for(
    connect_schwab: Connect, schwab_control: SimulatorControl
) -> None:
    broker = connect_schwab()
    schwab_control.move_cash(MovementKind.TRANSFER, Decimal(5))
    assert len(broker.cash_movements(schwab_control.now() - timedelta(days=400))) == 1
