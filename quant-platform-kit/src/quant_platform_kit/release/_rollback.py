"""The newest change of a service taken back, by its record."""

from __future__ import annotations

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._change import Change
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import update
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Ending, Kind, Record, Records
from quant_platform_kit.release._standing import agreed, state_of, way_back
from quant_platform_kit.release._variables import COMMIT


def plan_rollback(layout: Layout, place: PlatformPlace, name: str) -> Change:
    """Return what takes the newest change of a service back; change nothing of it.

    The order is that of the records, newest first: a profile before the code that it needs.

    Raises
    ------
    ReleaseRefused
        ``RECORD_MISSING`` when there is nothing to take back; ``SERVICE_CHANGED`` when a rollback
        that was cut off turns out to have done it; as `agreed` when the records say something else.
    """
    records = Records(layout.records, name)
    before = records.all()
    found = agreed(layout, place, name)
    known = records.all()
    _refuse_twice(before, known)
    back = way_back(known)
    if back is None:
        raise ReleaseRefused(
            f"No record of {name} in {layout.records} is left to be taken back. Nothing was "
            "changed; deploy or switch it to what is meant.",
            code=ReasonCode.RECORD_MISSING,
        )
    record, target = back
    if not target.image:
        raise ReleaseRefused(
            f"Record {record.number} made {name}: before it there was nothing to go back to. "
            "Nothing was changed; pause its jobs, and deploy what is meant.",
            code=ReasonCode.RECORD_MISSING,
        )
    state = state_of(place, found)
    now = state.variables
    sets = {key: value for key, value in target.variables.items() if now.get(key) != value}
    removes = tuple(key for key in now if key not in target.variables)
    moved = (target.commit, target.image) != (state.commit, state.image)
    command = update(
        place,
        name,
        image=target.image if moved else "",
        labels={"commit": target.commit} if moved else {},
        # Always one variable at least: what is told nothing makes no new revision.
        sets=sets | {COMMIT: target.commit},
        removes=removes,
    )
    return Change(
        layout,
        place,
        name,
        Kind.ROLLBACK,
        found,
        command,
        target,
        sets,
        removes,
        takes_back=record.number,
    )


def _refuse_twice(before: tuple[Record, ...], known: tuple[Record, ...]) -> None:
    """Refuse to go one change further back where the same rollback was asked for again."""
    for was, record in zip(before, known, strict=True):
        has_landed = was != record and record.ending is Ending.LANDED
        if has_landed and record.kind is Kind.ROLLBACK:
            raise ReleaseRefused(
                f"Nothing was changed now: record {record.number}, a rollback that was cut off, "
                f"has done it. {record.service} is what it was before record {record.takes_back}. "
                "Ask again only if the change before that one is to be taken back as well.",
                code=ReasonCode.SERVICE_CHANGED,
            )


def pins_back(layout: Layout, place: PlatformPlace, record: Record) -> str:
    """Return the command that pins the platforms to what a rollback went back to.

    Empty when the code did not change.
    """
    if record.before.commit == record.after.commit:
        return ""
    bundle = bundle_at(place, record.after.commit)
    pins = () if bundle is None else bundle.pins
    options = [
        f"--{package.role} {pin.version}"
        for pin in pins
        if (package := layout.named(pin.package)) is not None
    ]
    return " ".join(("./release.sh pins", *options)) if options else ""
