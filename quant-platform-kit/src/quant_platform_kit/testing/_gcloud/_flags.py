"""What stands on gcloud's command line: flags, lists, and pairs with a delimiter of their own."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from quant_platform_kit.testing._gcloud._state import Refused, State

WRONG: Final = 2
_ESCAPING: Final = (
    "Please see `gcloud topic flags-file` or `gcloud topic escaping` for information on providing "
    "list or dictionary flag values with special characters."
)
LABEL_KEY: Final = re.compile(r"[a-z][a-z0-9_./-]{0,62}")
LABEL_VALUE: Final = re.compile(r"[a-z0-9_-]{0,63}")
LABEL_RULE: Final = (
    "Only hyphens (-), underscores (_), lowercase characters, and numbers are allowed. "
    "Keys must start with a lowercase character."
)


@dataclass(frozen=True)
class Call:
    """One command, with the project it is about."""

    state: State
    folder: Path
    project: str
    asked: argparse.Namespace
    tell: Callable[[str], None]
    """Writes a line for people to standard error."""


@dataclass(frozen=True)
class Command:
    """A command: the flags it knows, and what it does."""

    flags: Callable[[argparse.ArgumentParser], None]
    act: Callable[[Call], Any]
    """Returns what ``--format`` prints."""
    then: Callable[[Call, Any], None] | None = None
    """Does what takes long, with what was returned; others may change the project meanwhile."""


Commands = dict[tuple[str, ...], Command]
"""By the words that name them."""


class Parser(argparse.ArgumentParser):
    """A parser that refuses as gcloud does."""

    def error(self, message: str) -> NoReturn:
        """Refuse a command line."""
        raise Refused(message, WRONG)


def parser(command: Command) -> Parser:
    """Return the parser of a command, with the flags that all have."""
    made = Parser(add_help=False, allow_abbrev=False)
    for flag in ("--project", "--format", "--verbosity"):
        made.add_argument(flag, default="")
    made.add_argument("--quiet", "-q", action="store_true")
    command.flags(made)
    return made


def items(text: str) -> list[str]:
    """Return the items of a list: between commas, or between what stands in ``^ ^`` before them."""
    delimiter = ","
    if text.startswith("^") and "^" in text[1:]:
        delimiter, _, text = text[1:].partition("^")
        if not delimiter:
            raise argparse.ArgumentTypeError(f"Invalid delimiter. {_ESCAPING}")
    return text.split(delimiter) if text else []


def pairs(text: str) -> dict[str, str]:
    """Return the pairs of a dictionary; a value may hold further equals signs."""
    found = {}
    for item in items(text):
        name, equals, value = item.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"Bad syntax for dict arg: [{item}]. {_ESCAPING}")
        found[name] = value
    return found


def labels(text: str) -> dict[str, str]:
    """Return the pairs of a dictionary of labels."""
    found = pairs(text)
    for name, value in found.items():
        for each, rule in ((name, LABEL_KEY), (value, LABEL_VALUE)):
            if not rule.fullmatch(each):
                raise argparse.ArgumentTypeError(f"Bad value [{each}]: {LABEL_RULE}")
    return found
