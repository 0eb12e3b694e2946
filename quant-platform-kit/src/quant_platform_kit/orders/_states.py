"""Where an order can go from where it stands: one pure table.

What is heard of an order is itself a status: "it is now so". It moves the order, or is old news,
or cannot be true beside what is known already.

::

    PENDING ──► SUBMITTING ──► SUBMITTED ──► PARTIAL ──► FILLED | CANCELLED | EXPIRED
       │             │             │            │
       │             ├─────────────┴──► REJECTED│
       ▼             ▼                          ▼
    CANCELLED    UNRESOLVED ◄───────────────────┘   becomes whatever a query proves

Nothing leads back: news that arrive late or twice change nothing, and a final state is never left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quant_platform_kit.contracts import OrderStatus

_S = OrderStatus
FINAL: Final = frozenset(status for status in _S if status.is_final)

_MOVES: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    _S.PENDING: frozenset({_S.SUBMITTING, _S.CANCELLED}),
    _S.SUBMITTING: frozenset({_S.SUBMITTED, _S.PARTIAL, _S.UNRESOLVED}) | FINAL,
    _S.SUBMITTED: frozenset({_S.PARTIAL, _S.UNRESOLVED}) | FINAL,
    _S.PARTIAL: frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.UNRESOLVED}),
    _S.UNRESOLVED: frozenset({_S.SUBMITTED, _S.PARTIAL}) | FINAL,
}

_CANNOT_BE: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    # What was never handed over nobody else can have.
    _S.PENDING: frozenset(_S) - {_S.PENDING, _S.SUBMITTING, _S.CANCELLED},
    _S.PARTIAL: frozenset({_S.REJECTED}),
    # An order has one end, and one that was refused has no fill.
    _S.FILLED: FINAL - {_S.FILLED},
    _S.CANCELLED: FINAL - {_S.CANCELLED},
    _S.EXPIRED: FINAL - {_S.EXPIRED},
    _S.REJECTED: (FINAL | {_S.PARTIAL}) - {_S.REJECTED},
}


def after(state: OrderStatus, news: OrderStatus) -> OrderStatus | None:
    """Return the state of an order in `state` of which `news` are heard.

    None when both cannot be true.
    """
    if news in _CANNOT_BE.get(state, ()):
        return None
    return news if news in _MOVES.get(state, ()) else state


def open_to(news: OrderStatus) -> tuple[OrderStatus, ...]:
    """Return the states in which `news` are to be recorded: they move it, or are of itself.

    A final state is recorded once; of one that is not, a better reason may still be heard.
    """
    return tuple(state for state in _S if state not in FINAL and after(state, news) is news)
