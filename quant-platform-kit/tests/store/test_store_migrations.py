"""The migrations make the tables that the code has, and no version touches a newer one's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from quant_platform_kit.errors import ReasonCode, RefuseRun, TransientError
from quant_platform_kit.store import Store, _schema, metadata

OpenStore = Callable[[Path], Store]

POSTGRESQL_SHAPE = (
    """
    SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length,
           is_nullable, regexp_replace(column_default, '''.*\\.', '''')
    FROM information_schema.columns WHERE table_schema = :schema
    """,
    """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = to_regnamespace(:schema)
    """,
    """
    SELECT tablename, indexname, replace(indexdef, schemaname || '.', '')
    FROM pg_indexes WHERE schemaname = :schema
    """,
)


def shape(connection: Connection, schema: str) -> list[tuple[object, ...]]:
    """Return everything a database says about its tables, but Alembic's own."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master")).all()
        found: list[tuple[object, ...]] = [(row.name, _parts(row.sql or "")) for row in rows]
    else:
        given = {"schema": schema}
        found = [tuple(row) for q in POSTGRESQL_SHAPE for row in connection.execute(text(q), given)]
    return sorted((row for row in found if "alembic" not in str(row)), key=str)


def _parts(statement: str) -> list[str]:
    """Return the lines of a CREATE TABLE; the order of its constraints means nothing."""
    return sorted(line.replace(",", "").strip() for line in statement.split("\n"))


@contextmanager
def beside(store: Store, schema: str) -> Iterator[Engine]:
    """Yield an engine on an empty place next to `store`."""
    if store.path is not None:
        engine = create_engine(f"sqlite:///{store.path.with_name(schema)}.sqlite3")
    else:
        options = {"options": f"-csearch_path={schema}"}
        engine = create_engine(store.engine.url, connect_args=options)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield engine
    if store.path is None:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.begin() as connection:
        migrated = shape(connection, store.name)
    with beside(store, "from_the_code") as engine, engine.begin() as connection:
        metadata.create_all(connection)
        assert shape(connection, "from_the_code") == migrated
    assert len(migrated) > len(metadata.tables)


def test_no_text_has_a_length() -> None:
    # PostgreSQL would refuse what SQLite keeps.
    columns = [column for table in metadata.sorted_tables for column in table.columns]
    assert [str(c) for c in columns if getattr(c.type, "length", None) is not None] == []


def test_the_newest_migration_is_the_one_the_code_asks_for() -> None:
    files = sorted(path.name for path in _schema.MIGRATIONS.glob("versions/[0-9]*.py"))
    assert files[-1].startswith(f"{_schema.HEAD}_")
    assert [name.partition("_")[0] for name in files] == [
        f"{number:04d}" for number in range(1, len(files) + 1)
    ]


def test_opening_again_changes_nothing(open_store: OpenStore, tmp_path: Path) -> None:
    with open_store(tmp_path).begin() as connection:
        connection.execute(text("INSERT INTO cash VALUES ('a', '1.50')"))
    again = open_store(tmp_path)
    with again.begin() as connection:
        assert connection.scalar(text("SELECT amount_usd FROM cash")) == "1.50"
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == _schema.HEAD


def test_a_store_of_a_newer_version_is_refused_and_left_alone(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(tmp_path)
    with store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RefuseRun, match=r"newer version .*9999.*Deploy the newer") as refused:
        open_store(tmp_path)
    assert refused.value.code is ReasonCode.STORE_NEWER
    with store.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_reader_refuses_a_store_that_is_not_up_to_date(path: Path) -> None:
    path.parent.mkdir()
    sqlite3.connect(path).close()
    with pytest.raises(TransientError, match=r"older than this version .*none, .*Start the serv"):
        Store.open(path, read_only=True)
    assert path.read_bytes() == b""


def test_a_migration_that_is_cut_off_leaves_an_empty_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _schema.run_migrations

    def cut_off(connection: Connection, target: str = "head") -> None:
        whole(connection, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_schema, "run_migrations", cut_off)
        with pytest.raises(KeyboardInterrupt):
            Store.open(path)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    database.close()
    Store.open(path).close()


def test_two_processes_may_open_an_empty_store_at_once(
    open_store: OpenStore, tmp_path: Path
) -> None:
    start = threading.Barrier(4)
    opened: list[Store] = []

    def open_it() -> None:
        start.wait()
        opened.append(open_store(tmp_path))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == len(threads)
