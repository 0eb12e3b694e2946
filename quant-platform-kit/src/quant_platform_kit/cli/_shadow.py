"""`qpk release shadow`: what a service does now and what it would do, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.cli._console import show, table
from quant_platform_kit.cli._cutover import (
    HERE,
    GivenOption,
    PlatformArgument,
    RootOption,
    ServiceOption,
    moment,
    pairs,
    service_of,
)
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import JsonOption, answer

if TYPE_CHECKING:
    from quant_platform_kit.release import Comparison, Side


def register(group: typer.Typer) -> None:
    """Add the command of this module to `qpk release`."""
    group.command()(shadow)


def shadow(
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="What it would run.")
    ] = None,
    given: GivenOption = None,
    removed: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="What it would not be told; repeat."),
    ] = None,
    commit: Annotated[
        str, typer.Option(metavar="COMMIT", help="Whose pins it would run; else the deployed ones.")
    ] = "",
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Run what is live and what would be in dry run, and show how targets and orders differ.

    `switch` asks for it. Needs the rights to read what the service reads; sends no order.
    """
    from quant_platform_kit import release

    layout = release.load_layout(root)
    found = release.shadow(
        layout,
        service_of(layout, platform, service),
        now=moment(),
        profile=profile,
        sets=pairs(given),
        removes=tuple(removed or ()),
        commit=commit,
    )
    if as_json:
        answer(found)
    else:
        _show(found)
    raise typer.Exit(ExitCode.RELEASE if found.refusal else ExitCode.OK)


def _show(found: Comparison) -> None:
    typer.echo(f"now: {_told(found.live)}")
    typer.echo(f"new: {_told(found.candidate)}")
    if found.refusal:
        typer.echo(f"✕ {found.service}: {found.refusal}. No switch goes by this.")
        return
    if found.is_same_plan:
        typer.echo(f"✓ {found.service}: the same plan, {found.candidate.plan_sha256[:12]}")
        return
    rows = table(
        f"{found.service}, session {found.candidate.session}",
        *("", "symbol", "target now", "target new", "orders now", "orders new"),
        right=("target now", "target new"),
    )
    for line in found.lines:
        rows.add_row(
            *("≠" if line.differs else "", line.symbol),
            *(line.live_target or "–", line.candidate_target or "–"),
            *(line.live_orders or "–", line.candidate_orders or "–"),
        )
    show(rows)
    for difference in found.input_differences:
        typer.echo(f"! {difference}")
    typer.echo("Another plan: read it before you switch.")


def _told(side: Side) -> str:
    names = ", ".join(side.profiles) or "no profile"
    outcome = f"{side.outcome} {side.code}".strip()
    return f"{names} · bundle {side.bundle} · {outcome}"
