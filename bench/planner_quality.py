"""How close whole shares come to target weights: our planner against two common rounding rules.

The peers are written from what their documentation says they do. *bt* allocates to one symbol
after the other the difference to its target value in whole units: a purchase, with its fee, takes
at most that amount, and a sale raises at least it. A *floor per leg* rounds each target down, sells
first and then buys in order as long as cash lasts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import fmean

from bench._measure import BenchResult
from quant_platform_kit.contracts import (
    Account,
    Environment,
    FeeModel,
    PortfolioSnapshot,
    PortfolioTarget,
    Position,
    Quote,
    Side,
    TargetMode,
    TargetPortfolio,
    TradingRules,
)
from quant_platform_kit.planner import CapitalPolicy, plan_orders

PORTFOLIOS = 10_000
FREE = FeeModel()
CHARGED = FeeModel(notional_bps=Decimal(5), minimum_usd=Decimal("0.35"))
_SEED = 20260401
_NOW = datetime(2022, 12, 30, 20, 45, tzinfo=UTC)
_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_WEIGHT_STEP = Decimal("1e-8")
_NOISE = 1e-12  # of floats

Shares = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Book:
    """One account and its wish: a weight, a price and the shares held of each symbol."""

    weights: dict[str, Decimal]
    prices: dict[str, Decimal]
    held: Shares
    cash: Decimal
    fees: FeeModel

    @property
    def value(self) -> Decimal:
        """Cash and holdings in USD."""
        return self.cash + sum((n * self.prices[s] for s, n in self.held.items()), _ZERO)

    def cash_after(self, after: Shares) -> Decimal:
        """Return the cash in USD when the holdings have become `after`."""
        cash = self.cash
        for symbol, price in self.prices.items():
            traded = after.get(symbol, _ZERO) - self.held.get(symbol, _ZERO)
            if traded:
                cash -= traded * price + self.fees.fee(abs(traded), price)
        return cash


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of the capital: off the target weights, and idle beyond what the weights leave."""

    error: float
    idle: float


@dataclass(frozen=True, slots=True)
class Contest:
    """The scores of the same accounts under each rule."""

    ours: list[Score]
    peers: dict[str, list[Score]]

    def ratio(self, peer: str, field: str) -> float:
        """Return our mean as a multiple of the peer's."""
        mine, theirs = ([getattr(each, field) for each in s] for s in (self.ours, self.peers[peer]))
        return fmean(mine) / fmean(theirs)

    def exceptions(self) -> int:
        """Count the accounts in which a peer comes closer, or leaves less cash idle."""
        return sum(
            1
            for place, mine in enumerate(self.ours)
            if any(
                mine.error > theirs[place].error + _NOISE or mine.idle > theirs[place].idle + _NOISE
                for theirs in self.peers.values()
            )
        )


def books(fees: FeeModel, count: int = PORTFOLIOS, seed: int = _SEED) -> Iterator[Book]:
    """Yield accounts from 5,000 to 500,000 USD with 2 to 40 symbols; half hold older weights."""
    deal = random.Random(seed)  # noqa: S311 (no secret)
    for number in range(count):
        symbols = [f"S{index:02}" for index in range(deal.randint(2, 40))]
        prices = {symbol: Decimal(5 * 160 ** deal.random()).quantize(_CENT) for symbol in symbols}
        cash = Decimal(5000 * 100 ** deal.random()).quantize(_CENT)
        held: Shares = {}
        if number % 2:
            for symbol, weight in _weights(symbols, deal).items():
                held[symbol] = (weight * cash / prices[symbol]).to_integral(ROUND_FLOOR)
            cash -= sum((held[symbol] * prices[symbol] for symbol in held), _ZERO)
        wished = deal.sample(symbols, deal.randint(1, len(symbols)))
        yield Book(_weights(wished, deal), prices, held, cash, fees)


def planned(book: Book) -> Shares:
    """Return the holdings after our plan."""
    snapshot = PortfolioSnapshot(
        Account("bench", Environment.SIMULATED, book.cash, book.cash, book.value),
        tuple(Position(symbol, shares) for symbol, shares in book.held.items()),
        (),
        _NOW,
    )
    target = TargetPortfolio(
        TargetMode.WEIGHT,
        tuple(book.prices),
        tuple(PortfolioTarget(symbol, weight) for symbol, weight in book.weights.items()),
    )
    quotes = {symbol: Quote(symbol, price, _NOW) for symbol, price in book.prices.items()}
    plan = plan_orders(target, snapshot, quotes, TradingRules(fees=book.fees), CapitalPolicy())
    after = dict(book.held)
    for leg in plan.legs:
        signed = leg.quantity if leg.side is Side.BUY else -leg.quantity
        after[leg.symbol] = after.get(leg.symbol, _ZERO) + signed
    return after


def allocated(book: Book) -> Shares:
    """Return the holdings after bt's rule: differences in dollars, one symbol after the other."""
    kept = {symbol: shares for symbol, shares in book.held.items() if symbol in book.weights}
    value = book.cash_after(kept) + sum((n * book.prices[s] for s, n in kept.items()), _ZERO)
    after: Shares = {}
    for symbol, weight in book.weights.items():
        price, held = book.prices[symbol], kept.get(symbol, _ZERO)
        amount = weight * value - held * price
        units = (amount / price).to_integral(ROUND_FLOOR)
        while units and units * price + book.fees.fee(abs(units), price) > amount and -units < held:
            units -= 1
        after[symbol] = held + units
    return after


def floored(book: Book) -> Shares:
    """Return the holdings after rounding each leg down: sales first, then what cash pays for."""
    targets = {
        symbol: (weight * book.value / book.prices[symbol]).to_integral(ROUND_FLOOR)
        for symbol, weight in book.weights.items()
    }
    after = {symbol: min(n, targets.get(symbol, _ZERO)) for symbol, n in book.held.items()}
    cash = book.cash_after(after)
    for symbol, wished in targets.items():
        price, held = book.prices[symbol], after.get(symbol, _ZERO)
        units = wished - held
        while units and (short := units * price + book.fees.fee(units, price) - cash) > _ZERO:
            units = max(units - (short / price).to_integral(ROUND_CEILING), _ZERO)
        if units:
            after[symbol] = held + units
            cash -= units * price + book.fees.fee(units, price)
    return after


def score(book: Book, after: Shares) -> Score:
    """Measure holdings against the weights, as shares of what the account is then worth."""
    cash = book.cash_after(after)
    worth = cash + sum((shares * book.prices[s] for s, shares in after.items()), _ZERO)
    error = sum(
        (
            abs(after.get(symbol, _ZERO) * price / worth - book.weights.get(symbol, _ZERO))
            for symbol, price in book.prices.items()
        ),
        _ZERO,
    )
    meant = 1 - sum(book.weights.values(), _ZERO)
    return Score(float(error), float(max(cash / worth - meant, _ZERO)))


def contest(accounts: Iterable[Book]) -> Contest:
    """Bring every account to its weights by each rule."""
    ours: list[Score] = []
    peers: dict[str, list[Score]] = {name: [] for name in _PEERS}
    for account in accounts:
        ours.append(score(account, planned(account)))
        for name, rule in _PEERS.items():
            peers[name].append(score(account, rule(account)))
    return Contest(ours, peers)


def run() -> tuple[BenchResult, ...]:
    """Compare without fees, where no account may be an exception, and with them."""
    return (
        _row("no fees", contest(books(FREE)), strict=True),
        _row("5 bps, at least 0.35 USD an order", contest(books(CHARGED)), strict=False),
    )


def _row(fees: str, met: Contest, *, strict: bool) -> BenchResult:
    ratios = {peer: (met.ratio(peer, "error"), met.ratio(peer, "idle")) for peer in met.peers}
    worse = met.exceptions()
    error, idle = (fmean(getattr(each, field) for each in met.ours) for field in ("error", "idle"))
    against = "; ".join(
        f"{off:.2f}x and {rest:.2f}x of {peer}" for peer, (off, rest) in ratios.items()
    )
    return BenchResult(
        what=f"{len(met.ours):,} random portfolios in whole shares, {fees}",
        figure=f"{error:.2%} of the capital off its weights, {idle:.2%} idle",
        ratio=f"{against}; behind one of them in {worse:,}",
        target="less of both" + (", no exception" if strict else ", on average"),
        met=all(off < 1 and rest < 1 for off, rest in ratios.values()) and not (strict and worse),
    )


def _weights(symbols: list[str], deal: random.Random) -> dict[str, Decimal]:
    parts = [deal.random() + 0.05 for _ in symbols]
    whole = sum(parts) / deal.choice([1, 1, 0.9])
    return {
        symbol: Decimal(part / whole).quantize(_WEIGHT_STEP, ROUND_FLOOR)
        for symbol, part in zip(symbols, parts, strict=True)
    }


_PEERS: Mapping[str, Callable[[Book], Shares]] = {
    "bt's rule": allocated,
    "a floor per leg": floored,
}


if __name__ == "__main__":
    for result in run():
        print(result)
