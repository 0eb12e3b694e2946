"""The drill runs through: everything that releases do, on repositories side by side."""

from __future__ import annotations

from pathlib import Path

from tests.desk import make_desk
from tests.release.conftest import Command


def test_a_drill_releases_switches_breaks_and_takes_back(tmp_path: Path, qpk: Command) -> None:
    desk = make_desk(tmp_path / "desk", siblings=True)
    before = desk.refs()
    done = qpk(desk, "drill", "--platform", "ibkr")
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.refs() == before
    steps = [line.partition(" s  ")[2] for line in done.stdout.splitlines()]
    assert any("switched to russell_1000_multi_factor_defensive" in step for step in steps)
    assert steps[-3:] == [
        "rebalancer-ibkr: taken back, run",
        "every platform pinned back, and the service verified",
        "from the run that failed to one that did not",
    ]
