"""`qpk release deploy, switch, verify, rollback, history`: services moved forward, and back.

Each shows what it would do; only with --apply is anything done, and then a record is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.cli._console import show, table
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import JsonOption, answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from quant_platform_kit.release import Layout, Line, Record, Service

RootOption = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="Folder of release.toml; here if left out.")
]
PlatformArgument = Annotated[str, typer.Argument(metavar="PLATFORM", help="As in release.toml.")]
ServiceOption = Annotated[
    str | None,
    typer.Option("--service", metavar="NAME", help="Needed where the platform has more than one."),
]
GivenOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="What the profile is told; repeat."),
]
_Apply = Annotated[bool, typer.Option("--apply", help="Do it; else it is only shown.")]
_Why = Annotated[str, typer.Option("--why", help="The reason; kept in the record.")]
_From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="What gcloud described, saved as JSON."),
]
HERE = Path()
_HASH = 7


def register(group: typer.Typer) -> None:
    """Add the commands of this module to `qpk release`."""
    group.command()(deploy)
    group.command()(switch)
    group.command()(verify)
    group.command()(rollback)
    group.command()(history)
    group.command()(adopt)


def deploy(
    platform: PlatformArgument,
    *,
    apply: _Apply = False,
    why: _Why = "",
    root: RootOption = HERE,
) -> None:
    """Build a platform's image, move its services and their jobs to it, and wait for each."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    place = layout.platform(platform)
    found = release.plan_deployment(layout, place)
    typer.echo(f"{platform}: commit {found.commit[:_HASH]}, bundle {found.bundle.id}")
    if not apply:
        commands = [] if found.image is None else [found.image]
        _show_commands([*commands, *(change.command for change in found.changes)])
        typer.echo("then each service's jobs are made as scheduler.yaml says")
        _nothing_done()
        return
    for record in found.make(why=why, now=moment(), patience=release.Patience()):
        typer.echo(f"{record.service}: serves commit {record.after.commit[:_HASH]}")
        _show_record(layout, record)
    typer.echo(f"next: ./release.sh status --live, then ./release.sh switch {platform}")


def switch(  # noqa: PLR0913 (its options)
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="What it is to run.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="dry_run, paper or live; unchanged if left out.")
    ] = None,
    given: GivenOption = None,
    described: _From = None,
    without_shadow: Annotated[
        str, typer.Option(metavar="REASON", help="Go on though nobody has compared; kept.")
    ] = "",
    apply: _Apply = False,
    why: _Why = "",
    root: RootOption = HERE,
) -> None:
    """Show what a service's switch to a profile sets, keeps and removes, and why; then do it."""
    from quant_platform_kit import release

    if apply and described is not None:
        raise typer.BadParameter("--apply asks the service itself; leave --from out")
    layout = release.load_layout(root)
    name = service_of(layout, platform, service)
    found = release.plan_switch(
        layout, name, profile, mode=mode, given=pairs(given), described=_saved(described)
    )
    _show_lines(name, found.lines)
    if not found.is_needed:
        typer.echo(f"{name} has all of it already; nothing is to be done")
        return
    if not apply:
        _show_commands([found.change.command])
        _nothing_done()
        return
    now = moment()
    if not found.changes_profile:
        comparison = "not needed: only the mode changes"
    elif without_shadow:
        comparison = f"not made: {without_shadow}"
    else:
        made = found.compared(now)
        same = "the same plan" if made.is_same_plan else "another plan"
        comparison = f"{same}, seen {made.made_at:%Y-%m-%d %H:%M} UTC"
    record = found.change.make(why=why, now=now, patience=release.Patience(), comparison=comparison)
    typer.echo(f"{name}: runs {found.wish.name} in {found.wish.mode}")
    _show_record(layout, record)
    typer.echo(f"next, after its first heartbeat: ./release.sh verify {platform} --service {name}")


def verify(
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    heartbeat: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text of its heartbeat; from Cloud Logging if left out."),
    ] = None,
    described: _From = None,
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Compare a service with its record, the pins and its first heartbeat since."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    name = service_of(layout, platform, service)
    text = None if heartbeat is None else heartbeat.read_text("utf-8")
    found = release.verify_live(layout, name, heartbeat=text, described=_saved(described))
    if as_json:
        answer(found)
    else:
        for finding in found.findings:
            typer.echo(f"✕ {finding.place}: {finding.text}")
        if not found.findings:
            typer.echo(f"✓ {name}: {found.expected.profile}; as recorded, pinned and said")
    raise typer.Exit(ExitCode.RELEASE if found.findings else ExitCode.OK)


def rollback(
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    apply: _Apply = False,
    why: _Why = "",
    root: RootOption = HERE,
) -> None:
    """Take the newest change of a service back, as its record says what was before."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    place = layout.platform(platform)
    name = service_of(layout, platform, service)
    change = release.plan_rollback(layout, place, name)
    typer.echo(f"{name}: back to what was before record {change.takes_back}")
    if not apply:
        _show_commands([change.command])
        _nothing_done()
        return
    record = change.make(why=why, now=moment(), patience=release.Patience())
    profile = record.after.variables.get("STRATEGY_PROFILE", "no profile")
    typer.echo(f"{name}: commit {record.after.commit[:_HASH]} runs {profile}")
    _show_record(layout, record)
    if pins := release.pins_back(layout, place, record):
        typer.echo(f"next: {pins}")
    typer.echo(f"then, after its next heartbeat: ./release.sh verify {platform} --service {name}")


def adopt(
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    why: _Why = "",
    root: RootOption = HERE,
) -> None:
    """Record what somebody made of a service past the records; the service stays as it is."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    name = service_of(layout, platform, service)
    record = release.adopt(layout, name, why=why, now=moment())
    for each, value in record.sets.items():
        typer.echo(f"  {each} is {value}")
    for each in record.removes:
        typer.echo(f"  {each} is not set")
    _show_record(layout, record)


def history(
    platform: PlatformArgument,
    *,
    service: ServiceOption = None,
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List what was done to a service, oldest first."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    name = service_of(layout, platform, service)
    records = release.Records(layout.records, name).all()
    if as_json:
        answer(records)
        return
    rows = table(name, "number", "at", "what", "profile", "commit", "ended", "by", "heartbeat")
    for record in records:
        back = "" if record.takes_back is None else f" of {record.takes_back}"
        rows.add_row(
            str(record.number),
            f"{record.at:%Y-%m-%d %H:%M}",
            f"{record.kind}{back}",
            record.after.variables.get("STRATEGY_PROFILE", "–"),
            record.after.commit[:_HASH],
            record.ending.value,
            record.who,
            record.heartbeat or "–",
        )
    show(rows)


def service_of(layout: Layout, platform: str, service: str | None) -> str:
    """Return the service of a platform that is meant."""
    services = layout.platform(platform).services
    if service is None and len(services) == 1:
        return services[0]
    if service not in services:
        raise typer.BadParameter(f"--service: expected one of {', '.join(services)}")
    return service


def pairs(given: list[str] | None) -> dict[str, str]:
    """Read NAME=VALUE; a value may hold anything."""
    found = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not sign:
            raise typer.BadParameter(f"--set {text}: expected NAME=VALUE")
        found[name] = value
    return found


def _saved(path: Path | None) -> Service | None:
    from quant_platform_kit.release import read_service

    return None if path is None else read_service(path.read_text("utf-8"))


def moment() -> datetime:
    """Return the time, for what is done now."""
    from quant_platform_kit.market import SystemClock

    return SystemClock().now()


def _show_lines(service: str, lines: tuple[Line, ...]) -> None:
    rows = table(service, "", "variable", "value", "why")
    for line in lines:
        rows.add_row(line.fate.value, line.name, line.value, line.why)
    show(rows)


def _show_commands(commands: Iterable[object]) -> None:
    for command in commands:
        typer.echo(f"  {command}")


def _show_record(layout: Layout, record: Record) -> None:
    from quant_platform_kit.release import Records

    path = Records(layout.records, record.service).path(record)
    typer.echo(f"record {path}; commit it")


def _nothing_done() -> None:
    typer.echo("nothing was done; --apply does it")
