"""The wall between a strategy author's code and the platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What a strategy author's code raised instead of answering."""

    error: BaseException

    def __str__(self) -> str:
        text = " ".join(str(self.error).split())
        return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__


def attempt(call: Callable[[], T]) -> T | Failure:
    """Return what `call` answers, or what it raised."""
    try:
        return call()
    except (Exception, SystemExit) as error:  # noqa: BLE001
        # A profile is other people's code: it can raise anything, and one that does must not
        # take down the sleeves beside it. Nothing of the platform itself runs in here.
        return Failure(error)
