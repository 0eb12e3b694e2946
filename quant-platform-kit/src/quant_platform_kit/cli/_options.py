"""What the commands share: their options, and the ways they answer and end."""

from __future__ import annotations

import io
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.contracts import canonical
from quant_platform_kit.settings import Platform, load_settings

if TYPE_CHECKING:
    from quant_platform_kit.runtime import Controls, Runtime

PlatformOption = Annotated[
    Platform, typer.Option("--platform", "-p", help="Whose settings and state to use.")
]


def one_line(text: str) -> str:
    """Refuse what would break the lines of a log, or move a terminal's cursor."""
    if not text.isprintable():
        raise typer.BadParameter("expected one line of printable characters")
    return text


def instant(text: str) -> datetime:
    """Read an instant that says its zone, as UTC."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter("expected a time with its zone such as 2020-03-31T16:00-04:00")


JsonOption = Annotated[bool, typer.Option("--json", help="Print canonical JSON and nothing else.")]
WhyOption = Annotated[
    str, typer.Option("--why", help="The reason; kept in the audit log.", callback=one_line)
]
WhoOption = Annotated[
    str | None, typer.Option("--who", help="Who does this; the system's user when left out.")
]


@contextmanager
def runtime(platform: Platform) -> Iterator[Runtime]:
    """Open a platform's runtime for the block."""
    from quant_platform_kit.runtime import open_runtime  # not paid for by `qpk --help`

    with closing(open_runtime(load_settings(platform))) as opened:
        try:
            yield opened
        except KeyboardInterrupt:
            end(
                ExitCode.INTERRUPTED,
                "stopped. An order that was sent is still at the broker. A run that was cut off "
                "goes on when its slot is run again: it first asks what became of every order.",
            )


@contextmanager
def controls(platform: Platform, *, to_change: bool) -> Iterator[Controls]:
    """Open what a command of risk needs, whatever state strategy and limits are in."""
    from quant_platform_kit.runtime import open_controls

    with closing(open_controls(load_settings(platform), to_change=to_change)) as opened:
        yield opened
        if to_change and not opened.has_run():
            _tell_of_an_unused(opened.store.path or opened.store.name)


def _tell_of_an_unused(store: Path | str) -> None:
    """Say so where no service can have been meant: its store is another one."""
    where = store.absolute() if isinstance(store, Path) else store
    print(  # noqa: T201 (a command talks)
        f"qpk: note: no run is known in {where}. If the service has run, it has another store, and "
        "this changed nothing for it: give qpk the QPK_STATE_DIR, QPK_STORE_URL and EXECUTION_MODE "
        "of the service.",
        file=sys.stderr,
    )


def operator(who: str | None) -> str:
    """Return who acts: the name given, or the user that the system knows.

    Variables such as USER are not asked: anybody can set them.
    """
    if who is not None:
        return who
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise typer.BadParameter("the system has no name for this user; give --who") from None


def answer(value: object) -> None:
    """Print canonical JSON, at once: a command may go on, and a program reads it meanwhile."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what JSON is in, whatever a terminal speaks
    print(canonical(value), flush=True)  # noqa: T201 (a command talks)


def end(code: ExitCode, message: str) -> NoReturn:
    """End the command with a line on standard error."""
    print(f"qpk: {message}", file=sys.stderr)  # noqa: T201 (a command talks)
    sys.exit(code)
