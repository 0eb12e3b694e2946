"""One writer per account, across processes, and no lease outlives its holder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quant_platform_kit.errors import ReasonCode, SlotBusy, TransientError
from quant_platform_kit.store import AccountLease

HOLDER = """
import sys
from pathlib import Path
from quant_platform_kit.store import AccountLease

with AccountLease(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lease until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    lease = AccountLease(tmp_path / "paper.lock")
    with another_process_holding(tmp_path / "paper.lock") as process:
        with pytest.raises(SlotBusy) as refused, lease.held():
            pytest.fail("two processes hold the lease")
        process.kill()  # SIGKILL: it cleans nothing up
        process.wait()
        with lease.held():
            pass
    assert refused.value.code is ReasonCode.LEASE_HELD


def test_a_second_run_of_the_same_process_is_refused(tmp_path: Path) -> None:
    first, second = (AccountLease(tmp_path / "paper.lock") for _ in range(2))
    with first.held(), pytest.raises(SlotBusy), second.held():
        pytest.fail("two runs hold the lease")
    with second.held():
        pass


def test_a_run_that_fails_gives_the_lease_back(tmp_path: Path) -> None:
    lease = AccountLease(tmp_path / "paper.lock")
    with pytest.raises(ZeroDivisionError), lease.held():
        raise ZeroDivisionError
    with lease.held():
        pass


def test_accounts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with AccountLease(tmp_path / "a.lock").held(), AccountLease(tmp_path / "b.lock").held():
        assert {file.name for file in tmp_path.iterdir()} == {"a.lock", "b.lock"}


def test_a_lease_that_cannot_be_opened_is_a_transient_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    lease = AccountLease(tmp_path / "state" / "paper.lock")
    with pytest.raises(TransientError, match=r"paper\.lock cannot be") as refused, lease.held():
        pytest.fail("nothing was locked")
    assert refused.value.code is ReasonCode.STORE_UNAVAILABLE
