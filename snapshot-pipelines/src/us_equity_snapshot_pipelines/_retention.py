"""Takes old versions away, and never one that a reader or a publisher may turn to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from quant_platform_kit.inputs import MANIFEST_FILE, ObjectStore, read_history
from quant_platform_kit.market import Clock, SystemClock
from us_equity_snapshot_pipelines._pointer import look_at_pointer

LEAST_KEPT: Final = 2
"""The current version, and one that a reader may just be fetching, are always kept."""

_LITTER_AGE: Final = timedelta(days=1)
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]+/")


def prune(store: ObjectStore, keep: int, clock: Clock | None = None) -> tuple[str, ...]:
    """Remove versions that are older than the newest `keep` and than the current one's date.

    Versions that a history lists stay. What killed publishers left of an old version goes too, and
    what they left aside once it is a day old: no publisher takes that long.

    Returns
    -------
    tuple of str
        The versions that were removed.
    """
    listed = store.names()
    newest = versions_in(listed)[-max(keep, LEAST_KEPT) :]
    history = read_history(store)
    promised = set() if history is None else {each.version for each in history[0].versions}
    folders = {name.partition("/")[0] for name in listed if _VERSION.match(name)}
    old = [each for each in sorted(folders - promised) if newest and each < newest[0]]
    gone = tuple(version for version in old if _remove(store, version, listed))
    store.sweep((clock or SystemClock()).now() - _LITTER_AGE)
    return gone


def _remove(store: ObjectStore, version: str, listed: Iterable[str]) -> bool:
    """Remove a version, unless somebody goes back to it, or to one before it, right now."""
    manifest = f"{version}/{MANIFEST_FILE}"
    if not _is_past(store, version):
        return False
    stored = store.read(manifest)
    store.delete(manifest)  # from here on nobody can make it current
    if stored is not None and not _is_past(store, version):
        store.create(manifest, stored.data)
        return False
    files = [name for name in listed if name.startswith(f"{version}/") and name != manifest]
    for name in (*files, manifest):  # which a publisher of the same may have written anew
        store.delete(name)
    return True


def _is_past(store: ObjectStore, version: str) -> bool:
    """Tell whether no publisher would make it current: none goes to an older date."""
    pointer = look_at_pointer(store).pointer
    return pointer is not None and version[:10] < pointer.version[:10]


def versions_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return the versions among the names of objects, oldest first."""
    suffix = f"/{MANIFEST_FILE}"
    return tuple(sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix)))
