"""How `qpk` prints for people."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WHOLE = frozenset({"order", "profile", "run"})  # people copy these
_FOLDED = 1.3  # how many times a screen's width a table may fold into it
_ENDLESS = 1_000
_PIPE_WIDTH = 200  # a file or a pipe has no edge to wrap at


def console() -> Console:
    """Return a console on standard output; colours and widths follow the terminal."""
    found = Console(highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found.width = max(found.width, _PIPE_WIDTH)
    return found


def table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; the columns named in `right` hold numbers."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column in _WHOLE,
            overflow="fold",
        )
    return made


def show(rows: Table) -> None:
    """Print a table; on a screen far too narrow for it, such as a phone's, row by row."""
    screen = console()
    endless = screen.options.update_width(_ENDLESS)
    width = Measurement.get(screen, endless, rows).maximum
    if width <= _FOLDED * screen.width:
        screen.print(rows)
        return
    screen.print(rows.title, style="bold")
    for cells in zip(*(column.cells for column in rows.columns), strict=True):
        told = ((column.header, cell) for column, cell in zip(rows.columns, cells, strict=True))
        lines = [f"{name}: {cell}" if name else str(cell) for name, cell in told if cell]
        screen.print("", *lines, sep="\n", soft_wrap=True)
    screen.print()
