"""The process that is asked the same questions: nothing it is told here may be its own memory.

Run by `_strategy_testimony`. It answers the cases in reverse order, and refuses and notes whatever
the strategy reaches for while it decides: files, sockets, processes, threads, the clock, the
environment, unseeded random numbers, standard output. What the import of a module does is let
through. It is a witness, not a prison: code that wants to deceive it can.
"""

from __future__ import annotations

import asyncio
import io
import json
import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from textwrap import shorten
from types import FrameType, ModuleType
from typing import Any, Final

from quant_platform_kit.contracts import Decision, canonical
from quant_platform_kit.errors import ContractError
from quant_platform_kit.strategy import StrategyContext
from quant_platform_kit.testing._strategy_ask import Decide, ask
from quant_platform_kit.testing._strategy_module import import_from

_SHOWN: Final = 80  # characters of what was reached for

_FORBIDDEN_EVENTS: Final = (
    *("open", "os.", "pathlib.", "shutil.", "tempfile.", "glob.", "mmap."),
    *("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "sqlite3.", "webbrowser."),
    *("subprocess.", "pty.", "signal."),
)
_CLOCKS: Final = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today"})
_OF_TIME: Final = frozenset(
    {
        *("sleep", "time", "time_ns", "monotonic", "monotonic_ns"),
        *("perf_counter", "perf_counter_ns", "process_time", "process_time_ns"),
        *("localtime", "gmtime", "ctime", "asctime"),
    }
)
_THREADS: Final = frozenset({"start_new_thread", "start_joinable_thread"})


class _Watch:
    """Notes and refuses what the running code reaches for, while `watching`."""

    def __init__(self, module: ModuleType) -> None:
        self._package = module.__name__.partition(".")[0]
        self._is_armed = False
        self.touched: dict[str, None] = {}  # a set that keeps its order

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._is_armed = True
        sys.setprofile(self._calls)
        try:
            yield
        finally:
            sys.setprofile(None)
            self._is_armed = False

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Refuse an event of the interpreter; a hook cannot be taken away again."""
        if not self._is_armed or not event.startswith(_FORBIDDEN_EVENTS):
            return
        frame = sys._getframe(1)  # noqa: SLF001 (where the event comes from)
        if not _is_import(frame):
            shown = ", ".join(_ending(repr(argument)) for argument in arguments[:2])
            self.note(f"{event}({shown})", frame)
            raise PermissionError(f"{event} while deciding")

    def _calls(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 (sys.setprofile's protocol)
        """Note the clock, the environment, chance and threads: they raise no audit event."""
        what = None
        if event == "c_call":
            what = _reading(argument)
        elif event == "call" and frame.f_globals.get("__name__") == "os":
            what = _environment(frame)
        if what is not None and not _is_import(frame) and not _is_loop(frame):
            self.note(what, frame)

    def note(self, what: str, frame: FrameType | None) -> None:
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            if name.partition(".")[0] == self._package:
                what = f"{what} in {frame.f_code.co_qualname}"
                break
            frame = frame.f_back
        self.touched[what] = None


class _Mouth(io.TextIOBase):
    """Standard output and error while a strategy decides."""

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def write(self, text: str) -> int:
        if text.strip():
            said = shorten(text, _SHOWN, placeholder="…")
            self._watch.note(f"print({said!r})", sys._getframe(1))  # noqa: SLF001 (who prints)
        return len(text)


def _reading(function: Any) -> str | None:  # noqa: ANN401 (any built-in function)
    """Return what a call of a built-in function reads, where it reads the outside."""
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    if name in _CLOCKS or (module == "time" and name in _OF_TIME):
        return f"{name}()"
    if getattr(function, "__self__", None) is random._inst:  # noqa: SLF001 (the one nobody seeded)
        return "random"
    is_other = name in {"urandom", "getrandom"} or (module == "_thread" and name in _THREADS)
    return f"{module}.{name}()" if is_other else None


def _environment(frame: FrameType) -> str | None:
    return "os.environ" if frame.f_code.co_qualname.startswith("_Environ.") else None


def _ending(text: str) -> str:
    """Return `text`, or its end where it is long: of a path, the end tells which file it is."""
    return text if len(text) <= _SHOWN else f"{text[0]}…{text[1 - _SHOWN :]}"


def _is_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


def _is_loop(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(("asyncio", "selectors"))


def attest(decide: Decide, contexts: list[StrategyContext], watch: _Watch) -> list[str]:
    """Return the canonical text of every decision, asked from the last to the first."""
    loop = asyncio.new_event_loop()  # made before anybody watches: it opens sockets of its own
    sys.addaudithook(watch.audit)
    answers = []
    for context in reversed(contexts):
        with watch.watching():
            decision = ask(decide, context, run=loop.run_until_complete)
        answers.append(_text(decision))
    loop.close()
    return answers[::-1]


def _text(decision: Decision) -> str:
    try:
        return canonical(decision)
    except ContractError as error:
        return error.message


def main() -> None:
    """Read the question from standard input, and write the testimony to standard output."""
    name, file = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own parent's words)
    with redirect_stdout(io.StringIO()):  # what an import prints is no testimony
        module = import_from(name, Path(file))
    contexts = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own parent's words)
    watch = _Watch(module)
    mouth = _Mouth(watch)
    with redirect_stdout(mouth), redirect_stderr(mouth):
        answers = attest(module.decide, contexts, watch)
    json.dump({"answers": answers, "touched": list(watch.touched)}, sys.stdout)


if __name__ == "__main__":
    main()
