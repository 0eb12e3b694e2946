"""`qpk release`: versions, tags, pins; every refusal says what to do, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.cli import _cutover, _drill, _operate, _shadow
from quant_platform_kit.cli._console import console, show, table
from quant_platform_kit.cli._cutover import HERE, RootOption
from quant_platform_kit.cli._exit import ExitCode
from quant_platform_kit.cli._options import JsonOption, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quant_platform_kit.bundle import Bundle
    from quant_platform_kit.release import Deployed, PackageStatus, Released, Status

_DASH = "–"
_HASH = 7

group = typer.Typer(
    help="Release packages, pin platforms to their tags, and see that nothing mismatches.",
    no_args_is_help=True,
)

_Version = Annotated[str, typer.Argument(metavar="VERSION", help="Three numbers, as in 1.2.3.")]
_Reviewed = Annotated[
    str | None,
    typer.Option(metavar="COMMIT", help="The commit up to which you have read every change."),
]
_Kit = Annotated[str | None, typer.Option("--kit", metavar="VERSION", help="Of the kit.")]
_Strategies = Annotated[
    str | None, typer.Option("--strategies", metavar="VERSION", help="Of the strategies.")
]
_Pipelines = Annotated[
    str | None, typer.Option("--pipelines", metavar="VERSION", help="Of the pipelines.")
]


def register(app: typer.Typer) -> None:
    """Add the group of this module."""
    _cutover.register(group)
    _drill.register(group)
    _operate.register(group)
    _shadow.register(group)
    app.add_typer(group, name="release")


@group.command()
def status(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask Cloud Run, too, what each service runs.")
    ] = False,
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show each package's version and tag, each platform's pins, and what does not match."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    found = release.status(layout)
    services = release.deployed(layout) if live else ()
    findings = [*found.findings, *(finding for each in services for finding in each.findings)]
    matches = all(finding.weight != "mismatch" for finding in findings)
    if as_json:
        told = {"matches": matches, "findings": findings}
        answer({**_plain(found), "services": _plain_services(services), **told})
    else:
        _show(found)
        if live:
            _show_services(services)
        for finding in findings:
            sign = "✕" if finding.weight == "mismatch" else "·"
            console().print(f"{sign} {finding.place}: {finding.text}", soft_wrap=True)
    raise typer.Exit(ExitCode.OK if matches else ExitCode.RELEASE)


@group.command()
def plan(
    *,
    kit: _Kit = None,
    strategies: _Strategies = None,
    pipelines: _Pipelines = None,
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the steps to what is meant, in order, with their commands; nothing is done."""
    from quant_platform_kit import release

    steps = release.plan(release.load_layout(root), _given(kit, strategies, pipelines))
    if as_json:
        answer(steps)
        return
    following = next((step for step in steps if not step.done), None)
    for number, step in enumerate(steps, start=1):
        sign = "✓" if step.done else "→" if step is following else " "
        typer.echo(f"{sign} {number:2}  {step.what}")
        for command in () if step.done else step.commands:
            typer.echo(f"        {command}")


@group.command()
def kit(version: _Version, *, reviewed: _Reviewed = None, root: RootOption = HERE) -> None:
    """Release a version of the kit: checks, commit, tests on that commit, tag."""
    _release(root, "kit", version, reviewed, {})


@group.command()
def strategies(
    version: _Version, *, kit: _Kit = None, reviewed: _Reviewed = None, root: RootOption = HERE
) -> None:
    """Release a version of the strategies, on the newest kit or the one that is named."""
    _release(root, "strategies", version, reviewed, _given(kit))


@group.command()
def pipelines(
    version: _Version,
    *,
    kit: _Kit = None,
    strategies: _Strategies = None,
    reviewed: _Reviewed = None,
    root: RootOption = HERE,
) -> None:
    """Release a version of the snapshot pipelines, on the newest kit and strategies."""
    _release(root, "pipelines", version, reviewed, _given(kit, strategies))


@group.command()
def pins(
    *,
    kit: _Kit = None,
    strategies: _Strategies = None,
    pipelines: _Pipelines = None,
    root: RootOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Pin every platform to existing tags: the newest, or those that are named."""
    from quant_platform_kit import release

    bundles = release.pin(release.load_layout(root), _given(kit, strategies, pipelines))
    if as_json:
        answer({bundle.platform: bundle.id for bundle in bundles})
        return
    for bundle in bundles:
        shown = ", ".join(f"{pin.package} {pin.version}" for pin in bundle.pins)
        typer.echo(f"{bundle.platform}: {shown}; bundle {bundle.id}")
    typer.echo("next: ./release.sh verify-pins")


@group.command("verify-pins")
def verify_pins(
    platform: Annotated[
        str | None, typer.Argument(metavar="PLATFORM", help="Every platform if left out.")
    ] = None,
    *,
    from_remote: Annotated[
        bool,
        typer.Option("--from-remote", help="Fetch from the remote, not the repositories here."),
    ] = False,
    root: RootOption = HERE,
) -> None:
    """Build each platform in a fresh environment from its pins, start it and ask its health."""
    from quant_platform_kit import release

    layout = release.load_layout(root)
    places = [place for place in layout.platforms if platform in (None, place.name)]
    if not places:
        known = ", ".join(place.name for place in layout.platforms)
        raise typer.BadParameter(f"no platform {platform!r}; there are {known}")
    for place in places:
        done = release.verify_pins(layout, place, from_remote=from_remote)
        typer.echo(
            f"{place.name}: starts from its pins, bundle {done.bundle.id} ({done.seconds:.0f} s)"
        )


def _given(
    kit: str | None, strategies: str | None = None, pipelines: str | None = None
) -> dict[str, str]:
    given = {"kit": kit, "strategies": strategies, "pipelines": pipelines}
    return {role: version for role, version in given.items() if version is not None}


def _release(
    root: Path, role: str, version: str, reviewed: str | None, needs: dict[str, str]
) -> None:
    from quant_platform_kit import release

    done: Released = release.release(
        release.load_layout(root), role, version, reviewed=reviewed, needs=needs
    )
    typer.echo(f"tagged {done.tag} at {done.commit}")
    for name, least in done.needs.items():
        typer.echo(f"on {name} {least}")
    typer.echo(f"next: {done.push}")


def _show(found: Status) -> None:
    packages = table("Packages", "package", "version", "changelog", "tag", "pushed", "uncommitted")
    for each in found.packages:
        packages.add_row(*_package_row(each))
    platforms = table("Platforms", "platform", *(p.package.role for p in found.packages), "bundle")
    for platform in found.platforms:
        pinned = _pinned(found, platform.bundle)
        bundle = _DASH if platform.bundle is None else platform.bundle.id
        platforms.add_row(platform.place.name, *pinned, bundle)
    show(packages)
    show(platforms)


def _show_services(services: tuple[Deployed, ...]) -> None:
    rows = table("Services", "service", "platform", "commit", "bundle", "serves")
    for each in services:
        service = each.service
        rows.add_row(
            each.name,
            each.place.name,
            _DASH if service is None else service.commit[:_HASH] or _DASH,
            _DASH if each.bundle is None else each.bundle.id,
            "yes" if service is not None and service.is_ready else "no",
        )
    show(rows)


def _plain_services(services: tuple[Deployed, ...]) -> dict[str, object]:
    return {
        each.name: None
        if each.service is None
        else {
            "commit": each.service.commit,
            "bundle": None if each.bundle is None else each.bundle.id,
            "ready": each.service.is_ready,
        }
        for each in services
    }


def _package_row(each: PackageStatus) -> tuple[str, ...]:
    return (
        each.package.name,
        str(each.version),
        "yes" if each.source.has_entry(each.version) else "missing",
        each.package.tag_of(each.version) if each.is_tagged else "none yet",
        "yes" if each.is_pushed else "no",
        str(each.changed) if each.changed else "clean",
    )


def _pinned(found: Status, bundle: Bundle | None) -> Iterator[str]:
    for each in found.packages:
        pin = None if bundle is None else bundle.pin(each.package.name)
        yield _DASH if pin is None else f"{pin.version} ({pin.commit[:_HASH]})"


def _plain(found: Status) -> dict[str, object]:
    return {
        "packages": {
            each.package.name: {
                "version": str(each.version),
                "tag": each.package.tag_of(each.version) if each.is_tagged else None,
                "pushed": each.is_pushed,
                "changed": each.changed,
            }
            for each in found.packages
        },
        "platforms": {
            each.place.name: None
            if each.bundle is None
            else {
                "bundle": each.bundle.id,
                **{pin.package: pin.version for pin in each.bundle.pins},
            }
            for each in found.platforms
        },
    }
