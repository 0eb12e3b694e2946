"""Locks: every version with the hashes of its files, and no address of an index."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quant_platform_kit.release._layout import Layout
from quant_platform_kit.release._run import call
from quant_platform_kit.release._source import normal

_LOCKED: Final = re.compile(r"(?m)^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)")


def resolve(layout: Layout, requirements: Sequence[str], before: str) -> str:
    """Return a lock of requirements and of all they need, on the platforms' Python and Linux.

    What the layout's constraints name is taken in that version: it is what the tests ran with.
    Else the lock of `before` is kept where it can be.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when no versions fit together.
    """
    if not requirements:
        return ""
    constraints = () if layout.constraints is None else ("--constraint", str(layout.constraints))
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        asked, lock = Path(folder, "requirements.in"), Path(folder, "requirements.lock")
        asked.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        lock.write_text(before, encoding="utf-8")
        call(
            (
                *(sys.executable, "-m", "uv", "pip", "compile", str(asked)),
                *("--output-file", str(lock), "--quiet", "--system-certs", *constraints),
                *("--python-version", layout.python, "--python-platform", "linux"),
                *("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"),
            ),
            cwd=layout.root,
        )
        return lock.read_text(encoding="utf-8")


def locked(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return {normal(found["name"]): found["version"] for found in _LOCKED.finditer(lock)}
