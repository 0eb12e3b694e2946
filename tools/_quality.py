"""The mutation score of a package, and its section of docs/quality.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

from tools._mutation_runner import Fate
from tools._mutations import Mutant

_INTRODUCTION = """\
# Quality

How well the tests hold the code. `make mutation` writes the sections below: it puts one small
fault after another into a package (a comparison, a condition, a guard, a number, an operator),
runs the tests that answer for the module, and counts the faults that some test noticed. The rooms
of the kit keep their books in SQLite meanwhile.

A fault that no test notices is listed: some change nothing that can be observed, the others are
tests still to be written.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The score of one module."""

    module: str
    killed: int
    total: int

    @property
    def ratio(self) -> float:
        """Share of the mutants that a test noticed."""
        return self.killed / self.total


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a package, module by module, and the mutants that no test noticed."""

    modules: tuple[Part, ...]
    survivors: tuple[Mutant, ...]

    @classmethod
    def of(cls, fates: Sequence[tuple[Mutant, Fate]]) -> Self:
        """Count fates, which are in order of their modules."""
        parts = []
        for module, group in groupby(fates, key=lambda each: each[0].module):
            answers = [fate for _, fate in group]
            survived = answers.count(Fate.SURVIVED)
            parts.append(Part(module, len(answers) - survived, len(answers)))
        alive = tuple(mutant for mutant, fate in fates if fate is Fate.SURVIVED)
        return cls(tuple(parts), alive)

    @property
    def killed(self) -> int:
        """Mutants that a test noticed."""
        return sum(part.killed for part in self.modules)

    @property
    def total(self) -> int:
        """Every mutant that was run."""
        return sum(part.total for part in self.modules)

    @property
    def ratio(self) -> float:
        """Share of the mutants that a test noticed."""
        return self.killed / self.total


def write_section(document: Path, package: str, score: Score, target: float) -> None:
    """Replace the section of `package` in `document`, or append it."""
    text = document.read_text(encoding="utf-8") if document.exists() else ""
    text = _INTRODUCTION + "".join(text.partition("\n<!-- ")[1:])
    begin, end = f"<!-- mutation {package} -->", f"<!-- /mutation {package} -->"
    section = f"{begin}\n{_section(package, score, target)}{end}\n"
    if begin in text:
        before, _, rest = text.partition(begin)
        after = rest.partition(f"{end}\n")[2]
        text = f"{before}{section}{after}"
    else:
        text = f"{text}\n{section}"
    document.write_text(text, encoding="utf-8")


def _section(package: str, score: Score, target: float) -> str:
    verdict = "met" if score.ratio >= target else "**missed**"
    rows = [
        f"| `{part.module.removeprefix(package + '.')}` | {part.killed} of {part.total} "
        f"| {part.ratio:.1%} |"
        for part in score.modules
    ]
    lines = [
        f"## Mutation score of `{package}`",
        "",
        (
            f"**{score.ratio:.1%}**: {score.killed} of {score.total} faults were noticed "
            f"(target {target:.0%}: {verdict})."
        ),
        "",
        "| module | noticed | score |",
        "|---|---|---|",
        *rows,
        "",
    ]
    if score.survivors:
        lines += ["Not noticed:", "", *(_survivor(package, m) for m in score.survivors), ""]
    return "\n".join(lines)


def _survivor(package: str, mutant: Mutant) -> str:
    # Without line numbers: they would change with every edit above.
    module = mutant.module.removeprefix(package + ".")
    return f"- `{module}`, `{mutant.place}`: `{mutant.before}` → `{mutant.after}`"
