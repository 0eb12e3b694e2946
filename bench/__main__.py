"""Run every benchmark and write docs/benchmarks.md: ``python -m bench``.

``python -m bench planner_legs`` runs the named ones and writes nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import bench
from bench._measure import BenchResult, measured

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_INTRODUCTION = """\
# Benchmarks

Written by `make bench`. Each ratio compares two things measured in the same run on the same
machine, taking turns, by their medians. The figures belong to that machine; the ratios are what
carries over to another.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks named in `arguments`, or all of them; return the exit code."""
    offered = benchmarks()
    unknown = sorted(set(arguments) - set(offered))
    if unknown:
        print(
            f"no benchmark {', '.join(unknown)}; there are: {', '.join(offered)}", file=sys.stderr
        )
        return 2
    results: list[BenchResult] = []
    for name in arguments or offered:
        for result in in_a_fresh_process(name):
            results.append(result)
            print(result, flush=True)
    if not arguments:
        _DOCUMENT.write_text(render(results, machine()), encoding="utf-8")
        print(f"wrote {_DOCUMENT.parent.name}/{_DOCUMENT.name}")
    return 0


def in_a_fresh_process(name: str) -> tuple[BenchResult, ...]:
    """Run one benchmark where no other one has filled the memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, name).result()


def benchmarks() -> list[str]:
    """Return the modules of this folder that measure something, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(bench.__path__))
    return [name for name in names if not name.startswith("_")]


def render(results: Sequence[BenchResult], machine_line: str) -> str:
    """Return the document as Markdown."""
    rows = [
        f"| {r.what} | {r.figure} | {r.ratio} | {r.target} | {'yes' if r.met else '**no**'} |"
        for r in results
    ]
    return "\n".join(
        [
            _INTRODUCTION,
            f"Machine: {machine_line}.",
            "",
            "| what | figure | ratio | target | met |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def machine() -> str:
    """Return the machine in a line: processor, cores, system and Python."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, {python}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # Linux alone keeps the model's name there
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
