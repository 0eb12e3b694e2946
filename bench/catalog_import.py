"""Import of the whole catalog, against its two libraries alone; pandas must not be among it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from bench._measure import BenchResult, interleaved_medians

_ROUNDS = 15
_TARGET = 2.5
_BARE = "import numpy; from pydantic import BaseModel, Field, model_validator"
_CATALOG = """\
import sys
from quant_platform_kit.strategy import load_catalog

catalog = load_catalog()
if catalog.broken or not catalog.profiles:
    sys.exit(f"the catalog does not load: {catalog.broken}")
heavy = {"pandas", "scipy", "sqlalchemy", "flask", "typer"} & set(sys.modules)
if heavy:
    sys.exit(f"the catalog loads {', '.join(sorted(heavy))}")
"""


def run() -> BenchResult:
    """Load every profile in a fresh process, and the libraries in another, in turns."""
    seconds = interleaved_medians(
        {name: partial(_python, text) for name, text in (("bare", _BARE), ("all", _CATALOG))},
        rounds=_ROUNDS,
    )
    ratio = seconds["all"] / seconds["bare"]
    return BenchResult(
        what="import of every profile of the catalog, without pandas",
        figure=f"{seconds['all'] * 1e3:.0f} ms, process included",
        ratio=f"{ratio:.2f}x a bare import of NumPy and pydantic",
        target=f"at most {_TARGET}x",
        met=ratio <= _TARGET,
    )


def _python(text: str) -> None:
    """Run `text` in a process of its own; what it complains about is the error."""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


if __name__ == "__main__":
    print(run())
