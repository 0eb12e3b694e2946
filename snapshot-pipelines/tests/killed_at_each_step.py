"""Publishes once per step that a publication takes in its folder, killed just before that step.

Usage: ``killed_at_each_step.py TEMPLATE RUNS [the command's arguments but --out]``. Every
publication starts on its own copy of TEMPLATE in RUNS; the last one is the one that got through.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from us_equity_snapshot_pipelines.__main__ import main as publish_command


def kill_before(step: int, folder: Path) -> None:
    """Let this process be killed before its `step`-th look or touch at something in `folder`."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}:
            if any(str(argument).startswith(str(folder)) for argument in arguments):
                count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(template: Path, runs: Path, arguments: Sequence[str]) -> int:
    """Publish until one publication gets through, and return its exit code."""
    for step in itertools.count(1):
        folder = runs / f"killed-before-step-{step:02}"
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            kill_before(step, folder)
            os._exit(publish_command([*arguments, "--out", str(folder)]))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != -signal.SIGKILL:
            return code
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
