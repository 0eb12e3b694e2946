"""The wall between a strategy author's code and the platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

_LONGEST: Final = 500  # characters of an error that still fit into a message to people


@dataclass(frozen=True, slots=True)
class Failure:
    """What a strategy author's code raised instead of answering."""

    error: BaseException

    def __str__(self) -> str:
        text = _text(self.error)
        return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__


def attempt(call: Callable[[], T]) -> T | Failure:
    """Return what `call` answers, or what it raised."""
    try:
        return call()
    except KeyboardInterrupt:
        raise  # a person's wish, not the strategy's
    except BaseException as error:  # noqa: BLE001
        # A profile is other people's code: it can raise anything, and one that does must not
        # take down the sleeves beside it. Nothing of the platform itself runs in here.
        return Failure(error)


def _text(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 (its own __str__ is other people's code as well)
        return ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
