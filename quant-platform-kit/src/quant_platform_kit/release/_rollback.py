"""The newest change of a service taken back, by its record."""

from __future__ import annotations

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._change import Change, state_of
from quant_platform_kit.release._environments import bundle_at
from quant_platform_kit.release._gcloud import describe, update
from quant_platform_kit.release._layout import Layout, PlatformPlace
from quant_platform_kit.release._records import Kind, Record, Records
from quant_platform_kit.release._variables import COMMIT


def plan_rollback(layout: Layout, place: PlatformPlace, name: str) -> Change:
    """Return what takes the newest change of a service back; change nothing.

    The order is that of the records, newest first: a profile before the code that it needs.

    Raises
    ------
    ReleaseRefused
        ``RECORD_MISSING`` when there is nothing to take back; ``SERVICE_CHANGED`` when the service
        is not what the record left behind; ``RELEASE_TOOL`` when gcloud does not answer.
    """
    record = Records(layout.records, name).to_take_back()
    if record is None:
        raise ReleaseRefused(
            f"No record of {name} in {layout.records} is left to be taken back. Nothing was "
            "changed; deploy or switch it to what is meant.",
            code=ReasonCode.RECORD_MISSING,
        )
    if not record.before.image:
        raise ReleaseRefused(
            f"Record {record.number} made {name}: before it there was nothing to go back to. "
            "Nothing was changed; pause its jobs, and deploy what is meant.",
            code=ReasonCode.RECORD_MISSING,
        )
    found = describe(place, name)
    state = state_of(place, found)
    if found is None or state not in (record.after, record.before):
        raise ReleaseRefused(
            f"{name} is not what record {record.number} left behind: somebody changed it since, "
            "past the records. Nothing was changed; look at it, and switch it to what is meant.",
            code=ReasonCode.SERVICE_CHANGED,
        )
    before, after = record.before.variables, state.variables
    sets = {key: value for key, value in before.items() if after.get(key) != value}
    removes = tuple(key for key in after if key not in before)
    moved = record.before.commit != state.commit
    command = update(
        place,
        name,
        image=record.before.image if moved else "",
        labels={"commit": record.before.commit} if moved else {},
        sets=sets | ({COMMIT: record.before.commit} if moved else {}),
        removes=removes,
    )
    return Change(
        layout,
        place,
        name,
        Kind.ROLLBACK,
        found,
        command,
        record.before,
        sets,
        removes,
        takes_back=record.number,
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
