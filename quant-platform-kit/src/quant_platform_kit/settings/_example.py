"""A file of every variable that a platform's service knows, to be copied and filled in."""

from __future__ import annotations

import textwrap
from typing import Final

from quant_platform_kit.settings._logins import LOGINS
from quant_platform_kit.settings._schema import VARIABLES
from quant_platform_kit.settings._variable import Platform, Source, Variable

_WIDTH: Final = 100
_HEAD: Final = """\
# Settings of the {platform} service; written by `make docs` from the schema. Copy it to .env, take
# the # off the lines that you need, and keep that file out of git. What is not set has the value
# shown. Of a secret, a file or Google Secret Manager may keep the value: see docs/run-a-service.md.
"""


def example(platform: str) -> str:
    """Return the text of a platform's ``.env.example``."""
    kind = Platform(platform)
    service = "".join(_entry(variable, kind) for variable in VARIABLES)
    login = "".join(_entry(variable, kind) for variable in LOGINS[kind])
    head = _HEAD.format(platform=kind.value)
    title = f"\n# ── The broker, where QPK_BROKER={kind.value} "
    return f"{head}{service}{title:─<{_WIDTH + 1}}\n{login}"


def _entry(variable: Variable, platform: Platform) -> str:
    meaning = f"Required. {variable.meaning}" if variable.default is None else variable.meaning
    lines = textwrap.wrap(meaning, _WIDTH - 2)
    if variable.is_secret:
        elsewhere = [n for n, s in variable.spellings(platform).items() if s is not Source.VALUE]
        lines.append(f"Secret; or {', '.join(elsewhere[:-1])} or {elsewhere[-1]} instead.")
    name = next(iter(variable.spellings(platform)))
    comments = "".join(f"# {line}\n" for line in lines)
    return f"\n{comments}#{name}={variable.default or ''}\n"
