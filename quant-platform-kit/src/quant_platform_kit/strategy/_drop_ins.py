"""Strategies in a folder: one file each, for research, without installing a package."""

from __future__ import annotations

import hashlib
import sys
from importlib.abc import InspectLoader
from importlib.util import decode_source, module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from quant_platform_kit.errors import SettingsError

_NOT_STRATEGIES: Final = frozenset(
    {"conftest", "example", "examples", "setup", "test", "tests", "verify"}
)
"""First or last words of the names of scripts that lie beside strategies."""


class DropInLoader(InspectLoader):
    """Runs exactly the text that was read: no bytecode of an earlier version can stand in.

    Parameters
    ----------
    path : str
        Where the text came from, for tracebacks.
    source : str
    """

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 (the import system's protocol)
        """Return the text."""
        return self.source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 (the import system's protocol)
        """Compile the text."""
        return self.source_to_code(self.source, self.path)


def find_drop_ins(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the strategy files of `folder`, and the names of the Python files that are none.

    Not strategies are private files (``_helpers.py``) and those whose name begins or ends with
    the word test, example, verify, conftest or setup (``test_momentum.py``).

    Raises
    ------
    SettingsError
        When there is no such folder.
    """
    if not folder.is_dir():
        raise SettingsError(
            f"QPK_STRATEGIES_DIR = {folder}: there is no such folder, so its strategies are not "
            "known. Nothing was decided or traded; correct the path or remove the setting."
        )
    files = sorted(path for path in folder.glob("*.py") if path.is_file())
    offered = tuple(path for path in files if _is_offered(path.stem))
    return offered, tuple(path.name for path in files if path not in offered)


def read_drop_in(path: Path) -> ModuleType:
    """Run a strategy file as it stands now and return it as a module.

    Raises
    ------
    BaseException
        Whatever the file raises.
    """
    name = f"drop_in_{path.stem}"
    return run_source(name, str(path), decode_source(path.read_bytes()))


def run_source(name: str, path: str, source: str) -> ModuleType:
    """Return the module `name` made of `source`, in place of one of an earlier text.

    A module without a ``__version__`` gets a digest of its text for one, so that a decision can
    be traced to the code that made it.
    """
    spec = spec_from_file_location(name, path, loader=DropInLoader(path, source))
    if spec is None or spec.loader is None:
        raise ImportError(f"no module can be made of {path}")
    module = module_from_spec(spec)
    module.__dict__["__version__"] = hashlib.sha256(source.encode()).hexdigest()[:12]
    # Types that are defined in the file look themselves up here while it runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_offered(stem: str) -> bool:
    words = stem.split("_")
    return not stem.startswith(("_", ".")) and _NOT_STRATEGIES.isdisjoint((words[0], words[-1]))
