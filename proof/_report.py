"""The page with the figures, and the file that keeps them between one run and the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.__main__ import machine
from proof._crash import SAMPLED
from proof._simulate import LONG_DAYS, SHORT_DAYS
from proof._wire_cases import cases

_ROOT: Final = Path(__file__).parent.parent
FIGURES: Final = Path(__file__).parent / "figures.json"
DOCUMENT: Final = _ROOT / "docs" / "reliability.md"
_PLATFORM: Final = _ROOT / "quant-platform-kit" / "src"
_TEXT: Final = """\
# Reliability

Written by `make prove` and `make prove-long`. They try to make the platform send an order twice,
lose a fill, or trade what it must not, and count. A broken invariant is printed with the command
that tries its case again, and the exit code is 1.

{forms}
## What is tried

**Crash enumeration.** Plans of one to five legs, sells and buys, each once without stops and once
with a stop under every holding, which is taken off before its symbol is sold and placed anew after.
The platform dies before every
commit of its store, and before and after every call of the broker: between these moments nothing
durable happens. Every death is crossed with the faults of the broker: a reply lost before
acceptance or after it, a partial fill that is then cancelled, a late fill, a duplicate fill, a fill
before its acknowledgement, a failed query for positions, stale open orders, a status that nobody
knows, an answer after the deadline; each strikes on the first occasion, or the second, and so on up
to the number of legs (four at least), or on all of them. Then the platform starts again, with the
broker well, until the slot is consumed. `make prove-long` tries all of it. `make prove` tries every
moment of each plan without a fault (every fourth one with stops), and of each plan with each fault
one moment in {sampled}, spread over the occasions of the fault.

**Simulation.** Each seed is an account of one to three strategies: random prices and decisions
(also none, blocked, and strategies that raise), in half of the accounts with stops and trailing
stops, faults, deaths, restarts, a second process that calls at the same moment, calls again, a
person who trades at the broker, and operators who halt, reduce, resume, pause, cancel, close and
flatten. In the end everything is put in order, and nothing may be left unknown, locked or unequal.
`make prove` and CI have schedules of {short} sessions, `make prove-long` of {long}.

**kill -9.** A gunicorn service, as in production, is killed in the middle of each slot, started
again and asked for the same slot; a second service is left alone. What is killed is the service:
the database server lives.

**Faults of the wires.** Each run is a service on a broker's own SDK, which is in a process of its
own and talks over a socket to a simulator of the broker in another one. It trades a plan of four
legs, in half of the runs with stops under every holding. While the slot runs, one fault strikes:
of the wire (every fault that the broker's protocol has, wherever a client can meet it), of the
broker's book, or a cut: connections cut, the broker unplugged for the rest of the slot, its program
killed and started again, the process with the SDK killed; between two calls or in the middle of
one. Then the broker is well again, half of the services are started anew, and the slot is asked for
until it is consumed; the next session follows. In the end the simulator's own book is held against
the platform's. Deadlines are those of production. A cell of the table says in how many runs the
fault struck, and how their slots came out while it was there: TRADED, BLOCKED before any order, or
FAILED with orders to look up; all of them came to rest afterwards, unless it says otherwise.
`make prove-long` tries {matrix} runs; `make prove-wires` a sample, without the faults that have to
be waited out. A simulator sends what protocol facts say; it does not prove that a broker does.

**Published snapshots.** A bit of a byte of a published version is flipped, its file is cut there,
every file is put in the place of every other one, and a service's loader is asked: it blocks, with
the code that names the cause, or what was spoiled is a blank of the pointer. `make prove-long` does
so at every byte, and gives each byte of the pointer all 255 other values. Publishers, retention,
readers and a person who goes back share a store in an order that a seed decides, call by call;
publishers are killed before a call or after it, and others go on in their place. A reader gets a
version that was current meanwhile, whole; no version changes; the pointer goes back only when told.

What is killed is a process, never the machine: the stores of crash enumeration and simulation lie
in memory. That a commit reaches the disk is SQLite's and PostgreSQL's promise; the settings with
which they keep it are tested with the store.

## What must hold after every step

- No order is sent twice: every client id reaches the broker at most once in its life.
- All attempts of a slot together trade no more than one plan wants, in one direction a symbol.
- Every fill is booked once; shares and cash of all strategies add up to the broker's, to the cent.
- A strategy's shares move by fills alone; nobody's trade by hand passes for a split.
- Every order is in the journal before it is sent, and nothing is sent that cash or holdings do not
  cover.
- Only managed symbols are traded; a frozen or paused strategy has no orders; a closed gate lets
  nothing pass.
- A symbol has one working stop at most, and it is never for more than is held. An operator's
  command buys nothing, and one that takes orders off sends none.
- Every call of a broker is answered by its deadline, or its process is ended.
- The evidence is a whole chain that only grows; each report carries its head; every order that was
  sent and every booked fill is in it, once.
- Every slot has one outcome with a name; a consumed slot repeats its report, byte for byte.
- One run of an account at a time.
- In the end the book is that of an undisturbed run. Where the broker took something away (it never
  saw the order, or cancelled the rest of it), it is less, never more. Where it took nothing away,
  the stops are those of the undisturbed run, too.

## How to repeat it

```
make prove                                           # the short form
make prove-long                                      # the deep one; takes hours
python -m proof simulate --seeds 100000 --long       # one part of it; --record puts it here
python -m proof simulate --seed 17 --trace           # one schedule, byte for byte
python -m proof crash --case 4s:LATE_FILL:2:37       # one crash: legs (s: stops), fault, its
                                                     # occasion, and the moment of death
python -m proof kill --times 50 --database SQLite
python -m proof wires --case schwab:Cut.UNPLUG:-:40s # one fault of a wire: broker, fault, where it
                                                     # strikes, and which time (s: stops)
```
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one part in one form.

    Parameters
    ----------
    title, command : str
        What was tried, and the command that tries it again.
    lines : tuple of str
    seconds : float
    machine, code : str
        What it ran on, and a digest of the platform's code.
    long : bool
        Whether it is the deep form.
    table : list of list of str
        Rows of cells, the first with the headings; empty where the lines say it all.
    """

    title: str
    command: str
    lines: tuple[str, ...]
    seconds: float
    machine: str
    code: str
    long: bool
    table: list[list[str]] = field(default_factory=list)

    @classmethod
    def now(
        cls,
        title: str,
        command: str,
        lines: Iterable[str],
        seconds: float,
        *,
        long: bool,
        table: list[list[str]],
    ) -> Part:
        """Return what was found by the code and on the machine that are here."""
        secs = round(seconds, 1)
        return cls(title, command, tuple(lines), secs, machine(), code(), long, table)


def code(folder: Path = _PLATFORM) -> str:
    """Return a digest of the platform's code."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def record(part: Part, figures: Path = FIGURES, document: Path = DOCUMENT) -> Path:
    """Keep the figures of a part in the place of earlier ones; write the page, return its path."""
    kept = [one for one in read(figures) if (one.title, one.long) != (part.title, part.long)]
    parts = sorted((*kept, part), key=lambda one: (one.long, one.title))
    text = json.dumps([asdict(one) for one in parts], indent=1, ensure_ascii=False)
    figures.write_text(text + "\n", encoding="utf-8")
    document.write_text(render(parts), encoding="utf-8")
    return document


def read(figures: Path = FIGURES) -> list[Part]:
    """Return the figures that are kept."""
    if not figures.exists():
        return []
    kept = json.loads(figures.read_text(encoding="utf-8"))
    return [Part(**{**one, "lines": tuple(one["lines"])}) for one in kept]


def render(parts: Sequence[Part]) -> str:
    """Return the page as Markdown."""
    forms = ""
    for long, name in ((False, "make prove"), (True, "make prove-long")):
        found = [part for part in parts if part.long is long]
        if found:
            minutes = sum(part.seconds for part in found) / 60
            forms += f"## Figures of `{name}` ({minutes:.1f} minutes)\n\n"
            forms += "".join(_shown(part) for part in found)
    days = {"short": _days(SHORT_DAYS), "long": _days(LONG_DAYS)}
    return _TEXT.format(forms=forms, sampled=SAMPLED, matrix=f"{len(cases(long=True)):,}", **days)


def _shown(part: Part) -> str:
    lines = "".join(f"- {line}\n" for line in part.lines)
    return (
        f"### {part.title}\n\n`{part.command}`: {part.seconds:.0f} s on {part.machine}; "
        f"code {part.code}\n\n{lines}\n{_drawn(part.table)}"
    )


def _drawn(table: Sequence[Sequence[str]]) -> str:
    if not table:
        return ""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _days(days: tuple[int, int]) -> str:
    return f"{days[0] + 1} to {days[1] + 1}"
