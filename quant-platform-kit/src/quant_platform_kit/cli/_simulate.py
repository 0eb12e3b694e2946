"""`qpk simulate`: a broker's simulator on loopback, for who has no account there, and for tests."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import JsonOption, answer, end
from quant_platform_kit.settings import Platform


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(simulate)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected an instant such as 2012-12-03T19:30:00+00:00") from None
    if instant.utcoffset() is None:
        raise typer.BadParameter("expected an offset from UTC, such as 2012-12-03T19:30:00+00:00")
    return instant


def _usd(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter("expected an amount such as 100000 or 99.50") from None


def simulate(  # noqa: PLR0913 (each is an option)
    broker: Annotated[Platform, typer.Argument(metavar="BROKER", help="Whose protocol to speak.")],
    *,
    port: Annotated[int, typer.Option(help="Of the broker's protocol; 0 takes a free one.")] = 0,
    control_port: Annotated[
        int, typer.Option(help="Of the control server: clock, faults, book; 0 takes a free one.")
    ] = 0,
    account: Annotated[str, typer.Option(help="Id of the account.")] = "12345678",
    cash: Annotated[
        Decimal, typer.Option(parser=_usd, metavar="USD", help="What a new account has.")
    ] = Decimal(100_000),
    market: Annotated[
        str, typer.Option(help="Paths of price files, or the bars that ship with the kit.")
    ] = "sample",
    start: Annotated[
        datetime | None,
        typer.Option(
            parser=_instant,
            metavar="INSTANT",
            help="The first instant; the machine's clock runs when left out.",
        ),
    ] = None,
    book: Annotated[
        Path | None, typer.Option(help="File of the account's book; in memory when left out.")
    ] = None,
    login: Annotated[
        Path | None,
        typer.Option(help="Folder for the files of a login; prints a service's variables."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a broker's protocol on loopback until Ctrl-C: one simulated account."""
    from quant_platform_kit.simulators import HostOptions, run_simulator, service_variables

    options = HostOptions(account, market, start, cash, None if book is None else str(book))

    def announce(ports: Mapping[str, int]) -> None:
        variables = {}
        if login is not None:
            login.mkdir(parents=True, exist_ok=True)
            variables = service_variables(broker.value, account, **ports, folder=login.resolve())
        if as_json:
            answer({**ports, "variables": variables} if variables else ports)
            return
        typer.echo(f"{broker.value} on 127.0.0.1:{ports['port']}")
        typer.echo(f"control on http://127.0.0.1:{ports['control_port']}")
        for name, value in variables.items():
            typer.echo(f"export {name}={shlex.quote(value)}")

    try:
        run_simulator(
            broker.value, options, port=port, control_port=control_port, announce=announce
        )
    except OSError as error:
        end(ExitCode.USAGE, f"the port cannot be served: {error.strerror}. Give another one.")
