"""What the commands share: their options, and the ways they answer and end."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
JsonOption = Annotated[bool, typer.Option("--json", help="Print canonical JSON and nothing else.")]
WhyOption = Annotated[str, typer.Option("--why", help="The reason; kept in the audit log.")]
WhoOption = Annotated[
    str | None, typer.Option("--who", help="Who does this; the system's user when left out.")
]


@contextmanager
def runtime(platform: Platform) -> Iterator[Runtime]:
    """Open a platform's runtime for the block."""
    from quant_platform_kit.runtime import open_runtime  # not paid for by `qpk --help`

    with closing(open_runtime(load_settings(platform))) as opened:
        yield opened


@contextmanager
def controls(platform: Platform, *, to_change: bool) -> Iterator[Controls]:
    """Open what a command of risk needs, whatever state strategy and limits are in."""
    from quant_platform_kit.runtime import open_controls

    with closing(open_controls(load_settings(platform), to_change=to_change)) as opened:
        yield opened


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
    print(canonical(value), flush=True)  # noqa: T201 (a command talks)


def end(code: ExitCode, message: str) -> NoReturn:
    """End the command with a line on standard error."""
    print(f"qpk: {message}", file=sys.stderr)  # noqa: T201 (a command talks)
    sys.exit(code)
