"""Databases for every test: a store on SQLite or PostgreSQL, and the server behind the latter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quant_platform_kit.store import Store
from tests import databases, postgres

_LONGEST = (
    "test_the_runbooks_do_what_they_say",
    "test_a_drill_releases_switches_breaks_and_takes_back",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that nobody waits for one of them at the end."""
    items.sort(key=lambda item: item.name not in _LONGEST)


def pytest_report_header() -> str:
    """Say at the top which PostgreSQL the tests use, or that they use none."""
    return f"postgresql: {postgres.programs() or postgres.ABSENT}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a server and return its address; without PostgreSQL the test says it did not run."""
    if postgres.programs() is None:
        pytest.skip(postgres.ABSENT)
    with postgres.running() as url:
        yield url


@pytest.fixture(params=databases.KINDS)
def open_store(request: pytest.FixtureRequest) -> Iterator[databases.OpenStore]:
    """Return a function that opens the store of a folder, on each kind of database in turn.

    The same folder gives the same store again, as to another process.
    """
    if request.param == "sqlite":
        yield from databases.on_sqlite()
    else:
        yield from databases.on_postgresql(request.getfixturevalue("postgresql"))


@pytest.fixture(scope="module", params=databases.KINDS)
def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Open one store for the tests of a module, for those that clear it by themselves."""
    folder = tmp_path_factory.mktemp("shared")
    if request.param == "sqlite":
        opening = databases.on_sqlite()
    else:
        opening = databases.on_postgresql(request.getfixturevalue("postgresql"))
    yield next(opening)(folder)
    next(opening, None)
