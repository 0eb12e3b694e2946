"""Where profiles come from: entry points of installed packages, and a folder of drop-in files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import invalidate_caches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from quant_platform_kit.strategy._contract import StrategyModule
from quant_platform_kit.strategy._drop_ins import read_drop_in

_GROUP: Final = "quant_platform_kit.strategies"
_OURS: Final = "quant_platform_kit"


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile that somebody offers, before anything of it has run.

    Parameters
    ----------
    name : str
        What it is registered as; a drop-in file's own name, until it says its profile's.
    module_name : str
    source : str
        Who offers it.
    load : callable
        Returns the module.
    drop_in : bool
        Whether it is a file in a folder, which may not leave research.
    """

    name: str
    module_name: str
    source: str
    load: Callable[[], object]
    drop_in: bool = False

    @property
    def place(self) -> str:
        """Where a person finds its code."""
        return self.source if self.drop_in else self.module_name


def given(name: str, module: StrategyModule) -> Offer:
    """Offer a module that is already at hand."""
    module_name = str(getattr(module, "__name__", type(module).__name__))
    return Offer(name, module_name, "given", lambda: module)


def installed() -> Iterator[Offer]:
    """Offer what the installed packages register."""
    for entry in _entries():
        yield Offer(entry.name, entry.value, _distribution(entry), entry.load)


def dropped_in(files: Sequence[Path]) -> Iterator[Offer]:
    """Offer what strategy files hold; each is run anew whenever it is loaded."""
    for path in files:
        load = partial(read_drop_in, path)
        yield Offer(path.stem, f"drop_in_{path.stem}", str(path), load, drop_in=True)


def forget_installed() -> None:
    """Make the next `installed` import its packages' code as it then stands on the disk."""
    packages = {entry.module.partition(".")[0] for entry in _entries()} - {_OURS}
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]
    invalidate_caches()


def _entries() -> tuple[EntryPoint, ...]:
    # A package that stands twice on the path does not compete with itself.
    return tuple({(e.name, e.value): e for e in entry_points(group=_GROUP)}.values())


def _distribution(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
