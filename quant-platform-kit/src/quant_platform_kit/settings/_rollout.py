"""The rollout list of a platform, as its file says it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quant_platform_kit.errors import SettingsError

if TYPE_CHECKING:
    from quant_platform_kit.contracts import Rollout


def read_rollout(platform: str, path: Path) -> Rollout:
    """Read the ``platform.toml`` of a platform.

    Raises
    ------
    SettingsError
        When it cannot be read, or is no rollout list.
    """
    from quant_platform_kit.contracts import Rollout  # not paid for without a list

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"{path} cannot be read: {why}. No profile of {platform} counts as enabled."
        ) from error
    return Rollout.parse(platform, text)
