"""`qpk reconcile`: broker and ledger compared on demand, and a difference accepted by name."""

from __future__ import annotations

from typing import Annotated

import typer

from quant_platform_kit.cli._console import console
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import (
    JsonOption,
    PlatformOption,
    WhoOption,
    answer,
    end,
    one_line,
    operator,
    runtime,
)
from quant_platform_kit.contracts import Instrument


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(reconcile)


def reconcile(
    *,
    platform: PlatformOption,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="A symbol in which the broker is right; may be repeated."),
    ] = None,
    why: Annotated[
        str,
        typer.Option(
            "--why", help="What explains the difference; for the audit log.", callback=one_line
        ),
    ] = "",
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare broker and ledger now. Sends no order; cancels what an earlier run left working."""
    accepted = frozenset(Instrument(symbol).symbol for symbol in accept or ())
    if accepted and not why.strip():
        raise typer.BadParameter("--accept changes the ledger: give --why")
    with runtime(platform) as opened:
        found = opened.reconcile(accepted, who=operator(who), why=why)
    if as_json:
        answer(found)
    else:
        for note in found.notes:
            console().print(note)
        for symbol, detail in sorted(found.locked.items()):
            console().print(f"locked: {symbol}: {detail}")
        for symbol, detail in sorted(found.unresolved.items()):
            console().print(f"not compared: {symbol}: the end of its order is unknown: {detail}")
        if not found.notes and not found.locked and not found.unresolved:
            console().print("broker and ledger agree")
    if found.locked:
        end(ExitCode.BLOCKED, "QUANTITY_MISMATCH: locked symbols are not traded until they agree")
    if found.unresolved:
        end(
            ExitCode.BLOCKED,
            "ORDER_UNRESOLVED: such a symbol is not traded. Look for the order at the broker. On a "
            "later day --accept SYMBOL ends one that it shows no more; what it holds then counts",
        )
