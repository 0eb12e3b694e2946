"""What a broker card is: a number, what it needs, what is done, and what has to come of it.

A card's texts stand in the docstring of its function, and nowhere else::

    @DECK.card(11, takes(OrderType.MARKET))
    def a_market_purchase_becomes_a_position(bench: BrokerBench) -> None:
        \"\"\"Require the order filled whole, held, and no longer working.

        Given: a fresh account.            (the bench's own when left out)
        Do: buy ten shares at market.
        Expect: an acknowledgement and one execution.
        \"\"\"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from quant_platform_kit.contracts import Capabilities, OrderType
from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators import Occasion, WireFault
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._expect import NotApplicable

Action: TypeAlias = Callable[[BrokerBench], None]
"""Raises `AssertionError` where the bench's broker breaks the contract of `Broker`."""

_USUAL: Final = "a fresh account with cash alone, the exchange open."
_LABELS: Final = ("Given", "Do", "Expect")
_REQUIRE: Final = "Require "
_GENITIVE: Final = re.compile("_s(?=_|$)")
_NO_WIRE: Final = "no wire lies between this broker and its book"


@dataclass(frozen=True, slots=True)
class Need:
    """What a card cannot do without.

    Parameters
    ----------
    lacking : callable
        Why a bench does not have it; blank when it does.
    fault : WireFault, optional
        The fault of the wire that is needed; it has to strike, or the card proved nothing.
    """

    lacking: Callable[[BrokerBench], str]
    fault: WireFault | None = None


@dataclass(frozen=True, slots=True)
class BrokerCard:
    """One numbered demand on every `Broker`; calling it holds a bench's broker against it.

    Parameters
    ----------
    number : str
        Never given to another card, such as ``BRK-011``.
    group : str
        Which part of the contract it belongs to.
    action : callable
    needs : tuple of Need
    is_safe : bool
        Whether it may be tried on somebody's paper account: it only looks, or hands in one tiny
        limit order far from the market and takes it back.
    """

    number: str
    group: str
    action: Action
    needs: tuple[Need, ...]
    is_safe: bool

    def __call__(self, bench: BrokerBench) -> None:
        """Raise `AssertionError` where the broker breaks the card.

        Raises
        ------
        NotApplicable
            When the bench lacks what the card needs; the message says what.
        """
        lacking = self.lacking(bench)
        if lacking:
            raise NotApplicable(lacking)
        self.action(bench)
        for fault in self.faults:
            bench.wires.expect_struck(fault)

    def __str__(self) -> str:
        """Return number and title."""
        return f"{self.number} {self.title}"

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.action.__name__

    @property
    def title(self) -> str:
        """The name in words."""
        return _GENITIVE.sub("'s", self.name).replace("_", " ")

    @property
    def faults(self) -> tuple[WireFault, ...]:
        """The faults of the wire that strike."""
        return tuple(need.fault for need in self.needs if need.fault is not None)

    @property
    def prerequisites(self) -> str:
        """What there is before the action."""
        return self._text.get("Given", _USUAL)

    @property
    def steps(self) -> str:
        """What is done."""
        return self._text["Do"]

    @property
    def events(self) -> str:
        """What is expected to happen."""
        return self._text["Expect"]

    @property
    def criteria(self) -> str:
        """What has to be so for the card to pass."""
        return self._text[_REQUIRE].removeprefix(_REQUIRE)

    @property
    def _text(self) -> Mapping[str, str]:
        return _parse(self.name, self.action.__doc__ or "")

    def lacking(self, bench: BrokerBench) -> str:
        """Return why the card has nothing to ask of the bench; blank when it has."""
        if bench.is_real and not self.is_safe:
            return "not for a real account, on which only what is safe is tried"
        return next(filter(None, (need.lacking(bench) for need in self.needs)), "")


class Deck:
    """The cards of one group, in the order in which they are written.

    Parameters
    ----------
    group : str
        What they are about.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.cards: list[BrokerCard] = []

    def card(self, number: int, *needs: Need, safe: bool = False) -> Callable[[Action], BrokerCard]:
        """Return a decorator that makes a card of a function and puts it into the deck."""

        def made(action: Action) -> BrokerCard:
            card = BrokerCard(f"BRK-{number:03}", self.group, action, needs, safe)
            self.cards.append(card)
            return card

        return made


def _parse(name: str, text: str) -> Mapping[str, str]:
    """Return the paragraphs of a card's docstring by what they begin with.

    Raises
    ------
    ContractError
        When one is missing.
    """
    label, found = _REQUIRE, {_REQUIRE: ""}
    for line in text.splitlines():
        head, colon, rest = line.strip().partition(": ")
        if colon and head in _LABELS:
            label, found[head] = head, rest
        else:
            found[label] = f"{found[label]} {line.strip()}".strip()
    missing = [each for each in _LABELS[1:] if not found.get(each)]
    if missing or not found[_REQUIRE].startswith(_REQUIRE):
        raise ContractError(
            f"broker card {name}: its docstring begins with {_REQUIRE.strip()!r} and has "
            f"{', '.join(f'{each}:' for each in _LABELS[1:])}"
        )
    return found


def dealt(decks: Iterable[Deck]) -> tuple[BrokerCard, ...]:
    """Return the cards of all decks; each number stands once.

    Raises
    ------
    ContractError
        When a number was given twice.
    """
    cards = [card for deck in decks for card in deck.cards]
    numbers = [card.number for card in cards]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ContractError(f"broker cards {', '.join(twice)}: a number was given twice")
    return tuple(cards)


# ── Needs ──────────────────────────────────────────────────────────────────────────────


def strikes(fault: WireFault, *occasions: Occasion) -> Need:
    """Need a wire that can have a fault on one of the occasions."""

    def lacking(bench: BrokerBench) -> str:
        if bench.wire is None:
            return _NO_WIRE
        found = [bench.wire.facts.lacking(fault, occasion) for occasion in occasions]
        return "" if "" in found else found[0]

    return Need(lacking, fault)


def takes(*kinds: OrderType) -> Need:
    """Need a broker that takes orders of these types."""

    def lacking(bench: BrokerBench) -> str:
        can = bench.capabilities
        missing = [kind.value for kind in kinds if kind not in can.order_types]
        return f"{can.display_name} takes no {' and no '.join(missing)} orders" if missing else ""

    return Need(lacking)


def claims(holds: Callable[[Capabilities], bool], otherwise: str) -> Need:
    """Need a broker whose capabilities are so; `otherwise` says what it is to lack that."""
    return Need(
        lambda bench: (
            "" if holds(bench.capabilities) else f"{bench.capabilities.display_name} {otherwise}"
        )
    )


def _needs(holds: Callable[[BrokerBench], bool], otherwise: str) -> Need:
    return Need(lambda bench: "" if holds(bench) else otherwise)


WIRE: Final = _needs(lambda b: b.wire is not None, _NO_WIRE)
BOOK_FAULTS: Final = _needs(lambda b: b.faults is not None, "its book has no switches for faults")
NEXT_SESSION: Final = _needs(lambda b: not b.is_dry, "a dry run ends with its session")
CANCELS_THERE: Final = _needs(lambda b: not b.is_dry, "a dry run cancels nothing at the broker")
MOVING_PRICE: Final = _needs(lambda b: b.moving is not None, "no price moves on this bench")
CAN_WAIT: Final = _needs(
    lambda b: b.wire is None or b.wire.ends_calls,
    "its SDK holds the interpreter while it waits; BRK-191 ends it from outside",
)
LOGINS: Final = _needs(lambda b: b.logins is not None, "a connection in this process has no login")
ISOLATION: Final = _needs(
    lambda b: b.isolated is not None, "nothing here runs in a process of its own"
)
A_TAG: Final = claims(lambda can: can.client_tag is not None, "keeps no client id with an order")
NO_TAG: Final = claims(lambda can: can.client_tag is None, "keeps the client id with an order")
