"""What travels to a worker process: which module to ask, and the context it decides in."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module, invalidate_caches
from types import MappingProxyType, ModuleType
from typing import Any

from quant_platform_kit.market import ExchangeCalendar, xnys
from quant_platform_kit.strategy._answer import Decide
from quant_platform_kit.strategy._contract import StrategyContext
from quant_platform_kit.strategy._drop_ins import DropInLoader, run_source
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._strategy import Strategy
from quant_platform_kit.workers import import_path


@dataclass(frozen=True, slots=True)
class _ModuleRef:
    """A module by name, and what proves that another process means the same one.

    `source` is the text of a drop-in file; None where the module is imported by its name.
    """

    name: str
    origin: str
    source: str | None

    def is_of(self, module: ModuleType) -> bool:
        return _ref(self.name, module) == self

    def load(self) -> ModuleType:
        present = sys.modules.get(self.name)
        if present is not None and self.is_of(present):
            return present
        sys.modules.pop(self.name, None)
        if self.source is not None:
            return run_source(self.name, self.origin, self.source)
        module = import_module(self.name)
        if not self.is_of(module):
            raise ImportError(f"{self.name} was expected from {self.origin}")
        return module


class _Pickler(pickle.Pickler):
    """Pickles what a context is made of; a read-only view cannot travel by itself."""

    def reducer_override(self, value: Any) -> Any:  # noqa: ANN401 (pickle's protocol)
        if isinstance(value, MappingProxyType):
            return _read_only, (dict(value),)
        if isinstance(value, ExchangeCalendar) and value is xnys():
            return xnys, ()  # it ships with the kit: the other side has it, too
        return NotImplemented


def pack(strategy: Strategy, context: StrategyContext) -> bytes | None:
    """Return what a worker needs to ask `strategy`; None when it can only be asked right here.

    That is so when the decision function is not the one that its module's name leads to, or when
    something in the context cannot travel.
    """
    module = sys.modules.get(strategy.module_name)
    if module is None or getattr(module, "decide", None) is not strategy.decide:
        return None
    ref = _ref(strategy.module_name, module)
    if ref is None:
        return None
    packed = attempt(partial(_packed, context))  # what is in it may have its own way to fail
    if isinstance(packed, Failure):
        return None
    # The context is packed by itself: only with the module at hand can it be read.
    return pickle.dumps((import_path(), ref, packed), pickle.DEFAULT_PROTOCOL)


def unpack(parcel: bytes) -> tuple[Decide, StrategyContext]:
    """Return the decision function and the context; imports the strategy's module.

    Raises
    ------
    BaseException
        Whatever the module raises while it is imported.
    """
    path, ref, packed = pickle.loads(parcel)  # noqa: S301 (our own parent's words)
    if import_path() != path:
        sys.path[:] = path
        invalidate_caches()
    decide: Decide = ref.load().decide
    context: StrategyContext = pickle.loads(packed)  # noqa: S301 (our own parent's words)
    return decide, context


def _packed(context: StrategyContext) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.DEFAULT_PROTOCOL).dump(context)
    return buffer.getvalue()


def _ref(name: str, module: ModuleType) -> _ModuleRef | None:
    spec = getattr(module, "__spec__", None)
    if spec is None or spec.origin is None or spec.name != name:
        return None  # made by hand, or run as a script: the name leads nowhere else
    loader = spec.loader
    source = loader.source if isinstance(loader, DropInLoader) else None
    return _ModuleRef(name, spec.origin, source)


def _read_only(entries: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(entries)
