"""Programs that a release calls: git, pip, uv and the checks."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused

_LOGIN: Final = re.compile(r"(?<=//)[^/@\s]+@")
_LAST_LINES: Final = 12

# Variables that point git at one repository would overrule the one that is meant.
_POINTERS: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def call(
    command: Sequence[str],
    *,
    cwd: Path,
    also: Mapping[str, str] | None = None,
    passing: Sequence[int] = (0,),
    told: str = "",
    holding: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program, with the variables of `also` added to ours, and return how it ended.

    It reads `told` from its standard input, and keeps the open files of `holding` open.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_TOOL`` when it cannot be started, or ends otherwise than in one of `passing`.
    """
    try:
        done = subprocess.run(  # noqa: S603 (programs of the layout and of this module's callers)
            command,
            cwd=cwd,
            env=environment(also or {}),
            input=told,
            pass_fds=holding,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ReleaseRefused(
            f"{command[0]} cannot be started: {error.strerror}. Nothing was released; install it.",
            code=ReasonCode.RELEASE_TOOL,
        ) from error
    if done.returncode not in passing:
        raise ReleaseRefused(
            f"`{shlex.join(command)}` ended with {done.returncode}. Nothing was released by it. "
            f"It said:\n{last_words(done)}",
            code=ReasonCode.RELEASE_TOOL,
        )
    return done


def environment(also: Mapping[str, str]) -> dict[str, str]:
    """Return our own variables and those of `also`; git asks nobody for a password."""
    kept = {name: value for name, value in os.environ.items() if name not in _POINTERS}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **also}


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a program said, without logins that addresses carry."""
    lines = f"{done.stdout}{done.stderr}".rstrip().splitlines()[-_LAST_LINES:]
    return without_logins("\n".join(lines))


def without_logins(text: str) -> str:
    """Return a text without the logins of the addresses in it."""
    return _LOGIN.sub("", text)
