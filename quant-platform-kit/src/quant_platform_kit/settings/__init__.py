"""The one schema of settings: read once, frozen, and strict about every name and value.

Hand-written on dataclasses: a validation library would cost more start-up time than the rest of
the service together (see ``docs/decisions/0003-settings-without-a-library.md``).
"""

from __future__ import annotations

from quant_platform_kit.settings._load import load_settings, reference
from quant_platform_kit.settings._rollout import read_rollout
from quant_platform_kit.settings._schema import Settings
from quant_platform_kit.settings._variable import Platform


def example(platform: str) -> str:
    """Return the text of a platform's ``.env.example``; no service needs it."""
    from quant_platform_kit.settings import _example

    return _example.example(platform)


__all__ = ["Platform", "Settings", "example", "load_settings", "read_rollout", "reference"]
