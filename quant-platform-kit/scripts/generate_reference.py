"""Write the files that are made of the code, or check that they are up to date.

python scripts/generate_reference.py            # write docs/reference/, platforms/*/.env.example
python scripts/generate_reference.py --check    # exit code 1 when a file differs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import broker_pages

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.notify import meaning as translated
from quant_platform_kit.risk import PERMITTED, Action, GateMode, Limits
from quant_platform_kit.settings import Platform, example, reference

ROOT = Path(__file__).parents[2]
_NOTICE = "<!-- Written by `make docs`; edit the code, not this page. -->\n"


def pages() -> dict[str, str]:
    """Return the text of every file by its place in the repository."""
    return {
        "docs/reference/reason-codes.md": _reason_codes(),
        "docs/reference/risk-limits.md": _risk_limits(),
        "docs/reference/settings.md": _settings(),
        **{name: f"{_NOTICE}{text}" for name, text in broker_pages.pages().items()},
        **{f"platforms/{platform}/.env.example": example(platform) for platform in Platform},
    }


def _reason_codes() -> str:
    rows = [[f"`{code}`", code.meaning, translated(code, "zh")] for code in ReasonCode]
    exits = [[str(int(code)), code.name] for code in ExitCode]
    return (
        f"{_NOTICE}# Reason codes\n\n"
        "Everything that is skipped, reduced, rejected, blocked or failed carries one of these.\n\n"
        + _table(["code", "meaning", "含义"], rows)
        + "\n# Exit codes of `qpk`\n\n"
        + _table(["code", "name"], exits)
    )


def _risk_limits() -> str:
    rows = [[f"`{key}`", _default(value), text] for key, value, text in Limits().entries()]
    modes = [
        [mode.value, *("yes" if action in PERMITTED[mode] else "–" for action in Action)]
        for mode in GateMode
    ]
    return (
        f"{_NOTICE}# Risk limits\n\n"
        "Keys of the YAML file that `QPK_RISK_LIMITS_PATH` names, all under `risk`. A key that is\n"
        "not here, stands twice or has a value that cannot be read stops the start-up. `none`\n"
        "takes a limit away. `qpk limits` shows what counts now.\n\n"
        + _table(["key", "default", "meaning"], rows)
        + "\n# What the gate permits\n\n"
        "`reduce` is a strategy's sale, `close` an operator's own.\n\n"
        + _table(["mode", *(action.value for action in Action)], modes)
    )


def _default(value: object) -> str:
    if value is None or value == {}:
        return "none"
    return f"`{str(value).lower()}`"


def _settings() -> str:
    rows = [
        [f"`{name}`", f"`{default}`" if default else "", text]
        for name, default, text in reference()
    ]
    return (
        f"{_NOTICE}# Settings of a service\n\n"
        "Read once, when the process starts. `<PLATFORM>` is `IBKR`, `SCHWAB` or `LONGBRIDGE`;\n"
        "those variables may also be written without the prefix, but not both ways at once. Any\n"
        "other variable that begins with `QPK_` or the platform's prefix stops the start-up, and\n"
        "so does a value that cannot be read: nothing is guessed.\n\n"
        + _table(["variable", "default", "meaning"], rows)
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Write or check the files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = [
        name
        for name, text in pages().items()
        if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf-8") != text
    ]
    if check:
        for name in stale:
            sys.stderr.write(f"{name} is not what the code says: run `make docs`\n")
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(pages()[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
