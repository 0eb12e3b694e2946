"""Command groups of other packages: the kit finds them, and never imports one by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

import typer

from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import end

GROUP: Final = "quant_platform_kit.commands"
"""The entry points that name a `typer.Typer` each; the entry's name is the command's."""


def register(app: typer.Typer) -> None:
    """Add every installed group to `app`, in the order of their names."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        app.add_typer(_load(entry), name=entry.name)


def _load(entry: EntryPoint) -> typer.Typer:
    try:
        group: typer.Typer = entry.load()
    except ImportError as error:
        return _broken(entry, str(error))
    return group


def _broken(entry: EntryPoint, why: str) -> typer.Typer:
    """Stand in for a group that cannot be imported: the other commands go on working."""
    group = typer.Typer(help=f"Cannot be used: {why}.")

    @group.callback(invoke_without_command=True)
    def tell() -> None:
        end(
            ExitCode.SETTINGS,
            f"`qpk {entry.name}` comes from {entry.value}, which cannot be imported: {why}. "
            "Reinstall the package that brings it.",
        )

    return group
