"""`qpk release at`: a command for a deployed service, under that service's own variables."""

from __future__ import annotations

from typing import Annotated

import typer

from quant_platform_kit.cli._cutover import HERE, RootOption

_AS_TYPED = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def register(group: typer.Typer) -> None:
    """Add the command of this module to `qpk release`."""
    group.command(context_settings=_AS_TYPED)(at)


def at(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="As in release.toml.")],
    words: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="Of qpk, without --platform.")
    ],
    *,
    root: RootOption = HERE,
) -> None:
    """Run a command of qpk for a service as it is deployed: `at SERVICE halt --why …`.

    It runs with the variables that the service has now, in the code that it runs.
    """
    from quant_platform_kit.release import load_layout, operate

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    raise typer.Exit(operate(load_layout(root), service, tuple(words), tell))
