"""The mutation score counts what it says it counts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools._mutation_runner import Fate
from tools._mutations import Mutant, find, mutated
from tools._quality import Score, write_section

ROOT = Path(__file__).parent.parent


def changes(source: str) -> set[str]:
    """Return every mutant of `source` as text."""
    return {ast.unparse(mutated(source, mutant.number)) for mutant in find("m", source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", {"a <= b"}),
        ("a == b", {"a != b"}),
        ("a is None", {"a is not None"}),
        ("a not in b", {"a in b"}),
        ("a <= b < c", {"a < b < c", "a <= b <= c"}),
        ("a and b and c", {"b and c", "a and c", "a and b"}),
        ("a or b", {"a", "b"}),
        ("not a", {"a"}),
        ("-a", {"a"}),
        ("a + b", {"a - b"}),
        ("a / b", {"a * b"}),
        ("a += b", {"a -= b"}),
        ("a if b else c", {"a if not b else c"}),
        ("min(a, b)", {"max(a, b)"}),
        ("True", {"False"}),
        ("3", {"4"}),
        ("2.0", {"2.2"}),
        ("Decimal('0.25')", {"Decimal('0.275')"}),
        ("Decimal('0')", {"Decimal('1')"}),
    ],
)
def test_each_kind_of_fault_is_put_in(source: str, expected: set[str]) -> None:
    assert changes(source) == expected


def test_a_guard_is_taken_out_and_any_other_condition_turned_round() -> None:
    guard = "def f(a):\n    if a:\n        return 1\n    return a"
    assert "if False" in "".join(changes(guard))
    assert "if not a" not in "".join(changes(guard))
    choice = "def f(a):\n    if a:\n        b = c\n    return b"
    assert changes(choice) == {choice.replace("if a", "if not a")}


@pytest.mark.parametrize(
    "source",
    [
        '"""A text with 1 < 2."""',
        "f'{a + b:.2f}'",
        "import a",
        "__all__ = ['a', 'b']",
        "a: Annotated[int, 3]",
        "@cache(maxsize=2)\ndef f(): pass",
        "zip(a, b, strict=True)",
        "Decimal('word')",
        "Decimal('Infinity')",
        "None",
    ],
)
def test_what_cannot_be_a_fault_of_the_rule_is_left_alone(source: str) -> None:
    assert find("m", source) == ()


def test_a_mutant_tells_where_it_is_and_the_same_source_gives_the_same_ones() -> None:
    source = "class C:\n    def f(self, a):\n        return a < 1\n"
    first, second = find("m", source)
    assert (first.place, first.line, first.before, first.after) == ("f", 3, "a < 1", "a <= 1")
    assert (second.operator, second.before) == ("number", "1")
    assert find("m", source) == (first, second)


FAULTS = ("2 comparison", "2 guard", "4 comparison", "4 condition")
GUARDED = """\
def f(a):
    if a is None:
        return "none"
    while a == "for ever":
        pass
    return a
"""
TESTS = """\
import guarded


def test_f():
    assert guarded.f(None) == "none"
    assert guarded.f("x") == "x"
"""
PROGRAM = """\
import sys
from pathlib import Path

from tools._mutation_runner import Job, prepare, run, survey
from tools._mutations import find

root = Path(sys.argv[1])
sys.path.insert(0, str(root))
path = root / "guarded.py"
prepare((), "guarded")
known = survey([root / "test_f.py"], [path], root=root)
print(sorted((line, sorted(tests)) for (_, line), tests in known.executed.items()))
mutants = find("guarded", path.read_text())
for tests in (None, ("test_nothing.py",)):
    jobs = [Job(m, path, tests) if tests else known.job(m, path, ["test_f.py"]) for m in mutants]
    fates = dict(run(jobs, workers=2, timeout_secs=3.0, root=root))
    print(sorted(f"{j.mutant.line} {j.mutant.operator}: {f.value}" for j, f in fates.items()))
"""


def test_a_fault_is_noticed_hangs_or_survives(tmp_path: Path) -> None:
    files = {
        "conftest.py": "import guarded\n",
        "guarded.py": GUARDED,
        "test_f.py": TESTS,
        "test_nothing.py": "import guarded\n\n\ndef test_nothing():\n    pass\n",
        "pytest.ini": "[pytest]\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert answers == [
        str([(line, ["test_f.py::test_f"]) for line in (2, 3, 4, 6)]),
        str(
            [
                "2 comparison: killed",
                "2 guard: killed",
                "4 comparison: timed out",
                "4 condition: timed out",
            ]
        ),
        str([f"{fault}: survived" for fault in FAULTS]),
    ]


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    document = tmp_path / "quality.md"
    mutant = Mutant("p.m", "decide", 7, "guard", "a < b", "False", 0)
    noticed = Score.of([(mutant, Fate.KILLED), (mutant, Fate.TIMED_OUT)])
    missed = Score.of([(mutant, Fate.KILLED), (mutant, Fate.SURVIVED)])
    write_section(document, "p", missed, 0.85)
    write_section(document, "other", noticed, 0.85)
    text = document.read_text(encoding="utf-8")
    assert "**50.0%**: 1 of 2 faults were noticed (target 85%: **missed**)" in text
    assert "- `m`, `decide`: `a < b` → `False`" in text
    write_section(document, "p", noticed, 0.85)
    again = document.read_text(encoding="utf-8")
    assert again.count("**100.0%**: 2 of 2 faults were noticed (target 85%: met)") == 2
    assert "Not noticed" not in again
    assert again.startswith("# Quality")
