"""Publishes once per change that a publication makes in its store, killed just before that one.

Usage: ``killed_at_each_step.py BUILT TEMPLATE RUNS``. Every publication of what lies in BUILT
starts on its own copy of TEMPLATE in RUNS; the last one is the one that got through.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

from us_equity_snapshot_pipelines._command import app

_STEPS = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def kill_before(step: int, folder: Path) -> None:
    """Let this process be killed before its `step`-th change of something in `folder`."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if writes or event in _STEPS:
            if any(str(argument).startswith(str(folder)) for argument in arguments):
                count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(built: Path, template: Path, runs: Path) -> int:
    """Publish until one publication gets through, and return its exit code."""
    import us_equity_snapshot_pipelines._publish  # noqa: F401 (once, for all children)

    for step in itertools.count(1):
        folder = runs / f"killed-before-step-{step:03}"
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            kill_before(step, folder)
            app(["publish", str(built), str(folder)], standalone_mode=False)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != -signal.SIGKILL:
            return code
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
