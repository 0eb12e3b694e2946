"""The pre-trade checks, in their order, on what the account will hold after the leg.

::

    1 gate        may this be done in the gate's mode; is a strategy behind it paused; is the
                  exchange still open, or the order would wait for the next session
    2 freshness   is the price recent
    3 scope       is the symbol managed, and free of orders whose fate is unknown
    4 position    shares and value of the symbol, number of symbols
    5 portfolio   gross and net exposure, sector, buying power
    6 loss        of the day and since the peak, of the account and of the strategies behind it
    7 greeks      nothing yet: no option can be held

A sale of what is held only ever reduces: checks 4 to 7 limit purchases alone. A check that is
asked for more than it allows reduces the leg to whole lots, and rejects it when none is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from quant_platform_kit.contracts import (
    CheckLine,
    CheckStatus,
    Leg,
    Side,
    TradingRules,
    Verdict,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.risk._book import Book
from quant_platform_kit.risk._gate import Action, GateState
from quant_platform_kit.risk._limits import Limits
from quant_platform_kit.risk._losses import Losses, LossMeasure
from quant_platform_kit.risk._pauses import Pause

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_PCT_STEP = Decimal("0.0001")
_CLOCK_SKEW = timedelta(minutes=1)  # a quote's clock is not ours


@dataclass(frozen=True, slots=True)
class Check:
    """What a leg is checked against; the `Book` beside it changes from leg to leg.

    Parameters
    ----------
    gate : GateState
        As read at this moment.
    now : datetime
    managed : frozenset of str
        Symbols this run may trade.
    closes_at : datetime
        When the session ends.
    rules : TradingRules
        Lots and the smallest order of the broker.
    unresolved : mapping of str to str
        Symbols blocked by an order whose fate is unknown, with its client id.
    paused : mapping of str to Pause
        By strategy.
    limits : Limits
        After the bias.
    losses : Losses
    by_operator : bool
        An operator's own sale: a halt lets it through, and so does a pause.
    """

    gate: GateState
    now: datetime
    managed: frozenset[str]
    closes_at: datetime
    rules: TradingRules = field(default_factory=TradingRules)
    unresolved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    paused: Mapping[str, Pause] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    losses: Losses = field(default_factory=Losses)
    by_operator: bool = False


class _Objection(NamedTuple):
    """A check that does not let the whole leg pass: the most shares it allows, and why."""

    name: str
    most: Decimal
    code: ReasonCode
    detail: str
    figure: Decimal | None = None
    limit: Decimal | None = None

    def line(self, status: CheckStatus) -> CheckLine:
        return CheckLine(self.name, status, self.figure, self.limit)


def check_leg(leg: Leg, against: Check, book: Book) -> Verdict:
    """Run the checks in order on one leg and say how much of it may be sent.

    `book` is not changed: `book.take(leg.limited(verdict))` is the caller's word that it was sent.
    """
    lines: list[CheckLine] = []
    quantity = leg.quantity
    reduced: _Objection | None = None
    steps = _OPENING if leg.side is Side.BUY else _REDUCING
    for step in steps:
        for found in step(leg, against, book):
            if isinstance(found, CheckLine):
                lines.append(found)
                continue
            if found.most >= quantity:  # an earlier check has made the leg smaller than that
                lines.append(found.line(CheckStatus.PASSED))
                continue
            quantity = _whole_lots(found.most, leg.price_usd, against.rules)
            if not quantity:
                lines.append(found.line(CheckStatus.REFUSED))
                return Verdict(found.code, found.detail, checks=tuple(lines))
            lines.append(found.line(CheckStatus.REDUCED))
            reduced = found
    if reduced is None:
        return Verdict(checks=tuple(lines))
    return Verdict(reduced.code, reduced.detail, quantity, tuple(lines))


def _whole_lots(shares: Decimal, price_usd: Decimal, rules: TradingRules) -> Decimal:
    """Return the whole lots in `shares`; none when the broker would not take so small an order."""
    lots = max(_ZERO, shares // rules.lot_shares * rules.lot_shares)
    return lots if lots * price_usd >= rules.minimum_notional_usd else _ZERO


_Found = CheckLine | _Objection
_Step = Callable[[Leg, Check, Book], Iterator[_Found]]


# ── 1 ──────────────────────────────────────────────────────────────────────────────────


def _gate(leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    gate = against.gate
    action = Action.CLOSE if against.by_operator else Action.of(leg.side)
    if gate.permits(action):
        yield CheckLine("gate")
    else:
        detail = f"{gate.mode.value} by {gate.who or 'nobody known'}: {gate.why}"
        yield _Objection("gate", _ZERO, ReasonCode.GATE_CLOSED, detail)


def _pause(leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    if not against.paused or against.by_operator:
        return
    for part in leg.contributors:
        if part.sleeve in against.paused:
            detail = f"{part.sleeve} is {against.paused[part.sleeve]}"
            yield _Objection("pause", _ZERO, ReasonCode.STRATEGY_PAUSED, detail)
            return
    yield CheckLine("pause")


def _session(_leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    if against.now < against.closes_at:
        yield CheckLine("session")
    else:
        detail = f"the session ended at {against.closes_at:%H:%M} UTC; it is {against.now:%H:%M}"
        yield _Objection("session", _ZERO, ReasonCode.OUTSIDE_WINDOW, detail)


# ── 2 ──────────────────────────────────────────────────────────────────────────────────


def _freshness(leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    age = against.now - leg.price_at
    most = timedelta(minutes=against.limits.data.max_price_age_mins)
    seconds, limit = Decimal(int(age.total_seconds())), Decimal(int(most.total_seconds()))
    if -_CLOCK_SKEW <= age <= most:
        yield CheckLine("freshness", figure=seconds, limit=limit)
        return
    detail = f"{leg.symbol} was priced {seconds} seconds ago, {limit} are allowed"
    yield _Objection("freshness", _ZERO, ReasonCode.PRICE_STALE, detail, seconds, limit)


# ── 3 ──────────────────────────────────────────────────────────────────────────────────


def _scope(leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    if leg.symbol not in against.managed:
        detail = f"{leg.symbol} is not managed"
        yield _Objection("scope", _ZERO, ReasonCode.UNMANAGED_TARGET, detail)
    elif leg.symbol in against.unresolved:
        detail = against.unresolved[leg.symbol]
        yield _Objection("scope", _ZERO, ReasonCode.ORDER_UNRESOLVED, detail)
    else:
        yield CheckLine("scope")


def _held(leg: Leg, _against: Check, book: Book) -> Iterator[_Found]:
    """Refuse a sale of more than is held: whoever asks for it has another book than the broker."""
    name, held = "position.held", book.shares(leg.symbol)
    if leg.quantity <= held:
        yield CheckLine(name, figure=leg.quantity, limit=held)
        return
    detail = f"{leg.quantity:f} to sell, {held:f} held"
    yield _Objection(name, _ZERO, ReasonCode.RISK_REJECTED, detail, leg.quantity, held)


# ── 4 ──────────────────────────────────────────────────────────────────────────────────


def _position(leg: Leg, against: Check, book: Book) -> Iterator[_Found]:
    limits, held, price = against.limits, book.shares(leg.symbol), leg.price_usd
    limit = limits.position.max_shares_per_symbol
    if limit is not None:
        name, after = "position.max_shares_per_symbol", held + leg.quantity
        yield _position_limit(name, after, limit, limit - held)
    limit = limits.position.max_notional_per_symbol
    if limit is not None:
        name, after = "position.max_notional_per_symbol", (held + leg.quantity) * price
        yield _position_limit(name, after, limit, limit / price - held)
    if limits.portfolio.max_positions is not None:
        limit = Decimal(limits.portfolio.max_positions)
        after = Decimal(book.positions + (not held))
        # A symbol that is held already may grow, however many others there are.
        room = leg.quantity if held else _ZERO
        yield _position_limit("portfolio.max_positions", after, limit, room)


def _position_limit(name: str, after: Decimal, limit: Decimal, room: Decimal) -> _Found:
    if after <= limit:
        return CheckLine(name, figure=after, limit=limit)
    detail = f"{name}: {after:f} after it, {limit:f} allowed"
    return _Objection(name, room, ReasonCode.POSITION_LIMIT, detail, after, limit)


# ── 5 ──────────────────────────────────────────────────────────────────────────────────


def _portfolio(leg: Leg, against: Check, book: Book) -> Iterator[_Found]:
    limits = against.limits.portfolio
    if limits.max_exposure_pct is not None:
        name = "portfolio.max_exposure_pct"
        yield _share(name, leg, book, book.exposure_usd, limits.max_exposure_pct)
    if limits.max_net_exposure_pct is not None:  # the same value: nothing is held short
        name = "portfolio.max_net_exposure_pct"
        yield _share(name, leg, book, book.exposure_usd, limits.max_net_exposure_pct)
    if limits.max_sector_pct is not None:
        yield _sector(leg, book, limits.max_sector_pct)
    yield _buying_power(leg, against.rules, book)


def _share(name: str, leg: Leg, book: Book, value_usd: Decimal, limit_pct: Decimal) -> _Found:
    """Limit a value that the leg adds to, in % of the equity."""
    after_usd, allowed_usd = value_usd + leg.notional_usd, book.equity_usd * limit_pct / _HUNDRED
    after = (after_usd / book.equity_usd * _HUNDRED).quantize(_PCT_STEP)
    if after_usd <= allowed_usd:
        return CheckLine(name, figure=after, limit=limit_pct)
    room = (allowed_usd - value_usd) / leg.price_usd
    detail = f"{name}: {after:f} % of the equity after it, {limit_pct:f} allowed"
    return _Objection(name, room, ReasonCode.PORTFOLIO_LIMIT, detail, after, limit_pct)


def _sector(leg: Leg, book: Book, limit_pct: Decimal) -> _Found:
    sector = book.sector(leg.symbol)
    name = f"portfolio.max_sector_pct: {sector}"
    unpriced = book.unpriced.get(sector)
    if unpriced is not None:
        detail = f"what is held of sector {sector} is unknown: {unpriced} has no price"
        return _Objection(name, _ZERO, ReasonCode.PRICE_MISSING, detail, None, limit_pct)
    return _share(name, leg, book, book.sector_usd(sector), limit_pct)


def _buying_power(leg: Leg, rules: TradingRules, book: Book) -> _Found:
    name, cash = "portfolio.buying_power", book.cash_usd
    cost = leg.notional_usd + rules.fees.fee(leg.quantity, leg.price_usd)
    if cost <= cash:
        return CheckLine(name, figure=cost, limit=cash)
    # Without the shares that the missing dollars would buy it is paid for: fees shrink with it.
    room = leg.quantity - (cost - cash) / leg.price_usd
    detail = f"{name}: {cost:.2f} USD with its fee, {cash:.2f} USD of cash"
    return _Objection(name, room, ReasonCode.CASH_SHORT, detail, cost, cash)


# ── 6 ──────────────────────────────────────────────────────────────────────────────────


def _loss(leg: Leg, against: Check, _book: Book) -> Iterator[_Found]:
    for measure in against.losses.account:
        yield _lost(measure)
    for part in leg.contributors:
        for measure in against.losses.strategies.get(part.sleeve, ()):
            yield _lost(measure)


def _lost(measure: LossMeasure) -> _Found:
    name, figure, limit = measure.name, measure.figure, measure.limit
    if not measure.reached:
        return CheckLine(name, figure=figure, limit=limit)
    return _Objection(name, _ZERO, ReasonCode.LOSS_LIMIT, str(measure), figure, limit)


# ── 7 ──────────────────────────────────────────────────────────────────────────────────


def _greeks(_leg: Leg, _against: Check, _book: Book) -> Iterator[_Found]:
    """Check nothing: the limits are read, and there is no instrument that has Greeks."""
    return iter(())


_REDUCING: tuple[_Step, ...] = (_gate, _pause, _session, _freshness, _scope, _held)
_OPENING: tuple[_Step, ...] = (
    _gate,
    _pause,
    _session,
    _freshness,
    _scope,
    _position,
    _portfolio,
    _loss,
    _greeks,
)
