"""The cards of acceptance hold on either database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import databases
from tests.house import House


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that builds a house twice: on SQLite and on PostgreSQL."""
    if getattr(metafunc.module, "House", None) is House:
        metafunc.fixturenames.append("house_database")
        metafunc.parametrize("house_database", databases.KINDS, indirect=True)


@pytest.fixture
def house_database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let houses of this test keep their books in one kind of database."""
    if request.param == "sqlite":
        opening = databases.on_sqlite()
    else:
        opening = databases.on_postgresql(request.getfixturevalue("postgresql"))
    monkeypatch.setattr(House, "opens", staticmethod(next(opening)))
    yield
    next(opening, None)
