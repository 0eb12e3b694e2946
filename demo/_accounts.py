"""The three accounts of the demo: who runs which strategy with how much, on which symbols."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from quant_platform_kit.contracts import FeeModel

_CONFIGS = Path(__file__).parent / "configs"

BENCHMARK = "SP500"

SECTORS = {
    "AAPL": "Technology",
    "AMD": "Technology",
    "MSFT": "Technology",
    "JNJ": "Health Care",
    "LLY": "Health Care",
    "MRK": "Health Care",
    "PFE": "Health Care",
    "UNH": "Health Care",
    "KO": "Consumer Staples",
    "PEP": "Consumer Staples",
    "PG": "Consumer Staples",
    "WMT": "Consumer Staples",
    "BBY": "Consumer Discretionary",
    "HD": "Consumer Discretionary",
    "BAC": "Financials",
    "JPM": "Financials",
    "CVX": "Energy",
    "RRC": "Energy",
    "XOM": "Energy",
    "GE": "Industrials",
}

FUNDS = {
    "MTUM": "Momentum",
    "QUAL": "Quality",
    "SIZE": "Small size",
    "USMV": "Low volatility",
    "VLUE": "Value",
}


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account and the service that looks after it.

    Parameters
    ----------
    platform : str
        Folder of the service under ``platforms/``.
    broker : str
        The platform's name as people write it.
    profile : str
        Strategy profile.
    account_id : str
        Its number, as the broker writes them.
    opening_cash_usd : Decimal
        What the simulated broker starts with.
    story : str
        What the account does, in one sentence.
    reads_snapshot : bool
        Whether a feature snapshot has to be published before each slot.
    fees : FeeModel
        What the broker charges for an order.
    """

    platform: str
    broker: str
    profile: str
    account_id: str
    opening_cash_usd: Decimal
    story: str
    reads_snapshot: bool = False
    fees: FeeModel = FeeModel()  # noqa: RUF009 (frozen)

    @property
    def config_path(self) -> Path:
        """The profile's configuration for the symbols the demo has."""
        return _CONFIGS / f"{self.profile}.json"


ACCOUNTS = (
    DemoAccount(
        platform="ibkr",
        broker="Interactive Brokers",
        profile="russell_1000_multi_factor_defensive",
        account_id="DU2500000",
        opening_cash_usd=Decimal(250_000),
        story=(
            "Ranks 20 large companies by momentum, trend and risk inside their sectors, holds the "
            "best ten, and moves to cash when the market breaks."
        ),
        reads_snapshot=True,
        fees=FeeModel(per_share_usd=Decimal("0.005"), minimum_usd=Decimal(1)),
    ),
    DemoAccount(
        platform="schwab",
        broker="Charles Schwab",
        profile="global_etf_rotation",
        account_id="50000000",
        opening_cash_usd=Decimal(50_000),
        story=(
            "Holds the two strongest of five factor funds, chosen once a quarter; every month a "
            "canary may send the account to cash."
        ),
    ),
    DemoAccount(
        platform="longbridge",
        broker="LongBridge",
        profile="spy_macd_vixy",
        account_id="80000000",
        opening_cash_usd=Decimal(8_000),
        story=(
            "Holds the quality fund while the S&P 500's MACD stands above its signal line, and "
            "cash, without a hedge, while it does not. Made for every day; here it is asked at "
            "month-ends."
        ),
    ),
)
