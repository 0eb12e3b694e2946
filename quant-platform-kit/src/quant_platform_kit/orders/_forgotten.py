"""Orders of earlier sessions that the broker shows no more: what the account holds tells of them.

Some brokers show today's orders and executions alone. A stop that filled or was taken off after
the day's last run, or an order whose run was cut off and never resumed, is then nowhere to be
found. It works no more, or it would be shown; whether something came of it, the holdings say.

A stop that has rested for months may rest on where a broker looks back no farther. It is renewed
before; one that was not, a person looks up.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from quant_platform_kit.contracts import OrderStatus
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.orders._execute import Desk, has_rested_long, is_of_an_earlier_session
from quant_platform_kit.orders._rows import JournalOrder

_UNCHANGED = "The broker does not show it any more, and holds what the ledger holds."
_EXPLAINED = "An operator accepted what the broker holds in its symbol; it counts as ended."


def conclude(
    desk: Desk, agrees: Callable[[str], bool], *, accepted: AbstractSet[str] = frozenset()
) -> tuple[JournalOrder, ...]:
    """End the unresolved orders of earlier sessions of which the holdings tell.

    Requires that `recover` was called, and that the holdings were read after it.

    Parameters
    ----------
    desk : Desk
    agrees : callable
        Whether broker and ledger hold the same of a symbol: then nothing came of its order, or all
        that came of it is booked.
    accepted : set of str
        Symbols in which an operator has explained a difference: there an order also ends that the
        broker shows as ended, and whose executions cannot be had any more.

    Returns
    -------
    tuple of JournalOrder
        Those that have ended now.
    """
    ended = []
    for order in desk.journal.unfinished():
        is_explained, is_same = order.symbol in accepted, agrees(order.symbol)
        if not is_of_an_earlier_session(desk, order):
            continue  # what came of an order of today may merely not have been told yet
        if not (is_explained or (is_same and not has_rested_long(desk, order))):
            continue
        seen = desk.broker.find_order(order.client_id)
        if seen is not None and not (is_explained and seen.status.is_final):
            continue
        desk.journal.mark(
            order.client_id,
            OrderStatus.CANCELLED,
            code=_code_of(order) if is_same else ReasonCode.ORDER_UNRESOLVED,
            detail=_UNCHANGED if is_same else _EXPLAINED,
        )
        ended.append(desk.journal.get(order.client_id))
    return tuple(ended)


def _code_of(order: JournalOrder) -> ReasonCode:
    return ReasonCode.STOP_REMOVED if order.purpose.protects else ReasonCode.NOT_FILLED
