"""Runs tests against mutants, each in a forked process that has the heavy imports already.

The parent imports the libraries and what the package stands on, but never the package under
test: a child puts the mutated module in its place before anything asks for it, and runs pytest in
its own process.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, Self

import pytest

from tools._mutations import Mutant, mutated

_WATCHED_CALLS = 200  # of one function by one test; more of them rarely reach another line
_POLL_SECS = 0.01
_PASSED, _CRASHED = 0, 99
_HYPOTHESIS_PROFILE = "mutation"
_MEMORY_BYTES = 4 << 30  # a mutant may ask for the world
_LEAST_CPU_SECS = 5


class Fate(Enum):
    """What the tests said about a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Job:
    """One mutant, the file it changes and the tests that may notice, the quickest first.

    A test is named as pytest names it, from the root on; or a whole file is. `seconds` is what
    the tests computed while they were watched, which is longer than they do otherwise.
    """

    mutant: Mutant
    path: Path
    tests: tuple[str, ...]
    seconds: float = 0.0


@dataclass(slots=True)
class _Child:
    job: Job
    pid: int
    deadline: float


def prepare(shared: Sequence[str], package: str) -> None:
    """Import what every child needs, and make property tests quick: no shrinking, few examples.

    Parameters
    ----------
    shared : sequence of str
        Modules to import.
    package : str
        The package under test.

    Raises
    ------
    RuntimeError
        When the package is imported now: no fault of it would ever be executed.
    """
    import hypothesis

    for name in shared:
        importlib.import_module(name)
    if package in sys.modules:
        raise RuntimeError(f"{package} is imported by {', '.join(shared)}: share less")
    hypothesis.settings.register_profile(
        _HYPOTHESIS_PROFILE,
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=30,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def run(
    jobs: Sequence[Job], *, workers: int, timeout_secs: float, root: Path
) -> Iterator[tuple[Job, Fate]]:
    """Run every job, `workers` at a time, and yield each one as it ends.

    Parameters
    ----------
    jobs : sequence of Job
    workers : int
    timeout_secs : float
        After which a mutant counts as noticed: it hangs. One that computes for much longer than
        its tests had taken is ended before.
    root : Path
        Where pytest is started.
    """
    waiting = list(reversed(jobs))
    children: list[_Child] = []
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        try:
            while waiting or children:
                while waiting and len(children) < workers:
                    children.append(_start(waiting.pop(), timeout_secs, root, Path(scratch)))
                time.sleep(_POLL_SECS)
                for child in tuple(children):
                    fate = _fate(child)
                    if fate is not None:
                        children.remove(child)
                        yield child.job, fate
        finally:
            for child in children:
                _kill(child.pid)


def survey(
    files: Sequence[Path], sources: Sequence[Path], *, root: Path, leave_out: Sequence[str] = ()
) -> Survey | None:
    """Run `files` on the source as it is, and learn which test executes which line of `sources`.

    Tests whose names contain one of `leave_out` are not run, neither now nor on any mutant.

    Returns
    -------
    Survey or None
        None when a test fails; what pytest says is shown.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        answer = Path(scratch) / "survey.json"
        pid = os.fork()
        if pid == 0:
            watcher = _Watcher({str(path) for path in sources}, leave_out)
            tests = [str(path) for path in files]
            _be_child(None, tests, root, Path(scratch), watcher, answer)
        try:
            passed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == _PASSED
        except BaseException:
            _kill(pid)
            raise
        return Survey.read(answer) if passed else None


def _start(job: Job, timeout_secs: float, root: Path, scratch: Path) -> _Child:
    pid = os.fork()
    if pid == 0:
        _be_child(job, job.tests, root, scratch)
    return _Child(job, pid, time.monotonic() + timeout_secs)


def _fate(child: _Child) -> Fate | None:
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        if time.monotonic() < child.deadline:
            return None
        _kill(child.pid)
        return Fate.TIMED_OUT
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        return Fate.TIMED_OUT
    return Fate.SURVIVED if code == _PASSED else Fate.KILLED


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # with whatever a test of it had started
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _be_child(  # noqa: PLR0917 (both kinds of child)
    job: Job | None,
    tests: Sequence[str],
    root: Path,
    scratch: Path,
    watcher: _Watcher | None = None,
    answer: Path | None = None,
) -> None:
    """Become a test run, on the mutant of `job` or on the source as it is; never returns."""
    code = _CRASHED
    try:
        os.setpgrp()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(root)
        if job is not None:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
            computing = _LEAST_CPU_SECS + int(job.seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (computing, computing + 1))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
        finder = None if job is None else _Finder(job)
        plugin = _InOrder(tests, finder) if watcher is None else watcher
        code = _pytest(tests, scratch / str(os.getpid()), plugin)
        if watcher is not None and answer is not None:
            watcher.write(answer)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _pytest(tests: Sequence[str], basetemp: Path, plugin: object) -> int:
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    arguments = [
        *("-x", "-q", "--no-header", "-p", "no:cacheprovider"),
        *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the parent imported the plugins
        f"--hypothesis-profile={_HYPOTHESIS_PROFILE}",
        f"--basetemp={basetemp}",
        *files,
    ]
    return int(pytest.main(arguments, plugins=[plugin]))


class _InOrder:
    """Keeps the named tests of those that were collected, in the order of their names."""

    def __init__(self, tests: Sequence[str], finder: _Finder | None) -> None:
        self._place = {test: place for place, test in enumerate(tests)}
        self._finder = finder

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Put the mutant in its place: before any conftest.py imports what it stands for.

        And before pytest's own finder, which takes modules whose names begin with `test_`.
        """
        if self._finder is not None:
            sys.meta_path.insert(0, self._finder)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select and sort; a file that is named whole keeps all its tests."""
        named = [
            (place, item)
            for item in items
            for place in [self._place.get(item.nodeid, self._place.get(_file_of(item.nodeid)))]
            if place is not None
        ]
        items[:] = [item for _, item in sorted(named, key=lambda each: each[0])]


class _Watcher:
    """Notes which lines of the sources each test executes, and how long it computes."""

    def __init__(self, sources: set[str], leave_out: Sequence[str]) -> None:
        self._sources = sources
        self._leave_out = leave_out
        self._lines: dict[str, set[tuple[str, int]]] = {}
        self._seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is not to be run."""
        items[:] = [
            item for item in items if not any(part in item.name for part in self._leave_out)
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch one test, its fixtures included."""
        lines = self._lines.setdefault(item.nodeid, set())
        calls: Counter[CodeType] = Counter()

        def on_line(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 (a tracer)
            if event == "line":
                lines.add((frame.f_code.co_filename, frame.f_lineno))
            return on_line

        def on_call(frame: FrameType, _event: str, _: object) -> Any:  # noqa: ANN401 (a tracer)
            if frame.f_code.co_filename not in self._sources:
                return None
            calls[frame.f_code] += 1
            return on_line if calls[frame.f_code] <= _WATCHED_CALLS else None

        started = time.process_time()
        sys.settrace(on_call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self._seconds[item.nodeid] = time.process_time() - started

    def write(self, path: Path) -> None:
        """Hand over what was noted."""
        noted = {
            test: {"seconds": self._seconds[test], "lines": sorted(lines)}
            for test, lines in self._lines.items()
        }
        path.write_text(json.dumps(noted), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Survey:
    """What every test executes.

    Parameters
    ----------
    seconds : mapping of str to float
        By test.
    executed : mapping of (str, int) to set of str
        Tests by file and line.
    """

    seconds: Mapping[str, float]
    executed: Mapping[tuple[str, int], set[str]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a watcher wrote."""
        noted = json.loads(path.read_text(encoding="utf-8"))
        executed: dict[tuple[str, int], set[str]] = {}
        for test, each in noted.items():
            for file, line in each["lines"]:
                executed.setdefault((file, line), set()).add(test)
        return cls({test: each["seconds"] for test, each in noted.items()}, executed)

    def job(self, mutant: Mutant, path: Path, files: Sequence[str]) -> Job:
        """Return a mutant with the tests that execute it, the quickest first.

        What is executed when the module is imported may change anything: every test of `files`.
        """
        found = self.executed.get((str(path), mutant.line), set())
        if mutant.at_import or not found:
            found = {test for test in self.seconds if _file_of(test) in files}
        tests = tuple(sorted(found, key=lambda test: (self.seconds[test], test)))
        return Job(mutant, path, tests, sum(self.seconds[test] for test in tests))


def _file_of(test: str) -> str:
    return test.partition("::")[0]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one mutated module; every other import goes on."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def find_spec(
        self,
        fullname: str,
        path: object = None,  # noqa: ARG002 (the protocol's)
        target: ModuleType | None = None,  # noqa: ARG002 (the protocol's)
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._job.mutant.module:
            return None
        loader = _Loader(fullname, str(self._job.path), self._job.mutant.number)
        return importlib.util.spec_from_file_location(fullname, self._job.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the mutated tree, and neither reads nor writes bytecode files."""

    def __init__(self, fullname: str, path: str, number: int) -> None:
        super().__init__(fullname, path)
        self._number = number

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 (the protocol's)
        source = Path(self.path).read_text(encoding="utf-8")
        tree: ast.Module = mutated(source, self._number)
        return compile(tree, self.path, "exec")
