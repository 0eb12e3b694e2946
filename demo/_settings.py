"""What each service is told: its variables, and nothing more."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from demo._accounts import DemoAccount

ENVIRONMENT_FILE = "service.env"
"""The variables of a service, in its account's folder."""


def service_settings(account: DemoAccount, folder: Path, commit: str) -> dict[str, str]:
    """Return the variables that make a service look after `account`, but for its broker's.

    Parameters
    ----------
    account : DemoAccount
    folder : Path
        Gets the service's state and, where the profile reads them, its feature snapshots.
    commit : str
        What heartbeats name as the deployed code; may be empty.
    """
    prefix = account.platform.upper()
    settings = {
        "STRATEGY_PROFILE": account.profile,
        "EXECUTION_MODE": "paper",
        f"{prefix}_STRATEGY_CONFIG_PATH": str(account.config_path),
        "QPK_COMMIT": commit,
        "QPK_LANGUAGES": "en,zh",
        "QPK_STATE_DIR": str(folder / "state"),
    }
    if account.reads_snapshot:
        settings[f"{prefix}_FEATURE_SNAPSHOT_PATH"] = str(snapshot_folder(folder))
    return settings


def snapshot_folder(folder: Path) -> Path:
    """Return where the snapshots of the account in `folder` are published."""
    return folder / "snapshots"


def write_environment(settings: Mapping[str, str], path: Path) -> None:
    """Write `settings` as a file that a shell can read, for whoever wants to look with `qpk`."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(settings.items())]
    path.write_text("".join(lines), encoding="utf-8")


def source_commit() -> str:
    """Return the commit of the working tree; empty where there is no git or no commit."""
    git = shutil.which("git")
    if git is None:
        return ""
    answer = subprocess.run(
        [git, "rev-parse", "--verify", "--quiet", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
