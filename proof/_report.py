"""The page with the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.__main__ import machine

_DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "reliability.md"
_TEXT: Final = """\
# Reliability

Written by `{command}`. It tries to make the platform send an order twice, lose a fill, or trade
what it must not, and counts. Machine: {machine}. It took {minutes}.

{parts}
## What is tried

**Crash enumeration.** Plans of one to five legs, sells and buys. The platform dies before every
commit of its store, and before and after every call of the broker: between these moments nothing
durable happens. Every death is crossed with the faults of the broker: a reply lost before
acceptance or after it, a partial fill that is then cancelled, a late fill, a duplicate fill, a fill
before its acknowledgement, a failed query for positions, stale open orders, a status that nobody
knows, an answer after the deadline. Then the platform starts again. {crash_form}

**Simulation.** Each seed is an account of one to three strategies, over {days} sessions: random
prices and decisions (also none, blocked, and strategies that raise), faults, deaths, restarts, a
second process that calls at the same moment, calls again, a person who trades at the broker, and
operators who halt, reduce, resume and pause. In the end everything is put in order, and nothing may
be left unknown, locked or unequal.

**kill -9.** A gunicorn service, as in production, is killed in the middle of each slot, started
again and asked for the same slot; a second service is left alone.

## What must hold after every step

- No order is sent twice: every client id reaches the broker at most once in its life.
- All attempts of a slot together trade no more than one plan wants, in one direction a symbol.
- Every fill is booked once; shares and cash of all strategies add up to the broker's, to the cent.
- A strategy's shares move by fills alone; nobody's trade by hand passes for a split.
- Every order is in the journal before it is sent, and nothing is sent that cash or holdings do not
  cover.
- Only managed symbols are traded; a frozen or paused strategy has no orders; a closed gate lets
  nothing pass.
- Every slot has one outcome with a name; a consumed slot repeats its report, byte for byte.
- One run of an account at a time.
- In the end the book is that of an undisturbed run. Where the broker took something away (it never
  saw the order, or cancelled the rest of it), it is less, never more.

## How to repeat it

```
make prove                                       # the short form
make prove-long                                  # every death; 100,000 long schedules; 50 kills
python -m proof simulate --seeds 100000 --long   # one part of it
python -m proof simulate --seed 17 --trace       # one schedule, byte for byte
python -m proof kill --times 50 --database SQLite
```

A broken invariant is printed with its case or its seed, and the command fails.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one part."""

    title: str
    figures: tuple[str, ...]
    seconds: float


def write(parts: Sequence[Part], *, long: bool, seconds: float) -> Path:
    """Write the page and return its path."""
    _DOCUMENT.write_text(render(parts, machine(), long=long, seconds=seconds), encoding="utf-8")
    return _DOCUMENT


def render(parts: Sequence[Part], machine_line: str, *, long: bool, seconds: float) -> str:
    """Return the page as Markdown."""
    shown = "".join(
        f"## {part.title}: figures\n\n" + "".join(f"- {line}\n" for line in part.figures) + "\n"
        for part in parts
    )
    return _TEXT.format(
        command="make prove-long" if long else "make prove",
        machine=machine_line,
        minutes=f"{seconds / 60:.1f} minutes",
        parts=shown,
        days="ten to twenty" if long else "three to six",
        crash_form="Every moment is tried."
        if long
        else "Without a fault every moment is tried, with one a sample; `make prove-long` "
        "tries all.",
    )
