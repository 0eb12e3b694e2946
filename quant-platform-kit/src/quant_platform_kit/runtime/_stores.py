"""Where an account remembers: its alias, its store, and the notes of its broker's adapter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import Settings
from quant_platform_kit.store import RunBook, Store, StoredNotes, passing_disk

_TRADED: Final = (ExecutionMode.LIVE, ExecutionMode.PAPER)


def account_alias(settings: Settings) -> str:
    """Name the account without its number: keys, reports and messages travel.

    A slow hash, so that trying every possible number would take somebody days.
    """
    code = hashlib.scrypt(
        settings.account_id.encode(), salt=settings.platform.value.encode(), n=2**14, r=8, p=1
    )
    return f"{settings.platform.value}-{code.hex()[:6]}"


def open_store(settings: Settings, alias: str) -> Store:
    """Open the store of the mode; a dry run only reads the one that trades, where there is one.

    Raises
    ------
    SettingsError
        When it would be lost with the machine, or is another account's.
    """
    if settings.execution_mode is ExecutionMode.DRY_RUN:
        scratch = _store_path(settings, ExecutionMode.DRY_RUN)
        return _traded_store(settings, alias) or Store.open(scratch)
    if settings.store_url:
        return Store.connect(settings.store_url, _schema_name(alias, settings.execution_mode))
    path = _store_path(settings, settings.execution_mode)
    if settings.execution_mode is ExecutionMode.LIVE:
        _require_lasting(path)
    return _of_account(Store.open(path), alias)


def _traded_store(settings: Settings, alias: str) -> Store | None:
    if settings.store_url:
        name = _traded_schema(settings, alias)
        return None if name is None else Store.connect(settings.store_url, name, read_only=True)
    for mode in _TRADED:
        if (path := _store_path(settings, mode)).exists():
            return _of_account(Store.open(path, read_only=True), alias)
    return None


def _of_account(store: Store, alias: str) -> Store:
    """Return `store`, unless another account's book is in it: two in one would trade each other."""
    other = RunBook(store).other_account(alias)
    if other is None:
        return store
    store.close()
    raise SettingsError(
        f"QPK_STATE_DIR holds the book of another account ({other}; this one is {alias}), and "
        "nothing was read or traded. Give every account a folder of its own, or correct "
        "QPK_ACCOUNT_ID."
    )


def _traded_schema(settings: Settings, alias: str) -> str | None:
    names = (_schema_name(alias, mode) for mode in _TRADED)
    return next((name for name in names if Store.exists(settings.store_url, name)), None)


def _require_lasting(path: Path) -> None:
    """Refuse to keep what happens to real money on a disk that is gone after a restart."""
    fault = passing_disk(path.absolute().parent)
    if fault is not None:
        raise SettingsError(
            f"QPK_STATE_DIR lies on {fault}, and EXECUTION_MODE is live: a restart would forget "
            "which orders were sent. Set QPK_STORE_URL to a PostgreSQL database, or QPK_STATE_DIR "
            "to a folder on a disk of this machine that is kept."
        )


def _store_path(settings: Settings, mode: ExecutionMode) -> Path:
    return settings.state_dir / f"{mode.value}.sqlite3"


def _schema_name(alias: str, mode: ExecutionMode) -> str:
    """Name the part of a shared database that belongs to this account in this mode."""
    return f"{alias}_{mode.value}".replace("-", "_")


@contextmanager
def scratch_store(settings: Settings) -> Iterator[Store]:
    """Open the store of dry runs, which is made anew for each of them."""
    scratch = Store.open(_store_path(settings, ExecutionMode.DRY_RUN))
    try:
        yield scratch
    finally:
        scratch.close()


def open_notebook(settings: Settings, alias: str) -> StoredNotes | None:
    """Return where an adapter keeps its notes when the store is not in the state folder."""
    if not settings.store_url:
        return None
    if settings.execution_mode is not ExecutionMode.DRY_RUN:
        return StoredNotes(settings.store_url, _schema_name(alias, settings.execution_mode))
    traded = _traded_schema(settings, alias)
    return None if traded is None else StoredNotes(settings.store_url, traded, read_only=True)
