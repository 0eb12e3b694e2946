"""Versions, and the ranges in which a package takes another one of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from quant_platform_kit.errors import ReasonCode, ReleaseRefused

_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_RANGE: Final = re.compile(r">=(?P<least>[\d.]+),\s*<(?P<below>[\d.]+)")


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """A version of three numbers."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``1.2.3``.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_VERSION``.
        """
        found = _VERSION.fullmatch(text)
        if found is None:
            raise ReleaseRefused(
                f"{text!r} is no version: expected three numbers such as 1.2.3. Nothing was done.",
                code=ReasonCode.RELEASE_VERSION,
            )
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        """Return ``1.2.3``."""
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class Range:
    """The versions from `least` on, below the next minor one."""

    least: tuple[int, ...]
    below: tuple[int, ...]

    @classmethod
    def around(cls, version: Version) -> Self:
        """Return the range from `version` to the next minor version, which may break things."""
        return cls(
            (version.major, version.minor, version.patch), (version.major, version.minor + 1)
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``>=1.2.3,<1.3``; None when it is written in another way."""
        found = _RANGE.fullmatch(text.strip())
        if found is None:
            return None
        return cls(_numbers(found["least"]), _numbers(found["below"]))

    def __contains__(self, version: Version) -> bool:
        """Tell whether the range admits `version`."""
        numbers = (version.major, version.minor, version.patch)
        return self.least <= numbers < self.below

    def __str__(self) -> str:
        """Return ``>=1.2.3,<1.3``."""
        return f">={_dotted(self.least)},<{_dotted(self.below)}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
