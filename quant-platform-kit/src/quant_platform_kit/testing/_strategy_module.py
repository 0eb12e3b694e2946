"""Finds a strategy's module: by its profile, by its name, or as a file."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import cast

from quant_platform_kit.errors import ReasonCode, RefuseRun
from quant_platform_kit.strategy import StrategyModule, load_catalog


def find_module(where: StrategyModule | str | Path) -> StrategyModule:
    """Return the module that a profile, an alias, a dotted name or a path means.

    Raises
    ------
    RefuseRun
        When no profile and no module is called so.
    Exception
        Whatever the module raises while it is imported.
    """
    if isinstance(where, Path):
        return cast("StrategyModule", run_file(f"drop_in_{where.stem}", where))
    if not isinstance(where, str):
        return where
    try:
        return load_catalog().find(where).module
    except RefuseRun as unknown:
        if unknown.code is not ReasonCode.PROFILE_UNKNOWN:
            raise
        try:
            return cast("StrategyModule", import_module(where))
        except ModuleNotFoundError as error:
            if error.name is None or not f"{where}.".startswith(f"{error.name}."):
                raise  # the module is there, and something that it imports is not
            raise unknown from error


def import_from(name: str, file: Path) -> ModuleType:
    """Import `name` where that leads to `file`; else run the file under that name."""
    try:
        module = import_module(name)
    except ModuleNotFoundError:
        return run_file(name, file)
    return module if str(module.__file__) == str(file) else run_file(name, file)


def run_file(name: str, file: Path) -> ModuleType:
    """Run a file as the module `name`."""
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # types that are defined in it look themselves up there
    spec.loader.exec_module(module)
    return module
