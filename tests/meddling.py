"""Stores of snapshots that something happens to: somebody else comes first, or the user dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quant_platform_kit.inputs import ObjectStore, StoredObject


@dataclass
class Through:
    """A store that something happens to."""

    inner: ObjectStore

    def where(self, name: str = "") -> str:
        return self.inner.where(name)

    def read(self, name: str) -> StoredObject | None:
        return self.inner.read(name)

    def create(self, name: str, data: bytes) -> bool:
        return self.inner.create(name, data)

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        return self.inner.replace(name, data, generation)

    def names(self) -> tuple[str, ...]:
        return self.inner.names()

    def delete(self, name: str) -> None:
        self.inner.delete(name)

    def sweep(self, before: datetime) -> int:
        return self.inner.sweep(before)


@dataclass
class JustBefore(Through):
    """Just before an object is replaced, or removed, somebody else does something."""

    other: Callable[[], Any]
    replacing: str = ""
    deleting: str = ""

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        if name == self.replacing:
            self.other()
        return self.inner.replace(name, data, generation)

    def delete(self, name: str) -> None:
        if name == self.deleting:
            self.other()
        self.inner.delete(name)


class PowerCutError(Exception):
    """The publisher is gone."""


@dataclass
class Mortal(Through):
    """A store whose user lives for so many changes; the last one may still arrive."""

    left: int
    arrives: bool

    def create(self, name: str, data: bytes) -> bool:
        return self._change(lambda: self.inner.create(name, data))

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        return self._change(lambda: self.inner.replace(name, data, generation))

    def delete(self, name: str) -> None:
        self._change(lambda: self.inner.delete(name))

    def _change(self, change: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever it returns)
        self.left -= 1
        if self.left < 0:
            if self.arrives:
                change()
            raise PowerCutError
        return change()
