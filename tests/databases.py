"""Stores of both kinds, closed and gone after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, text

from quant_platform_kit.store import Store

KINDS = ("sqlite", "postgresql")
OpenStore = Callable[[Path], Store]
_numbers = count(1)


def on_sqlite() -> Iterator[OpenStore]:
    """Yield a function that opens the file of a folder."""
    opened: list[Store] = []

    def open_in(folder: Path) -> Store:
        opened.append(Store.open(folder / "paper.sqlite3"))
        return opened[-1]

    yield open_in
    for store in opened:
        store.close()


def on_postgresql(url: str) -> Iterator[OpenStore]:
    """Yield a function that opens the schema of a folder in the database at `url`."""
    opened: list[Store] = []
    schemas: dict[Path, str] = {}

    def open_in(folder: Path) -> Store:
        schema = schemas.setdefault(folder, f"test_{next(_numbers)}")
        opened.append(Store.connect(url, schema))
        return opened[-1]

    yield open_in
    for store in opened:
        store.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        for schema in schemas.values():
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
