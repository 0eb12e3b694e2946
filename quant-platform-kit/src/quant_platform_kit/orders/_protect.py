"""Stops that rest at the broker under what the sleeves hold.

A strategy's signals say how far a holding may fall (`Protections` remembers what each sleeve last
asked for); a symbol has at most one stop, a sale that works until it is cancelled. It covers the
shares of all sleeves that ask for one together, at the tightest of their levels: the highest
price, and the smallest distance of a trailing one. `send` takes it off before it sends an order of
its symbol, and `protect`, after the run's orders, puts one where none is.

However a run ends, a symbol has the old stop, the new one, or none, which the next run places: a
new one is only sent after the old one's end is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import delete, insert, select

from quant_platform_kit.contracts import (
    Contribution,
    Decision,
    DecisionOutcome,
    Leg,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Quote,
    Side,
    Signal,
    SignalAction,
    TimeInForce,
    Verdict,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.orders._execute import (
    Desk,
    cancel,
    has_rested_long,
    learn,
    submit,
    taken_off,
    withdraw,
)
from quant_platform_kit.orders._rows import Draft, JournalOrder, Purchase
from quant_platform_kit.store import Store, protections

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_SAME_SHARES = Decimal("0.1")  # a split moves the cost of a share by more than that


@dataclass(frozen=True, slots=True)
class Ask:
    """The protection that one sleeve asks for of one symbol, in per cent of a price."""

    stop_loss_pct: Decimal | None = None
    trailing_stop_pct: Decimal | None = None


class Protections:
    """What each sleeve last asked for; it stays asked for on days without a decision."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, sleeve: str) -> dict[str, Ask]:
        """Return what a sleeve asked for, by symbol."""
        with self._store.begin() as connection:
            rows = connection.execute(select(protections).where(protections.c.sleeve == sleeve))
            return {
                row.symbol: Ask(row.stop_loss_pct, row.trailing_stop_pct)
                for row in sorted(rows, key=lambda row: str(row.symbol))
            }

    def remember(self, sleeve: str, decision: Decision) -> None:
        """Keep what a REBALANCE asks for in place of what was asked before.

        A symbol whose signal is HOLD without a level keeps what it has; any other symbol that the
        decision asks nothing for loses its protection. Other answers change nothing.
        """
        if decision.outcome is not DecisionOutcome.REBALANCE:
            return
        before = self.of(sleeve)
        asked = asked_for(decision.signals, before)
        if asked == before:
            return
        rows = [
            {
                "sleeve": sleeve,
                "symbol": symbol,
                "stop_loss_pct": ask.stop_loss_pct,
                "trailing_stop_pct": ask.trailing_stop_pct,
            }
            for symbol, ask in asked.items()
        ]
        with self._store.begin() as connection:
            connection.execute(delete(protections).where(protections.c.sleeve == sleeve))
            if rows:
                connection.execute(insert(protections), rows)


def asked_for(signals: Sequence[Signal], before: Mapping[str, Ask]) -> dict[str, Ask]:
    """Return what a decision's signals ask for, by symbol; of several the tightest counts."""
    asked: dict[str, Ask] = {}
    for signal in signals:
        ask = Ask(signal.stop_loss_pct, signal.trailing_stop_pct)
        if ask == Ask() and signal.action is SignalAction.HOLD:
            ask = before.get(signal.symbol, ask)
        known = asked.get(signal.symbol, Ask())
        tightest = Ask(
            _least(known.stop_loss_pct, ask.stop_loss_pct),
            _least(known.trailing_stop_pct, ask.trailing_stop_pct),
        )
        if tightest != Ask():
            asked[signal.symbol] = tightest
    return dict(sorted(asked.items()))


@dataclass(frozen=True, slots=True)
class Holding:
    """One symbol as the account holds it, and what its sleeves ask for.

    Parameters
    ----------
    symbol : str
    owners : tuple of Contribution
        Every sleeve that has some of it, with its shares.
    asks : mapping of str to Ask
        By sleeve; of those that ask for something.
    cost_usd : Decimal
        What a share cost on average, with fees.
    quote : Quote or None
    """

    symbol: str
    owners: tuple[Contribution, ...]
    asks: Mapping[str, Ask]
    cost_usd: Decimal
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Protected:
    """What `protect` did: how many orders it sent or took off, and what a report must say."""

    moves: int = 0
    notes: tuple[str, ...] = ()


def watch(desk: Desk) -> tuple[JournalOrder, ...]:
    """Ask what became of every resting stop; its fills are booked. Return those that sold."""
    asked = desk.journal.resting()
    for order in asked:
        learn(desk, order)
    return tuple(order for order in asked if desk.journal.booked_quantity(order.client_id))


def protect(
    desk: Desk,
    run_key: str,
    holdings: Sequence[Holding],
    may_send: Callable[[Leg], Verdict],
    *,
    untouchable: frozenset[str] = frozenset(),
) -> Protected:
    """Give every holding the stop that its sleeves ask for, and take off what is not asked for.

    Requires that `watch` was called and the holdings were read after it. A stop that is right
    stays as it is. One whose cancel is not confirmed gets no successor.

    Parameters
    ----------
    desk : Desk
    run_key : str
    holdings : sequence of Holding
    may_send : callable
        Asked immediately before each stop is placed.
    untouchable : frozenset of str
        Symbols on which broker and ledger disagree or an order is unresolved.
    """
    resting = {order.symbol: order for order in desk.journal.resting()}
    wishes = {h.symbol: h for h in holdings if _covered(h, desk) and h.symbol not in untouchable}
    idle = [o for s, o in resting.items() if s not in wishes and s not in untouchable]
    cancel(desk, idle)
    notes: list[str] = []
    drafts: list[Draft] = []
    for symbol, holding in wishes.items():
        if holding.quote is None:
            notes.append(_missing(symbol, "no price"))
            continue
        draft = _draft(desk, holding, holding.quote)
        if symbol not in resting or not _may_stay(desk, resting[symbol], draft):
            drafts.append(draft)
    for order in desk.journal.write(run_key, drafts):
        problem = _placed(desk, order, resting.get(order.symbol), may_send)
        if problem:
            notes.append(_missing(order.symbol, problem))
    return Protected(len(idle) + len(drafts), tuple(notes))


def _placed(
    desk: Desk,
    order: JournalOrder,
    old: JournalOrder | None,
    may_send: Callable[[Leg], Verdict],
) -> str:
    """Replace a symbol's stop by `order`; return why that did not succeed, blank when it did."""
    verdict = may_send(order.leg)
    keeps_old = old is not None and not verdict.approved
    if verdict.approved and old is not None:
        verdict = taken_off(desk, [old])
    if not verdict.approved:
        withdraw(desk, order, verdict)
        return "" if keeps_old else verdict.detail
    submit(desk, desk.journal.submitting(order))
    recorded = desk.journal.get(order.client_id)
    if not recorded.status.is_final:
        learn(desk, recorded)
        recorded = desk.journal.get(order.client_id)
    if recorded.status in (OrderStatus.SUBMITTED, OrderStatus.FILLED):
        return ""
    return recorded.detail or f"the broker says {recorded.status.value}"


def _missing(symbol: str, why: str) -> str:
    return f"{ReasonCode.STOP_MISSING}: {symbol}: {why}"


# ── What the stop of a holding is ──────────────────────────────────────────────────────


def _covered(holding: Holding, desk: Desk) -> Decimal:
    """Return the shares of the sleeves that ask for a stop, in whole lots."""
    lot = desk.broker.rules.lot_shares
    shares = sum((o.amount for o in holding.owners if o.sleeve in holding.asks), _ZERO)
    return shares // lot * lot


def _draft(desk: Desk, holding: Holding, quote: Quote) -> Draft:
    purchases = _since_opened(desk.journal.purchases(holding.symbol))
    terms = _terms(desk, holding, purchases)
    trails = terms.order_type is OrderType.TRAILING_STOP
    return Draft(
        _leg(holding, _covered(holding, desk), quote),
        Purpose.TRAILING if trails else Purpose.STOP,
        terms,
        purchases[-1].order.client_id if purchases else None,
    )


def _terms(desk: Desk, holding: Holding, purchases: Sequence[Purchase]) -> OrderTerms:
    asks = [holding.asks[o.sleeve] for o in holding.owners if o.sleeve in holding.asks]
    losses = [ask.stop_loss_pct for ask in asks if ask.stop_loss_pct is not None]
    trails = [ask.trailing_stop_pct for ask in asks if ask.trailing_stop_pct is not None]
    paid = _average(purchases)
    is_split = paid is None or abs(paid / holding.cost_usd - 1) > _SAME_SHARES
    level: Decimal | None = None
    if losses:
        # What the orders paid; unless it was for other shares than those that are held now.
        price = holding.cost_usd if paid is None or is_split else paid
        tick = desk.broker.rules.tick_usd
        level = max(price * (1 - min(losses) / _HUNDRED) // tick * tick, tick)
    if not trails:
        return OrderTerms(OrderType.STOP, stop_price_usd=level, time_in_force=TimeInForce.GTC)
    if not is_split:
        level = _most(level, _last_trigger(desk, holding.symbol, purchases))
    return OrderTerms(
        OrderType.TRAILING_STOP,
        stop_price_usd=level,
        trailing_ratio=min(trails) / _HUNDRED,
        time_in_force=TimeInForce.GTC,
    )


def _last_trigger(desk: Desk, symbol: str, purchases: Sequence[Purchase]) -> Decimal | None:
    """Return how far a trailing stop had come: one that takes its place begins no lower."""
    stops = desk.journal.protecting(symbol)
    if not stops or stops[-1].purpose is not Purpose.TRAILING:
        return None
    last = stops[-1]
    opened_anew = bool(purchases) and purchases[0].order.created_at > last.created_at
    if opened_anew or last.status is OrderStatus.FILLED:
        return None
    return last.terms.stop_price_usd


def _since_opened(purchases: Sequence[Purchase]) -> Sequence[Purchase]:
    """Return the purchases that made the present holding: from the last one that began it."""
    first = 0
    for number, purchase in enumerate(purchases):
        if not purchase.order.leg.current_quantity:
            first = number
    return purchases[first:]


def _average(purchases: Sequence[Purchase]) -> Decimal | None:
    shares = sum((p.quantity for p in purchases), _ZERO)
    spent = sum((p.quantity * p.average_price_usd for p in purchases), _ZERO)
    return spent / shares if shares else None


def _leg(holding: Holding, quantity: Decimal, quote: Quote) -> Leg:
    """Return what the ledger needs to attribute the sale: who keeps what after it."""
    held = sum((owner.amount for owner in holding.owners), _ZERO)
    kept = held - quantity
    return Leg(
        symbol=holding.symbol,
        side=Side.SELL,
        quantity=quantity,
        price_usd=quote.price_usd,
        price_at=quote.at,
        target_usd=kept * quote.price_usd,
        current_usd=held * quote.price_usd,
        target_quantity=kept,
        current_quantity=held,
        exact_quantity=kept,
        contributors=tuple(
            Contribution(owner.sleeve, _ZERO if owner.sleeve in holding.asks else owner.amount)
            for owner in holding.owners
        ),
    )


def _may_stay(desk: Desk, stop: JournalOrder, wish: Draft) -> bool:
    """Tell whether a stop is as wished, and young; a new one that trails would begin anew."""
    is_old = has_rested_long(desk, stop) and wish.terms.order_type is OrderType.STOP
    return not is_old and _is_as_wished(stop, wish)


def _is_as_wished(stop: JournalOrder, wish: Draft) -> bool:
    has, wants = stop.terms, wish.terms
    if (stop.quantity, has.order_type, has.trailing_ratio) != (
        wish.leg.quantity,
        wants.order_type,
        wants.trailing_ratio,
    ):
        return False
    if wants.order_type is OrderType.STOP:
        return has.stop_price_usd == wants.stop_price_usd
    # Its trigger, as last seen, has come at least as far as is asked for.
    return (has.stop_price_usd or _ZERO) >= (wants.stop_price_usd or _ZERO)


def _least(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _most(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((each for each in (one, other) if each is not None), default=None)
