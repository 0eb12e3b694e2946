"""The operators' orders: cancel, cancel-all, close and flatten.

Each shows what it would do and asks; `--yes` answers for those who cannot be asked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.cli import _runs
from quant_platform_kit.cli._exit import ExitCode, of_report
from quant_platform_kit.cli._explain import find_one
from quant_platform_kit.cli._options import (
    JsonOption,
    PlatformOption,
    WhoOption,
    WhyOption,
    answer,
    end,
    operator,
    runtime,
)
from quant_platform_kit.contracts import ExecutionMode, OperatorAction, OperatorCommand
from quant_platform_kit.notify import Message, shares
from quant_platform_kit.settings import Platform

if TYPE_CHECKING:
    from quant_platform_kit.cycle import Prospect
    from quant_platform_kit.runtime import Runtime

YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (cancel, close, flatten):
        app.command()(command)
    app.command("cancel-all")(cancel_all)


def cancel(
    order: Annotated[
        str,
        typer.Argument(metavar="ORDER", help="The start of a client id, or a broker's order id."),
    ],
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take one working order of ours off the broker's book."""
    command = OperatorCommand(OperatorAction.CANCEL, operator(who), why, order)
    _carry_out(platform, command, yes=yes, as_json=as_json)


def cancel_all(
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take every working order of ours off the broker's book, stops included."""
    command = OperatorCommand(OperatorAction.CANCEL_ALL, operator(who), why)
    _carry_out(platform, command, yes=yes, as_json=as_json)


def close(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="A managed symbol.")],
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sell all of one managed holding, also while trading is halted."""
    command = OperatorCommand(OperatorAction.CLOSE, operator(who), why, symbol)
    _carry_out(platform, command, yes=yes, as_json=as_json)


def flatten(
    *,
    platform: PlatformOption,
    why: WhyOption,
    who: WhoOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sell every managed holding, also while trading is halted; nothing else is touched."""
    command = OperatorCommand(OperatorAction.FLATTEN, operator(who), why)
    _carry_out(platform, command, yes=yes, as_json=as_json)


def _carry_out(platform: Platform, command: OperatorCommand, *, yes: bool, as_json: bool) -> None:
    with runtime(platform) as opened:
        if command.action is OperatorAction.CANCEL and _is_traded(opened):
            find_one(opened, command.subject)
        if not yes:
            _ask(opened.prospect(command))
        report = opened.operate(command)
    if as_json:
        answer(report)
    else:
        _runs.show(report)
    raise typer.Exit(of_report(report))


def _is_traded(opened: Runtime) -> bool:
    return opened.parts.mode is not ExecutionMode.DRY_RUN


def _ask(found: Prospect) -> None:
    """Show what would be done and go on only on a person's yes."""
    for line in _lines(found):
        typer.echo(line, err=True)
    if not sys.stdin.isatty():
        end(ExitCode.USAGE, "nothing was done: add --yes, there is nobody to ask")
    typer.echo("Do it? [y/N] ", err=True, nl=False)  # a prompt of Typer's writes to the answer
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        end(ExitCode.USAGE, "nothing was done")


def _lines(found: Prospect) -> list[str]:
    lines = [
        f"cancel {o.side.value} {shares(o.quantity)} {o.symbol}, {Message.of(o.status).en}, "
        f"{o.client_id}"
        for o in found.cancels
    ]
    lines += [f"sell {shares(each.quantity)} {each.symbol}" for each in found.sells]
    lines = lines or ["nothing to do"]
    if found.sells and found.gate.mode.value == "active":
        lines.append("The gate is active: the next run may buy again. `qpk halt` prevents it.")
    return lines
