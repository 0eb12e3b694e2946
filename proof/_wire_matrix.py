"""What came of the cases on the wires: figures, and a table of fault and broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from proof._wire_cases import BROKERS, Cut, Trouble
from proof._wires import INVARIANTS, Tried
from quant_platform_kit.brokers import Fault
from quant_platform_kit.simulators import WireFault

Table = list[list[str]]
"""Rows of cells; the first one has the headings."""

_NAMES: Final = {"ibkr": "IBKR", "schwab": "Schwab", "longbridge": "LongBridge"}
_NOT_THERE: Final = "–"


def broken(tried: Sequence[Tried]) -> list[str]:
    """Return what broke, each with the command that tries it again."""
    return [each.broke for each in tried if each.broke]


def lines(tried: Sequence[Tried]) -> Iterator[str]:
    """Return the figures as text."""
    struck = [each for each in tried if each.struck]
    brokers = ", ".join(
        f"{_NAMES[name]} {sum(each.case.broker == name for each in struck):,}" for name in BROKERS
    )
    yield f"runs in which the fault struck: {len(struck):,} ({brokers})"
    idle = len(tried) - len(struck)
    yield f"runs in which it had no occasion, which are judged too but not in the table: {idle:,}"
    names = {
        what: sum(t.broke.startswith(name) for t in tried) for name, what in INVARIANTS.items()
    }
    yield ", ".join(f"{what} {times}" for what, times in names.items())
    yield f"invariants broken, these among them: {len(broken(tried))}"
    again = [each for each in struck if each.attempts > 1]
    attempts = max((each.attempts for each in struck), default=0)
    yield (f"slots that had to be asked for again: {len(again):,}, at most {attempts - 1} times")
    same = sum(each.same for each in struck)
    yield f"the next day's holdings exactly those of a run without a fault: {same:,}"
    longest = max((each.longest_secs for each in tried), default=0.0)
    yield f"longest call of a broker: {longest:.1f} s"
    outcomes = Counter(each.outcome for each in struck)
    told = ", ".join(f"{word} {times:,}" for word, times in outcomes.most_common())
    yield f"outcomes of the slots while the fault was there: {told}"


def table(tried: Sequence[Tried]) -> Table:
    """Return the matrix: for each fault and broker, how many runs and how their slots came out."""
    rows: Table = [["fault", *(_NAMES[name] for name in BROKERS)]]
    for trouble in (*Cut, *WireFault, *Fault):
        cells = [_cell(tried, trouble, name) for name in BROKERS]
        if set(cells) != {_NOT_THERE}:
            rows.append([_title(trouble), *cells])
    return rows


def _cell(tried: Sequence[Tried], trouble: Trouble, broker: str) -> str:
    here = [t for t in tried if t.case.broker == broker and t.case.trouble is trouble]
    words = Counter(each.outcome.split(" ")[0] for each in here if each.struck and each.outcome)
    if not here:
        return _NOT_THERE
    said = ", ".join(f"{word} {times}" for word, times in sorted(words.items(), reverse=True))
    broke = sum(bool(each.broke) for each in here)
    cell = f"{words.total()}: {said}" if said else "0"
    return cell + (f", **{broke} broken**" if broke else "")


def _title(trouble: Trouble) -> str:
    kind = " (book)" if isinstance(trouble, Fault) else ""
    return trouble.value.replace("wire_reject", "reject").replace("_", " ") + kind
