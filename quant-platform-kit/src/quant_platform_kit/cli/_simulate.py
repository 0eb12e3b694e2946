"""`qpk simulate`: a broker's simulator on loopback, for who has no account there, and for tests."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from quant_platform_kit.brokers import AccountKind, AccountTerms, Impact, Liquidity
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import JsonOption, answer, end, instant
from quant_platform_kit.contracts import FeeModel
from quant_platform_kit.settings import Platform

_TERMS: Final = "Terms of the account"
_DEPTH: Final = "Depth of the market"
_ZERO: Final = Decimal(0)
_TOO_LARGE: Final = Decimal(10) ** 12
_LAST_PORT: Final = 2**16 - 1


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(simulate)


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
        if 0 <= number < _TOO_LARGE:
            return number
    except InvalidOperation:
        pass
    raise typer.BadParameter("expected a number, zero or more, such as 100000, 99.50 or 0.1")


def _account(text: str) -> str:
    if not text.isalnum():
        raise typer.BadParameter("expected letters and digits")
    return text


def _amount(unit: str, what: str, panel: str) -> Any:  # noqa: ANN401 (as typer's own)
    return typer.Option(parser=_number, metavar=unit, help=what, rich_help_panel=panel)


def simulate(  # noqa: PLR0913 (each is an option)
    broker: Annotated[Platform, typer.Argument(metavar="BROKER", help="Whose protocol to speak.")],
    *,
    port: Annotated[
        int,
        typer.Option(min=0, max=_LAST_PORT, help="Of the broker's protocol; 0 takes a free one."),
    ] = 0,
    control_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=_LAST_PORT,
            help="Of the control server: clock, faults, book; 0 takes a free one.",
        ),
    ] = 0,
    account: Annotated[
        str, typer.Option(help="Id of the account.", callback=_account)
    ] = "12345678",
    cash: Annotated[
        Decimal, typer.Option(parser=_number, metavar="USD", help="What a new account has.")
    ] = Decimal(100_000),
    market: Annotated[
        str, typer.Option(help="Paths of price files, or the bars that ship with the kit.")
    ] = "sample",
    actions: Annotated[
        Path | None,
        typer.Option(help="File of splits and dividends; the market's prices are raw then."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
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
    account_type: Annotated[
        AccountKind,
        typer.Option(help="In a cash account a sale pays when it settles.", rich_help_panel=_TERMS),
    ] = AccountKind.MARGIN,
    settlement: Annotated[
        int,
        typer.Option(
            min=0,
            max=1,
            metavar="SESSIONS",
            help="From a sale to its settlement.",
            rich_help_panel=_TERMS,
        ),
    ] = 1,
    fee_per_share: Annotated[Decimal, _amount("USD", "For each share.", _TERMS)] = _ZERO,
    fee_bps: Annotated[Decimal, _amount("BPS", "Of the notional, on top.", _TERMS)] = _ZERO,
    fee_minimum: Annotated[Decimal, _amount("USD", "Least fee of an order.", _TERMS)] = _ZERO,
    fee_maximum_bps: Annotated[
        Decimal | None, _amount("BPS", "Largest fee of an order, of its notional.", _TERMS)
    ] = None,
    participation: Annotated[
        Decimal | None,
        _amount("RATIO", "Of a session's volume, what it takes of the account's orders.", _DEPTH),
    ] = None,
    half_spread: Annotated[
        Decimal, _amount("RATIO", "What every trade pays, of the price.", _DEPTH)
    ] = _ZERO,
    impact: Annotated[
        Decimal, _amount("RATIO", "What taking a session's whole volume pays on top.", _DEPTH)
    ] = _ZERO,
    impact_grows: Annotated[
        Impact,
        typer.Option(
            help="With an order's share of the volume, or with its square root.",
            rich_help_panel=_DEPTH,
        ),
    ] = Impact.SQUARE_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Serve a broker's protocol on loopback until Ctrl-C: one simulated account."""
    from quant_platform_kit.simulators import HostOptions, run_simulator, service_variables

    options = HostOptions(
        account,
        market,
        start,
        cash,
        book_path=None if book is None else str(book),
        fees=FeeModel(fee_per_share, fee_bps, fee_minimum, fee_maximum_bps),
        terms=AccountTerms(account_type, settlement),
        liquidity=Liquidity(participation, half_spread, impact, impact_grows),
        actions=None if actions is None else str(actions),
    )

    if login is not None:
        _make(login)

    def announce(ports: Mapping[str, int]) -> None:
        variables = {}
        if login is not None:
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


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        end(ExitCode.USAGE, f"--login {folder} cannot be made: {error.strerror}. Name another one.")
