"""`qpk release drill`: everything that can go wrong, on a copy, with the time it takes."""

from __future__ import annotations

from typing import Annotated

import typer

from quant_platform_kit.cli._cutover import HERE, RootOption
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import end


def register(group: typer.Typer) -> None:
    """Add the command of this module to `qpk release`."""
    group.command()(drill)


def drill(
    *,
    platform: Annotated[
        list[str] | None,
        typer.Option("--platform", metavar="NAME", help="Only this platform; repeat."),
    ] = None,
    root: RootOption = HERE,
) -> None:
    """Release, switch, break and take back a scratch copy; print the seconds of each step."""
    from quant_platform_kit.release import load_layout
    from quant_platform_kit.testing.release_drill import DrillFailed
    from quant_platform_kit.testing.release_drill import drill as rehearse

    def tell(what: str, seconds: float) -> None:
        typer.echo(f"{seconds:6.1f} s  {what}")

    try:
        rehearse(load_layout(root), tell, tuple(platform or ()))
    except DrillFailed as failure:
        end(ExitCode.RELEASE, f"the drill failed: {failure}")
