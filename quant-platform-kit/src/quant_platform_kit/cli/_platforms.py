"""The rollout lists that `qpk` finds: one ``platform.toml`` in each platform's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from quant_platform_kit.brokers import CAPABILITIES
from quant_platform_kit.contracts import Rollout
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings import read_rollout

DEFAULT_FOLDER = Path("platforms")
FILE_NAME = "platform.toml"


def read_rollouts(folder: Path | None) -> Mapping[str, Rollout]:
    """Read the rollout list of every platform that has one in `folder`.

    Parameters
    ----------
    folder : Path or None
        Holds one folder a platform. None looks for ``platforms`` in the working directory, and
        finds nothing where there is none.

    Returns
    -------
    mapping of str to Rollout
        By platform; one without a list is absent.

    Raises
    ------
    SettingsError
        When a named folder does not exist, or a list cannot be read.
    """
    if folder is not None and not folder.is_dir():
        raise SettingsError(
            f"--platforms {folder}: there is no such folder. Name the one that holds a folder with "
            f"a {FILE_NAME} for each platform."
        )
    lists = {name: (folder or DEFAULT_FOLDER) / name / FILE_NAME for name in CAPABILITIES}
    return {name: read_rollout(name, path) for name, path in lists.items() if path.is_file()}
