"""The few words in which cards demand something."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class CardStatus(StrEnum):
    """How a card ended."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_APPLICABLE = "not applicable"


class NotApplicable(unittest.SkipTest):
    """A card has nothing to ask of this part; test runners show it as skipped."""


def only(items: Sequence[T], what: str) -> T:
    """Return the one item that there has to be."""
    expect_same(len(items), 1, f"the number of {what}s")
    return items[0]


def expect_same(actual: object, expected: object, what: str) -> None:
    """Require that two values are equal."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def expect(condition: bool, what: str) -> None:  # noqa: FBT001 (reads like assert)
    """Require that `what` is so."""
    if not condition:
        raise AssertionError(what)
