"""Which tables a database has, and bringing them to the state that this version knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, select, table
from sqlalchemy import column as sql_column

from quant_platform_kit.errors import ReasonCode, RefuseRun, TransientError

HEAD: Final = "0001"
"""The newest migration; the database of a running service is always here."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")

_VERSION = table("alembic_version", sql_column("version_num"))


def revision(connection: Connection) -> str | None:
    """Return the migration that the database stands at; None when it has no tables of ours."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.scalar(select(_VERSION.c.version_num))


def require_current(connection: Connection, name: str) -> None:
    """Refuse a database that a reader cannot read: an older, a newer or an empty one.

    Raises
    ------
    TransientError
        For an older or empty one, which the service that writes it will bring up to date.
    RefuseRun
        For a newer one.
    """
    found = revision(connection)
    if found == HEAD:
        return
    _refuse_newer(found, name)
    raise TransientError(
        f"The store {name} is older than this version of the platform (migration "
        f"{found or 'none'}, this version needs {HEAD}) and was opened for reading only; no order "
        "was sent. Start the service that writes it: it brings the store up to date.",
        code=ReasonCode.STORE_UNAVAILABLE,
    )


def upgrade(connection: Connection, name: str) -> None:
    """Bring the database to `HEAD`, all or nothing: the caller's transaction holds every step.

    Raises
    ------
    RefuseRun
        For a database that a newer version of the platform wrote.
    """
    found = revision(connection)
    if found == HEAD:
        return
    _refuse_newer(found, name)
    run_migrations(connection)


def run_migrations(connection: Connection, target: str = "head") -> None:
    """Apply the migrations up to `target` in the caller's transaction."""
    _alembic()(connection, target)


def _refuse_newer(found: str | None, name: str) -> None:
    if found is None or found in _known():
        return
    raise RefuseRun(
        f"The store {name} was written by a newer version of the platform (migration {found}; this "
        f"version knows those up to {HEAD}). Nothing was read or changed and no order was sent. "
        "Deploy the newer version again, or restore the copy of the store from before its upgrade.",
        code=ReasonCode.STORE_NEWER,
    )


def _known() -> frozenset[str]:
    return frozenset(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def _alembic() -> Callable[[Connection, str], None]:
    # Not paid for by a service whose store is up to date.
    from alembic import command
    from alembic.config import Config

    def apply(connection: Connection, target: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, target)

    return apply
