"""`qpk snapshot`: build, look at, publish and take back the snapshots that strategies read.

The kit finds this group by the entry point ``quant_platform_kit.commands``. What is heavy is
imported by the command that needs it: `qpk --help` shows this module too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_platform_kit.contracts import Adjustment, canonical
from quant_platform_kit.settings import Platform

if TYPE_CHECKING:
    from quant_platform_kit.contracts import SnapshotManifest

app = typer.Typer(
    name="snapshot",
    help="Build, inspect and publish the feature snapshots that some profiles decide on.",
    no_args_is_help=True,
)


def _session(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a date such as 2020-03-31") from None


Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="A snapshot-backed profile.")]
Location = Annotated[
    str, typer.Argument(metavar="LOCATION", help="A folder, or gs://bucket/folder.")
]
Config = Annotated[
    Path | None, typer.Option(help="The profile's configuration, as the service runs it.")
]
Prices = Annotated[
    str,
    typer.Option(
        metavar="FOLDER",
        help="CSV or Parquet files of prices and dividends; or `sample`, `broker` or `yfinance`.",
    ),
]
AdjustmentOption = Annotated[
    Adjustment, typer.Option(help="What the prices have been adjusted for, or are to be.")
]
PlatformOption = Annotated[
    Platform | None,
    typer.Option("--platform", "-p", help="Whose broker `--prices broker` asks."),
]
UniverseOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV symbol,sector,start,end of the candidates; all stocks, always, when left out.",
    ),
]
Floor = Annotated[float | None, typer.Option(help="A stock at or below this close is ineligible.")]
Out = Annotated[str, typer.Option("--to", metavar="LOCATION", help="A folder, or gs://...")]
Keep = Annotated[
    int | None, typer.Option(min=2, help="Versions to keep, the newest; all when left out.")
]
Json = Annotated[bool, typer.Option("--json", help="Print canonical JSON and nothing else.")]


@app.command()
def build(  # noqa: PLR0913 (each is an option)
    profile: Profile,
    *,
    prices: Prices,
    as_of: Annotated[
        date, typer.Option(parser=_session, metavar="YYYY-MM-DD", help="Session of the closes.")
    ],
    to: Out,
    config: Config = None,
    universe: UniverseOption = None,
    adjustment: AdjustmentOption = Adjustment.TOTAL_RETURN,
    platform: PlatformOption = None,
    min_close_usd: Floor = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Build the snapshot of one session and make it the current version of a location."""
    from quant_platform_kit.inputs import open_store
    from us_equity_snapshot_pipelines._publish import publish_release
    from us_equity_snapshot_pipelines._sources import PriceSource
    from us_equity_snapshot_pipelines._workshop import Workshop

    workshop = Workshop.open(
        profile,
        config=config,
        prices=PriceSource(prices, adjustment, platform),
        universe=universe,
        days=(as_of,),
        min_close_usd=min_close_usd,
    )
    store = open_store(to)
    made = workshop.make(as_of, store)
    manifest = publish_release(store, made, keep=keep, clock=workshop.clock)
    _show_published(manifest, store.where(), as_json=as_json)
    if made.warnings and not as_json:
        _print(f"{len(made.warnings)} warnings; `qpk snapshot inspect {to}` shows them")


@app.command()
def history(  # noqa: PLR0913 (each is an option)
    profile: Profile,
    *,
    prices: Prices,
    first: Annotated[
        date, typer.Option("--from", parser=_session, metavar="YYYY-MM-DD", help="First day.")
    ],
    until: Annotated[
        date, typer.Option("--until", parser=_session, metavar="YYYY-MM-DD", help="Last day.")
    ],
    to: Out,
    config: Config = None,
    universe: UniverseOption = None,
    adjustment: AdjustmentOption = Adjustment.TOTAL_RETURN,
    platform: PlatformOption = None,
    min_close_usd: Floor = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per processor when left out.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, tcp://host:port.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the version of every month end: what a backtest reads, as live would have read it."""
    from rich.console import Console
    from rich.progress import Progress

    from quant_platform_kit.market import xnys
    from us_equity_snapshot_pipelines._history import build_history, month_ends
    from us_equity_snapshot_pipelines._sources import PriceSource
    from us_equity_snapshot_pipelines._workers import open_workers
    from us_equity_snapshot_pipelines._workshop import Workshop

    days = month_ends(xnys(), first, until)
    workshop = Workshop.open(
        profile,
        config=config,
        prices=PriceSource(prices, adjustment, platform),
        universe=universe,
        days=days,
        min_close_usd=min_close_usd,
    )
    console = Console(stderr=True)
    with open_workers(workers, scheduler) as found, Progress(console=console) as shown:
        bar = shown.add_task(f"{len(days)} month ends on {found.count} workers", total=len(days))
        made = build_history(
            workshop, days, to, found, progress=lambda done, _: shown.update(bar, completed=done)
        )
    if as_json:
        _print(canonical(made))
    else:
        _print(f"{profile}: {len(days)} month ends at {to}, {len(made.versions)} versions in all")


@app.command()
def publish(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Where the version was built.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A folder, or gs://bucket/folder.")],
    *,
    version: Annotated[
        str | None, typer.Option(help="The version; the current one when left out.")
    ] = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Copy a version, byte for byte, and make it the current one of another location."""
    from quant_platform_kit.inputs import open_store
    from us_equity_snapshot_pipelines._publish import publish_release, read_release

    store = open_store(target)
    manifest = publish_release(store, read_release(open_store(source), version), keep=keep)
    _show_published(manifest, store.where(), as_json=as_json)


@app.command()
def inspect(
    location: Location,
    *,
    version: Annotated[
        str | None, typer.Option(help="The version; the current one when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a version is whole, and show what it says."""
    from quant_platform_kit.inputs import open_store
    from us_equity_snapshot_pipelines._publish import read_release

    store = open_store(location)
    found = read_release(store, version)
    if as_json:
        _print(canonical(found.manifest))
        return
    manifest = found.manifest
    _table(
        f"{manifest.profile}, version {manifest.version}",
        (
            ("as of", manifest.as_of),
            ("contract", manifest.contract),
            ("configuration", f"{manifest.config_name} {manifest.config_sha256[:12]}"),
            ("prices", manifest.adjustment.value),
            ("rows", manifest.row_count),
            ("columns", ", ".join(manifest.columns)),
            ("dividends", _dividends(found.summary.get("dividends", ()))),
            ("built", f"{manifest.generated_at:%Y-%m-%d %H:%M} UTC by {manifest.code_version}"),
            ("files", ", ".join(manifest.files)),
            ("address", store.where(manifest.version)),
        ),
    )
    for line in found.warnings:
        _print(f"  warning: {line}")


@app.command("list")
def list_versions(location: Location, *, as_json: Json = False) -> None:
    """List the versions of a location, the current one marked."""
    from quant_platform_kit.inputs import LATEST_FILE, open_store
    from us_equity_snapshot_pipelines._pointer import look_at_pointer
    from us_equity_snapshot_pipelines._publish import versions

    store = open_store(location)
    seen = look_at_pointer(store)
    current = None if seen.pointer is None else seen.pointer.version
    found = versions(store)
    if as_json:
        _print(canonical({"current": current, "versions": found}))
        return
    for version in found:
        _print(f"{'*' if version == current else ' '} {version}")
    if not found:
        _print(f"nothing is published at {store.where()}")
    if seen.is_broken:
        _print(
            f"{store.where(LATEST_FILE)} names no version, so no service trades on any. Publish "
            "again, or choose one with `qpk snapshot use`."
        )


@app.command()
def use(
    location: Location,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As `list` shows it.")],
    *,
    as_json: Json = False,
) -> None:
    """Make a stored version the current one, also an older one: the way back."""
    from quant_platform_kit.inputs import open_store
    from us_equity_snapshot_pipelines._publish import use_version

    store = open_store(location)
    _show_published(use_version(store, version), store.where(), as_json=as_json)


def _show_published(manifest: SnapshotManifest, where: str, *, as_json: bool) -> None:
    if as_json:
        _print(canonical(manifest))
        return
    _print(
        f"{manifest.profile}: version {manifest.version} is current at {where}, "
        f"{manifest.row_count} rows"
    )


def _dividends(listed: Sequence[Mapping[str, object]]) -> str:
    falls = sum(not each["is_accounted"] for each in listed)
    return f"{len(listed)} while the features looked; closes fall by {falls} of them"


def _table(title: str, rows: Iterable[tuple[str, object]]) -> None:
    _print(title)
    for name, value in rows:
        _print(f"  {name:<14}{value}")


def _print(line: str) -> None:
    print(line)  # noqa: T201 (a command talks)
