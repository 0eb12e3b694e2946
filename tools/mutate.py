"""Mutation score: how many small faults of a package its tests notice.

``python -m tools.mutate`` runs every mutant of every package and writes docs/quality.md, and
``python -m tools.mutate planner`` those of one package; there ``--module NAME`` looks at single
modules and ``--sample N`` at a few mutants, without writing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import _mutation_runner as runner
from tools._mutation_runner import Fate, Job
from tools._mutations import Mutant, find
from tools._quality import Score, write_section

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "quality.md"
TARGET = 0.85
_TIMEOUT_SECS = 60.0
_STEP = 25  # mutants between two lines of progress where there is no terminal


@dataclass(frozen=True, slots=True)
class Suite:
    """A package and the tests that answer for it.

    Parameters
    ----------
    package : str
        Dotted name.
    source, tests : Path
        Folders.
    shared : tuple of str
        Modules that its tests need and that do not need it: imported once for all mutants.
    cards : tuple of Path
        Tests beside the package's own that answer for it too.
    by_name : bool
        Whether a module's tests are the files that speak of it; otherwise all of `tests`.
    leave_out : tuple of str
        Tests whose names contain one of them are not run.
    """

    package: str
    source: Path
    tests: Path
    shared: tuple[str, ...]
    cards: tuple[Path, ...] = ()
    by_name: bool = False
    leave_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The package's last name, by which the command knows it."""
        return self.package.rpartition(".")[2]

    def modules(self) -> dict[str, Path]:
        """Return the package's modules by dotted name; tests and `__init__` are not among them."""
        found = {}
        for path in sorted(self.source.rglob("*.py")):
            parts = path.relative_to(self.source).with_suffix("").parts
            if parts[-1] != "__init__":
                found[".".join((self.package, *parts))] = path
        return found

    def tests_of(self, module: str) -> tuple[Path, ...]:
        """Return the test files that may notice a fault of a module.

        With `by_name` those that speak of it, or of one that uses it. Without the conformance
        kit: it takes longer than all the others together, and asks its questions in processes
        where no fault was put in.
        """
        names = {module.rpartition(".")[2], *self._users(module)}
        return tuple(
            path
            for path in (*sorted(self.tests.rglob("test_*.py")), *self.cards)
            if "conformance" not in path.stem
            and (
                not self.by_name or any(name in path.read_text(encoding="utf-8") for name in names)
            )
        )

    def _users(self, module: str) -> set[str]:
        short = module.rpartition(".")[2]
        users = set()
        for name, path in self.modules().items():
            if name != module and short in path.read_text(encoding="utf-8"):
                users.add(name.rpartition(".")[2])
        return {user for user in users if not user.startswith("_")}


def _room(name: str, *shared: str, cards: Sequence[str] = ()) -> Suite:
    """Return a room of the kit and what answers for it.

    Without the tests that take longer than all the others together: those on PostgreSQL, which
    ask the same as those on SQLite, and the kills at every single commit.
    """
    kit = ROOT / "quant-platform-kit"
    return Suite(
        f"quant_platform_kit.{name}",
        kit / "src" / "quant_platform_kit" / name,
        kit / "tests" / name,
        (
            "alembic.command",
            "sqlalchemy.dialects.sqlite",
            *(f"quant_platform_kit.{each}" for each in ("store", *shared)),
        ),
        cards=tuple(ROOT / "tests" / f"test_cards_{card}.py" for card in cards),
        leave_out=("postgresql", "kill_at_any_commit"),
    )


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "us_equity_strategies",
            ROOT / "us-equity-strategies" / "src" / "us_equity_strategies",
            ROOT / "us-equity-strategies" / "tests",
            (
                *("numpy", "pandas"),
                "quant_platform_kit.inputs",
                "quant_platform_kit.market.indicators",
                "quant_platform_kit.strategy",
                "quant_platform_kit.testing",
            ),
            by_name=True,
        ),
        _room("planner"),
        _room("ledger", "market"),
        _room("risk", "market"),
        _room(
            "orders",
            *("market", "brokers", "ledger", "strategy", "planner", "risk", "notify"),
            cards=("orders", "fills", "stops"),
        ),
    )
}


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return 1 when a score is below the target."""
    options = _parser().parse_args(arguments)
    if options.package is None:
        return max(_alone(name, options.workers) for name in SUITES)
    suite = SUITES[options.package]
    wanted = _wanted(suite, options.module, options.sample, options.seed)
    if not wanted:
        print(f"no mutant of {', '.join(options.module)}", file=sys.stderr)
        return 2
    runner.prepare(suite.shared, suite.package)
    jobs = _jobs(suite, wanted)
    if jobs is None:
        print("tests fail without any mutant: repair them first", file=sys.stderr)
        return 2
    fates = _run(jobs, options.workers)
    score = Score.of(fates)
    _print(score)
    if not (options.module or options.sample):
        write_section(DOCUMENT, suite.package, score, TARGET)
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return 0 if score.ratio >= TARGET else 1


def _alone(package: str, workers: int) -> int:
    """Run one package in a process of its own, which has imported none of the others."""
    print(f"{package}:", file=sys.stderr, flush=True)
    child = subprocess.Popen(  # noqa: S603 (this program)
        [sys.executable, "-m", "tools.mutate", package, "--workers", str(workers)], cwd=ROOT
    )
    try:
        return child.wait()
    finally:
        child.terminate()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("package", nargs="?", choices=SUITES, help="every one when left out")
    parser.add_argument(
        "--module", action="append", default=[], help="short name; may be given more than once"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser


def _wanted(suite: Suite, modules: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    mutants = [
        mutant
        for module, path in suite.modules().items()
        if not modules or module.rpartition(".")[2] in modules
        for mutant in find(module, path.read_text(encoding="utf-8"))
    ]
    if not sample or sample >= len(mutants):
        return mutants
    drawn = set(random.Random(seed).sample(range(len(mutants)), sample))  # noqa: S311 (no secret)
    return [mutant for index, mutant in enumerate(mutants) if index in drawn]


def _jobs(suite: Suite, mutants: Sequence[Mutant]) -> list[Job] | None:
    """Give each mutant its tests; None when they do not pass without any mutant."""
    paths = suite.modules()
    files = {module: suite.tests_of(module) for module in {m.module for m in mutants}}
    every = sorted({path for found in files.values() for path in found})
    print(f"learning what the tests of {len(every)} files execute", file=sys.stderr, flush=True)
    known = runner.survey(every, list(paths.values()), root=ROOT, leave_out=suite.leave_out)
    if known is None:
        return None
    names = {module: [str(p.relative_to(ROOT)) for p in found] for module, found in files.items()}
    return [known.job(m, paths[m.module], names[m.module]) for m in mutants]


def _run(jobs: Sequence[Job], workers: int) -> list[tuple[Mutant, Fate]]:
    started = time.monotonic()
    fates: list[tuple[Mutant, Fate]] = []
    survived = 0
    for job, fate in runner.run(jobs, workers=workers, timeout_secs=_TIMEOUT_SECS, root=ROOT):
        fates.append((job.mutant, fate))
        survived += fate is Fate.SURVIVED
        spent = time.monotonic() - started
        left = spent / len(fates) * (len(jobs) - len(fates))
        line = f"{len(fates)}/{len(jobs)} mutants, {survived} survived, about {left:.0f} s left"
        if sys.stderr.isatty():
            print(f"\r{line}   ", end="", file=sys.stderr, flush=True)
        elif len(fates) % _STEP == 0:
            print(line, file=sys.stderr, flush=True)
    print(f"\n{len(jobs)} mutants in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return sorted(fates, key=lambda each: (each[0].module, each[0].number))


def _print(score: Score) -> None:
    for part in score.modules:
        print(f"{part.module:<60} {part.killed:>4} of {part.total:>4}  {part.ratio:6.1%}")
    print(f"{'all':<60} {score.killed:>4} of {score.total:>4}  {score.ratio:6.1%}")
    for mutant in score.survivors:
        print(f"survived: {mutant}")


if __name__ == "__main__":
    # Ending this program ends its children too: the runner's `finally` has to be reached.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    sys.exit(main(sys.argv[1:]))
