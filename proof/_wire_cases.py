"""What is tried on the wires: every fault that a broker's wire can have, at every occasion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, TypeAlias

from quant_platform_kit.brokers import Fault
from quant_platform_kit.simulators import WIRES, Occasion, WireFault

BROKERS: Final = tuple(WIRES)
LONG_WAITS: Final = frozenset(
    {
        WireFault.NO_ANSWER,
        WireFault.SLOW_ANSWER,
        WireFault.MALFORMED,
        WireFault.CONNECTIVITY_LOST,
        WireFault.EMPTY_POSITIONS_LOST,
    }
)
"""Faults that are waited out, for as long as an adapter's deadlines say."""

_ROUNDS: Final = {False: 1, True: 2}
_CUTS: Final = {False: 2, True: 12}  # of each kind in a round
_EVERY: Final = 10  # of the cases of a round, the short form has one in so many
_OCCASIONS: Final = (1, 1, 2, 3, None)  # None: on every one


class Cut(StrEnum):
    """What happens to the line or to a process, at a moment of the run.

    - DROP: every connection is cut; new ones are let in.
    - UNPLUG: the same, and no new one is let in until the run is over.
    - RESTART: the broker's program is killed and started again, and knows what it had booked.
    - KILL: the process with the broker's SDK is killed.
    """

    DROP = "cut connections"
    UNPLUG = "unplugged"
    RESTART = "broker's program killed"
    KILL = "adapter's process killed"


Trouble: TypeAlias = WireFault | Fault | Cut
_TROUBLES: Final[dict[str, Trouble]] = {
    f"{kind.__name__}.{trouble.name}": trouble
    for kind in (WireFault, Fault, Cut)
    for trouble in kind
}


@dataclass(frozen=True, slots=True)
class WireCase:
    """One case, and how the command line has it: ``ibkr:WireFault.NO_ANSWER:SUBMIT:2``.

    Parameters
    ----------
    broker : str
    trouble : WireFault, Fault or Cut
    occasion : Occasion, optional
        Where a fault of the wire strikes.
    nth : int, optional
        The occasion on which the fault strikes, None (``*``) means on every one; for a cut, the
        part of the undisturbed run, in per cent, after which it comes.
    stops : bool
        Whether every holding is protected by a stop, before and after (``s`` at the end).
    in_flight : bool
        Whether a cut comes while a call is under way (``f`` at the end), and not between two.
    """

    broker: str
    trouble: Trouble
    occasion: Occasion | None
    nth: int | None
    stops: bool = False
    in_flight: bool = False

    @classmethod
    def parse(cls, text: str) -> WireCase:
        """Read a case from the command line.

        Raises
        ------
        ValueError
            When it is not written as one.
        """
        broker, trouble, occasion, turn = text.split(":")
        number = turn.rstrip("sf")
        marks = turn.removeprefix(number)
        if broker not in WIRES or trouble not in _TROUBLES or marks not in ("", "s", "f", "sf"):
            raise ValueError(text)
        return cls(
            broker,
            _TROUBLES[trouble],
            None if occasion == "-" else Occasion[occasion],
            None if number == "*" else int(number),
            stops="s" in marks,
            in_flight="f" in marks,
        )

    def __str__(self) -> str:
        """Return the case as the command line takes it."""
        kind = f"{type(self.trouble).__name__}.{self.trouble.name}"
        occasion = "-" if self.occasion is None else self.occasion.name
        marks = "s" * self.stops + "f" * self.in_flight
        return f"{self.broker}:{kind}:{occasion}:{self.nth or '*'}{marks}"


def cases(*, long: bool) -> tuple[WireCase, ...]:
    """Return the whole matrix, several times over; or a sample of it that takes no long waits."""
    dice = Random(5)  # noqa: S311 (chance that repeats is what is wanted)
    found = [case for _ in range(_ROUNDS[long]) for case in _round(dice, _CUTS[long])]
    dice.shuffle(found)
    unique = tuple(dict.fromkeys(found))
    if long:
        return unique
    return tuple(case for case in unique if case.trouble not in LONG_WAITS)[::_EVERY]


def _round(dice: Random, cuts: int) -> Iterator[WireCase]:
    for broker, wire in WIRES.items():
        for fault, occasions in wire.faults.items():
            for occasion in sorted(occasions):
                # A stop is what a run that goes well cancels.
                stops = occasion is Occasion.CANCEL or dice.random() < 1 / 2
                once = occasion in {Occasion.CONNECT, Occasion.RENEW}
                nth = dice.choice((1, None) if once else _OCCASIONS)
                yield WireCase(broker, fault, occasion, nth, stops)
        for book in Fault:
            for nth in (1, 2, None):
                yield WireCase(broker, book, None, nth, dice.random() < 1 / 2)
        for cut in Cut:
            for _ in range(cuts):
                stops, in_flight = dice.random() < 1 / 2, dice.random() < 1 / 2
                yield WireCase(broker, cut, None, dice.randint(1, 99), stops, in_flight)
