"""Desks to release from, in both layouts, and the command on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from quant_platform_kit.release import Patience, pin, plan_deployment, verify_pins
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import Desk, make_desk, make_wheelhouse, world

PATIENCE = Patience(pause_secs=0, attempts=2)
NOW = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)

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
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return a project without services, whose `gcloud` is found before any other."""
    made = Cloud.make(tmp_path / "cloud")
    monkeypatch.setenv("PATH", f"{made.path}{os.pathsep}{os.environ['PATH']}")
    return made


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


def deploy_a_desk(folder: Path) -> None:
    """Make a desk in a folder, and a cloud beside it that runs what is pinned there."""
    cloud = Cloud.make(folder / "cloud")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{cloud.path}{os.pathsep}{os.environ['PATH']}")
        desk = make_desk(folder / "desk", siblings=False)
        desk.release_both()
        pin(desk.layout, {})
        desk.commit_platforms()
        for place in desk.layout.platforms:
            verify_pins(desk.layout, place)
            plan_deployment(desk.layout, place).make(why="", now=NOW, patience=PATIENCE)


@pytest.fixture(scope="session")
def running_folder(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Path:
    """Return a folder with a desk, and a cloud that runs what is pinned, to be copied."""
    folder = tmp_path_factory.mktemp("running")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world(wheelhouse).items():
            patch.setenv(name, value)
        deploy_a_desk(folder)
    return folder


@pytest.fixture(scope="session")
def one_desk(running_folder: Path) -> Desk:
    """Return a desk that nobody changes."""
    return Desk(running_folder / "desk", siblings=False)


@pytest.fixture
def running(
    running_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Desk, Cloud]:
    """Return a desk, and a cloud that runs what is pinned there; its `gcloud` is found first."""
    for name in ("configs", "desk", "remotes"):
        shutil.copytree(running_folder / name, tmp_path / name, symlinks=True)
    cloud = Cloud(running_folder / "cloud").copy(tmp_path / "cloud")
    monkeypatch.setenv("PATH", f"{cloud.path}{os.pathsep}{os.environ['PATH']}")
    return Desk(tmp_path / "desk", siblings=False), cloud
