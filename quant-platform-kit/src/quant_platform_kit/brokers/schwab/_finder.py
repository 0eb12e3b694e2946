"""Finds our orders among Schwab's: by the id that was answered, or else by what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from quant_platform_kit.brokers.schwab._orders import is_match, is_same
from quant_platform_kit.brokers.schwab._tags import Fate, SentOrder, TagMemory
from quant_platform_kit.contracts import BrokerOrder, OrderRequest
from quant_platform_kit.errors import BrokerAnswerError, TransientError
from quant_platform_kit.market import Clock

OrderJson = Mapping[str, Any]


class Finder:
    """The memory of what was sent, and what it says about Schwab's lists.

    Parameters
    ----------
    tags : TagMemory
    clock : Clock
    settle_secs : float
        How long an order without an answer may take to show up.
    """

    def __init__(self, tags: TagMemory, clock: Clock, settle_secs: float) -> None:
        self._tags = tags
        self._clock = clock
        self._settle = timedelta(seconds=settle_secs)

    def sent(self, client_id: str) -> SentOrder | None:
        """Return what was sent under a client id."""
        return self._tags.orders().get(client_id)

    def remember(self, order: OrderRequest, here: Sequence[BrokerOrder]) -> SentOrder:
        """Remember an order that is about to be sent, and the symbol's orders of before.

        Raises
        ------
        TransientError
            When it cannot be kept: the order must not be sent.
        """
        known = tuple(each.broker_order_id for each in here)
        sent = SentOrder(order, self._clock.now(), known)
        self._tags.note(sent)
        return sent

    def bind(self, sent: SentOrder, order_id: str) -> None:
        """Remember the id of an order."""
        self._learned(replace(sent, fate=Fate.BOUND, order_id=order_id))

    def unbind(self, sent: SentOrder) -> SentOrder:
        """Forget an id that turned out to be another order's, and return what is left.

        Schwab's predecessor was seen to answer with the id of a stop that triggered meanwhile.
        """
        unnamed = replace(sent, fate=Fate.SENT, order_id=None)
        self._learned(unnamed)
        return unnamed

    def absent(self, sent: SentOrder) -> None:
        """Remember that Schwab does not have an order: nothing is taken for it any more."""
        self._learned(replace(sent, fate=Fate.ABSENT))

    def client_ids(self, listed: Sequence[OrderJson]) -> Mapping[str, str]:
        """Return our client ids by order id; lost and wrong answers are put right on the way."""
        by_id = {str(order["orderId"]): order for order in listed}
        for sent in list(self._tags.orders().values()):
            shown = by_id.get(sent.order_id or "")
            if shown is not None and not is_same(shown, sent.request):
                self.match(self.unbind(sent), listed)
            elif sent.fate is Fate.SENT:
                self.match(sent, listed)
        return {
            sent.order_id: client_id
            for client_id, sent in self._tags.orders().items()
            if sent.order_id is not None
        }

    def match(self, sent: SentOrder, listed: Sequence[OrderJson]) -> OrderJson | None:
        """Return the order that was sent, and remember its id; None when it is not listed.

        Raises
        ------
        BrokerAnswerError
            When more than one could be it.
        """
        taken = {each.order_id for each in self._tags.orders().values()}
        found = [o for o in listed if str(o["orderId"]) not in taken and is_match(o, sent)]
        if len(found) > 1:
            symbol = sent.request.symbol
            raise BrokerAnswerError(
                f"{len(found)} orders at Schwab could be the one for {symbol} whose answer was "
                "lost; which is ours cannot be told and nothing more was sent. Look at them at "
                "Schwab and cancel what nobody wants.",
                symbol=symbol,
            )
        if not found:
            return None
        self.bind(sent, str(found[0]["orderId"]))
        return found[0]

    def wait_until_settled(self, sent: SentOrder) -> None:
        """Wait as long as an order may still show up."""
        left = sent.sent_at + self._settle - self._clock.now()
        self._clock.sleep(min(left, self._settle).total_seconds())  # a clock may be set back

    def _learned(self, sent: SentOrder) -> None:
        # What cannot be written down now is found out again: the order itself is remembered.
        with suppress(TransientError):
            self._tags.note(sent)
