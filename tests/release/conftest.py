"""Desks to release from, in both layouts, and the command on them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.desk import Desk, make_desk, make_wheelhouse, world

Command = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    make_wheelhouse(folder)
    return folder


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch, wheelhouse: Path) -> None:
    for name, value in world(wheelhouse).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["one repository", "siblings"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """Return a desk before its first release, in either layout."""
    return make_desk(tmp_path / "desk", siblings=request.param == "siblings")


@pytest.fixture
def house(tmp_path: Path) -> Desk:
    """Return a desk in one repository, for what does not depend on the layout."""
    return make_desk(tmp_path / "desk", siblings=False)


@pytest.fixture
def qpk() -> Command:
    """Return a function that runs `qpk release` on a desk."""

    def run(desk: Desk, *arguments: str) -> CompletedProcess[str]:
        command = Path(sys.executable).with_name("qpk")
        return subprocess.run(
            [command, "release", *arguments, "--root", desk.root],
            capture_output=True,
            text=True,
            check=False,
        )

    return run
