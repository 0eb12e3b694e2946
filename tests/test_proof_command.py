"""The proof's processes end with it, however it ends, and a broken case can be tried again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proof import __main__ as proof
from proof import _crash
from proof._crash import CrashCase, CrashTask, enumerate_crashes
from proof._far_side import Trouble
from proof._service import eventually
from proof._spread import spread

ROOT = Path(__file__).parent.parent
LINUX = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="Linux alone lists the children of a process there"
)


def children(pid: int) -> set[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in listed.read_text().split()} if listed.exists() else set()


@LINUX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_processes_of_the_proof_end_with_it(number: signal.Signals) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "proof", "simulate", "--seeds", "2000"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        at_once = min(os.cpu_count() or 1, 2)
        eventually(lambda: len(children(running.pid)) >= at_once)
        workers = children(running.pid)
        running.send_signal(number)
        assert running.wait(timeout=60) in (128 + number, -number)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


def divide(piece: int) -> float:
    return 12 / piece


def end_at_once(_piece: int) -> None:
    os._exit(3)


def test_work_is_spread_and_an_error_of_one_process_is_raised_in_the_first() -> None:
    assert sorted(spread(divide, [1, 2, 3, 4], "division")) == [3.0, 4.0, 6.0, 12.0]
    with pytest.raises(ZeroDivisionError):
        list(spread(divide, [1, 0], "division"))


def test_a_process_that_ends_in_the_middle_of_its_work_stops_the_proof() -> None:
    with pytest.raises(ChildProcessError):
        list(spread(end_at_once, [1], "nothing"))


@pytest.mark.parametrize("text", ["4:LATE_FILL:2:37", "4s:NONE:*:37", "5:SLOW_ANSWER:*:-"])
def test_a_case_is_read_as_it_is_written(text: str) -> None:
    assert str(CrashCase.parse(text)) == text


@pytest.mark.parametrize("text", ["", "9:NONE:*:5", "1:NOTHING:*:5", "1:NONE:x:5", "1:NONE:*"])
def test_what_is_no_case_is_turned_down(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (argparse makes the message)
        CrashCase.parse(text)


def test_a_broken_case_fails_the_command_and_says_how_to_try_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "be_quiet", lambda: None)
    monkeypatch.setattr(proof, "end_politely", lambda: None)
    assert proof.main(["crash", "--case", "2:NONE:*:60"]) == 0
    monkeypatch.setattr(_crash, "check_books", raises)
    assert proof.main(["crash", "--case", "2:NONE:*:-"]) == 1
    printed = capsys.readouterr().err
    assert "a run answers and raises nothing: RuntimeError: a defect" in printed
    assert "again: python -m proof crash --case '2:NONE:*:-'" in printed


def raises(_account: object) -> None:
    raise RuntimeError("a defect")


def test_every_case_of_a_task_can_be_tried_alone() -> None:
    count = enumerate_crashes(CrashTask(1, Trouble.LATE_FILL, (1,), stride=40))
    alone = _crash.try_case(CrashCase(1, Trouble.LATE_FILL, 1, 41))
    assert count.cases > 2
    assert (alone.cases, alone.deaths, alone.broken) == (1, 1, [])
