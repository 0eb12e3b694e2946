"""Several strategies at once, each in a process of its own."""

from __future__ import annotations

import os
import pickle
import re
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest

from quant_platform_kit.contracts import (
    Adjustment,
    Decision,
    DecisionOutcome,
    FeatureRow,
    FeatureSnapshot,
    SnapshotManifest,
)
from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.market import BarFrame, ExchangeCalendar, xnys
from quant_platform_kit.strategy import (
    SleeveView,
    Strategy,
    StrategyConfig,
    StrategyContext,
    WorkerPool,
    evaluate,
)

MakeStrategy = Callable[..., Strategy]
WriteProfile = Callable[..., str]

PATIENT = 60.0
SAYS_PID = """
    import os
    def decide(context):
        return Decision.hold(str(os.getpid()))
"""
AWAITS = """
    import asyncio, os
    async def decide(context):
        await asyncio.sleep(0)
        return Decision.hold(str(os.getpid()))
"""
HANGS = """
    def decide(context):
        while True:
            pass
"""
CRASHES = """
    import os, signal
    def decide(context):
        os.kill(os.getpid(), signal.SIGSEGV)
"""
LEAVES = """
    import os
    def decide(context):
        os._exit(7)
"""
SPEAKS = """
    def decide(context):
        print("what nobody asked for", flush=True)
        return Decision.hold("said")
"""
LOOKS_AROUND = """
    from collections.abc import MutableMapping

    def decide(context):
        frame = context.history["SPY"]
        maps = [
            context.history, context.sleeve.quantities, context.snapshot.manifest.sources,
        ]
        assert not frame.close.flags.writeable and not frame.days.flags.writeable
        assert not any(isinstance(mapping, MutableMapping) for mapping in maps)
        assert context.calendar.is_session(context.session)
        seen = [
            context.session, frame.content_hash(), context.sleeve.cash_usd,
            dict(context.sleeve.quantities), context.snapshot.rows[0].features["mom"],
            type(context.config).__name__, context.calendar.name,
        ]
        return Decision.hold(repr(seen))
"""


@pytest.fixture(params=["worker", "thread"])
def both_ways(request: pytest.FixtureRequest, workers: WorkerPool) -> Callable[..., Decision]:
    """Evaluate one strategy, beside another one in a worker and alone in a thread."""

    def ask(strategy: Strategy, context: StrategyContext) -> Decision:
        if request.param == "thread":
            return evaluate([(strategy, context)], PATIENT)[0]
        return evaluate([(strategy, context)] * 2, PATIENT, workers=workers)[1]

    return ask


def test_two_strategies_run_in_processes_and_one_runs_right_here(
    importable: MakeStrategy, context: StrategyContext, workers: WorkerPool
) -> None:
    job = (importable("says_pid", SAYS_PID), context)

    alone = evaluate([job], PATIENT, workers=workers)
    many = evaluate([job] * 5, PATIENT, workers=workers)

    assert alone[0].reason == str(os.getpid())
    assert {int(answer.reason) for answer in many} <= set(workers.pids)
    assert len(workers.pids) == 2


def test_a_strategy_in_a_process_of_its_own_sees_no_secret(
    importable: MakeStrategy,
    context: StrategyContext,
    workers: WorkerPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCHWAB_APP_SECRET", "canary")
    decide = "import os\ndef decide(context): return Decision.hold(str(sorted(os.environ)))"
    job = (importable("tells_variables", decide), context)

    answers = evaluate([job] * 2, PATIENT, workers=workers)

    assert all("PATH" in answer.reason for answer in answers)
    assert not any("SCHWAB_APP_SECRET" in answer.reason for answer in answers)


def test_workers_are_kept_from_one_evaluation_to_the_next(
    importable: MakeStrategy, context: StrategyContext, workers: WorkerPool
) -> None:
    jobs = [(importable("says_pid", SAYS_PID), context)] * 2
    evaluate(jobs, PATIENT, workers=workers)
    first = workers.pids

    evaluate(jobs, PATIENT, workers=workers)

    assert workers.pids == first


def test_two_evaluations_at_once_do_not_mix_up_their_answers(
    importable: MakeStrategy, context: StrategyContext, workers: WorkerPool
) -> None:
    decide = "def decide(context): return Decision.hold(str(context.sleeve.cash_usd))"
    strategy = importable("tells_cash", decide)

    def ask(first: int) -> list[str]:
        sleeves = [SleeveView(cash_usd=Decimal(first + number)) for number in range(4)]
        jobs = [(strategy, replace(context, sleeve=sleeve)) for sleeve in sleeves]
        return [answer.reason for answer in evaluate(jobs, PATIENT, workers=workers)]

    with ThreadPoolExecutor() as executor:
        answers = list(executor.map(ask, [0, 10, 20]))

    assert answers == [[str(first + n) for n in range(4)] for first in (0, 10, 20)]


def test_a_pool_that_was_closed_starts_anew(
    importable: MakeStrategy, context: StrategyContext
) -> None:
    jobs = [(importable("says_pid", SAYS_PID), context)] * 2
    pool = WorkerPool(size=1)
    before = evaluate(jobs, PATIENT, workers=pool)
    pool.close()
    assert pool.pids == ()
    after = evaluate(jobs, PATIENT, workers=pool)
    pool.close()

    assert before[0].reason != after[0].reason
    assert not any(_is_running(int(answer.reason)) for answer in (*before, *after))


def test_a_coroutine_function_is_awaited_wherever_it_runs(
    importable: MakeStrategy, context: StrategyContext, workers: WorkerPool
) -> None:
    jobs = [(importable("awaits", AWAITS), context), (importable("says_pid", SAYS_PID), context)]

    (alone,) = evaluate(jobs[:1], PATIENT)
    awaited, plain = evaluate(jobs, PATIENT, workers=workers)

    assert alone.reason == str(os.getpid())
    assert {int(awaited.reason), int(plain.reason)} <= set(workers.pids)


def test_a_strategy_that_hangs_is_ended_and_its_worker_replaced(
    importable: MakeStrategy, context: StrategyContext, workers: WorkerPool
) -> None:
    sound = (importable("says_pid", SAYS_PID), context)
    hung = (importable("hangs", HANGS), context)
    evaluate([sound] * 2, PATIENT, workers=workers)
    before = workers.pids

    # The sound ones begin after the hung ones have been ended, and have their whole time all
    # the same.
    answers = evaluate([hung, hung, sound, sound], 2.0, workers=workers)

    assert [answer.code for answer in answers] == [ReasonCode.STRATEGY_TIMEOUT] * 2 + [None] * 2
    assert "2 seconds" in answers[0].reason
    assert len(workers.pids) == 2
    assert set(before).isdisjoint(workers.pids)
    assert not any(map(_is_running, before))


def test_an_answer_that_came_too_late_does_not_count_because_others_took_longer(
    importable: MakeStrategy, make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    hung = (importable("hangs", HANGS), context)
    answered = threading.Event()

    def slow(_: StrategyContext) -> Decision:
        threading.Event().wait(0.5)
        answered.set()
        return Decision.hold("at last")

    pool = WorkerPool(size=1)
    # One worker has two hung ones to go through, so the slow one in its thread is not asked for
    # its answer before it has one.
    *_, late = evaluate([hung, hung, (make_strategy(slow), context)], 0.4, workers=pool)
    pool.close()

    assert answered.is_set()
    assert late.code is ReasonCode.STRATEGY_TIMEOUT


@pytest.mark.parametrize(
    ("decide", "how"),
    [(CRASHES, "was ended by SIGSEGV"), (LEAVES, "ended with exit code 7")],
    ids=["crashes", "leaves"],
)
def test_a_strategy_that_takes_its_process_down_takes_nothing_else_down(
    importable: MakeStrategy,
    context: StrategyContext,
    workers: WorkerPool,
    decide: str,
    how: str,
) -> None:
    sound = (importable("says_pid", SAYS_PID), context)
    fatal = (importable("fatal", decide), context)

    answers = evaluate([sound, fatal, sound, fatal, sound], PATIENT, workers=workers)

    assert [answer.outcome for answer in answers[::2]] == [DecisionOutcome.HOLD] * 3
    assert (
        answers[1]
        == answers[3]
        == Decision.blocked(ReasonCode.STRATEGY_FAILED, f"its process {how}")
    )


def test_a_worker_that_was_ended_while_it_was_idle_is_not_missed(
    importable: MakeStrategy, context: StrategyContext
) -> None:
    jobs = [(importable("says_pid", SAYS_PID), context)] * 2
    pool = WorkerPool(size=1)
    before = evaluate(jobs, PATIENT, workers=pool)
    with _gone_in_the_end(int(before[0].reason)):
        os.kill(int(before[0].reason), signal.SIGKILL)

    after = evaluate(jobs, PATIENT, workers=pool)

    assert {int(answer.reason) for answer in after} == set(pool.pids)
    pool.close()


@pytest.mark.parametrize(
    ("decide", "code", "text"),
    [
        ("def decide(context): return 1 / 0", "STRATEGY_FAILED", "ZeroDivisionError: .* by zero"),
        ("def decide(context): return lambda: 0", "STRATEGY_FAILED", "answered a function"),
        ("def decide(context): raise SystemExit(3)", "STRATEGY_FAILED", "SystemExit: 3"),
        (
            "async def decide(context): raise ValueError('later')",
            "STRATEGY_FAILED",
            "ValueError: later",
        ),
        (
            "async def decide(context): return [context]",
            "STRATEGY_FAILED",
            "answered a list",
        ),
        (
            "def decide(context): return Decision.hold('x', diagnostics={'x': object()})",
            "STRATEGY_FAILED",
            "object has no canonical JSON form",
        ),
        (
            "def decide(context): return Decision.weights({'TSLA': 1.0})",
            "UNMANAGED_TARGET",
            "TSLA",
        ),
        (
            """
            from quant_platform_kit.errors import InputError, ReasonCode
            def decide(context): raise InputError('old', code=ReasonCode.HISTORY_STALE)
            """,
            "HISTORY_STALE",
            "InputError: old",
        ),
        (
            """
            class Odd(Exception):
                def __str__(self): raise ValueError
            def decide(context): raise Odd
            """,
            "STRATEGY_FAILED",
            "^Odd$",
        ),
        ("def decide(context): raise ValueError('x' * 9999)", "STRATEGY_FAILED", "^.{500,600}$"),
    ],
)
def test_what_goes_wrong_is_blocked_with_the_same_words_wherever_it_runs(
    importable: MakeStrategy,
    context: StrategyContext,
    both_ways: Callable[..., Decision],
    decide: str,
    code: str,
    text: str,
) -> None:
    answer = both_ways(importable("at_fault", decide), context)

    assert (answer.outcome, answer.code) == (DecisionOutcome.BLOCKED, ReasonCode(code))
    assert re.search(text, answer.reason)


def test_an_answer_is_the_same_wherever_it_was_made(
    importable: MakeStrategy, context: StrategyContext, both_ways: Callable[..., Decision]
) -> None:
    decide = """
        from dataclasses import replace
        from decimal import Decimal

        def decide(context):
            said = Decision.weights(
                {"SPY": 1 / 3}, risk_flags=("calm",), diagnostics={"z": "1", "a": "二"}
            )
            signal = Signal("SPY", SignalAction.BUY, Decimal("0.9"), "trend")
            return replace(said, signals=(signal,))
    """
    answer = both_ways(importable("answers", decide), context)

    assert answer.targets[0].amount == Decimal("0.3333333333")
    assert answer.risk_flags == ("calm",)
    assert list(answer.diagnostics.items()) == [("z", "1"), ("a", "二")]
    assert answer.signals[0].confidence == Decimal("0.9")


def test_a_strategy_cannot_change_its_answer_afterwards(
    make_strategy: MakeStrategy, context: StrategyContext
) -> None:
    said = {"state": "up"}

    (decision,) = evaluate(
        [(make_strategy(lambda _: Decision.hold("kept", diagnostics=said)), context)], PATIENT
    )
    said["state"] = "down"

    assert decision.diagnostics == {"state": "up"}


def test_a_strategy_gets_the_whole_context_by_value_and_nothing_it_could_change(
    importable: MakeStrategy, context: StrategyContext, both_ways: Callable[..., Decision]
) -> None:
    frame = _frame()
    full = replace(
        context,
        history={"SPY": frame},
        snapshot=_snapshot(),
        sleeve=SleeveView(quantities={"SPY": Decimal(7)}, cash_usd=Decimal("12.34")),
    )

    answer = both_ways(importable("looks_around", LOOKS_AROUND), full)

    assert answer.outcome is DecisionOutcome.HOLD, answer.reason
    assert answer.reason == repr(
        [
            full.session,
            frame.content_hash(),
            Decimal("12.34"),
            {"SPY": Decimal(7)},
            0.25,
            "StrategyConfig",
            "XNYS",
        ]
    )


def test_a_calendar_of_another_exchange_travels_as_it_is(
    importable: MakeStrategy, context: StrategyContext, both_ways: Callable[..., Decision]
) -> None:
    decide = """
        def decide(context):
            calendar = context.calendar
            return Decision.hold(f"{calendar.name}: {calendar.next(context.session)}")
    """
    other = ExchangeCalendar(
        name="OTHER",
        first_day=date(2020, 3, 1),
        last_day=date(2020, 5, 1),
        closed=[date(2020, 4, 1)],
        early_closes={},
    )

    answer = both_ways(importable("asks_when", decide), replace(context, calendar=other))

    assert answer.reason == "OTHER: 2020-04-02"


def test_what_cannot_travel_is_asked_right_here(
    importable: MakeStrategy,
    make_strategy: MakeStrategy,
    context: StrategyContext,
    workers: WorkerPool,
) -> None:
    class LocalConfig(StrategyConfig):
        pass

    class StubbornConfig(StrategyConfig):
        def __reduce__(self) -> str:
            raise ValueError("stays here")

    def says_pid(_: StrategyContext) -> Decision:
        return Decision.hold(str(os.getpid()))

    imported = importable("says_pid", SAYS_PID)
    jobs = [
        (make_strategy(says_pid), context),
        (replace(imported, decide=says_pid), context),
        (imported, replace(context, config=LocalConfig())),
        (imported, replace(context, config=StubbornConfig())),
        (imported, context),
    ]

    *here, there = evaluate(jobs, PATIENT, workers=workers)

    assert {answer.reason for answer in here} == {str(os.getpid())}
    assert int(there.reason) in workers.pids


def test_without_processes_strategies_are_asked_right_here(
    importable: MakeStrategy, context: StrategyContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    jobs = [(importable("says_pid", SAYS_PID), context)] * 2

    answers = evaluate(jobs, PATIENT, workers=WorkerPool(size=2))

    assert [answer.reason for answer in answers] == [str(os.getpid())] * 2


def test_processes_that_cannot_begin_are_not_waited_for(
    importable: MakeStrategy, context: StrategyContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    jobs = [(importable("says_pid", SAYS_PID), context)] * 2
    pool = WorkerPool(size=2)

    answers = evaluate(jobs, PATIENT, workers=pool)

    assert [answer.reason for answer in answers] == [str(os.getpid())] * 2
    assert pool.pids == ()


def test_what_a_strategy_prints_does_not_get_into_the_answer_of_a_command(
    importable: MakeStrategy,
    context: StrategyContext,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = WorkerPool(size=1)
    evaluate([(importable("speaks", SPEAKS), context)] * 2, PATIENT, workers=pool)
    pool.close()

    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("what nobody asked for") == 2


@pytest.mark.parametrize("hung", [False, True], ids=["idle", "hung"])
@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_no_worker_outlives_its_parent(
    tmp_path: Path, profile_source: WriteProfile, end: str, *, hung: bool
) -> None:
    tells = """
        import os, sys
        def decide(context):
            os.write(2, f"{os.getpid()}\\n".encode())
            while context.sleeve.cash_usd:
                pass
            return Decision.hold("done")
    """
    (tmp_path / "tells.py").write_text(profile_source("tells", tells))
    program = f"""
        import os, signal, sys
        sys.path.insert(0, {str(tmp_path)!r})
        import tells
        from datetime import date
        from decimal import Decimal
        from threading import Thread
        from quant_platform_kit.market import xnys
        from quant_platform_kit.strategy import SleeveView, Strategy, StrategyContext, evaluate

        config = tells.Config()
        strategy = Strategy("tells", config, tells.manifest(config), tells.decide)
        sleeve = SleeveView(cash_usd=Decimal({int(hung)}))
        context = StrategyContext(date(2020, 3, 31), xnys(), {{}}, None, sleeve, config)
        asked = Thread(target=evaluate, args=([(strategy, context)] * 2, 600), daemon=True)
        asked.start()
        if not {hung}:
            asked.join()
        sys.stdin.readline()
        if {end == "killed"}:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stderr is not None
        assert parent.stdin is not None
        with _gone_in_the_end(int(parent.stderr.readline())):
            parent.stdin.write("go\n")
            parent.stdin.close()
            # The workers share the pipe: its end is the end of the last of them.
            rest = parent.stderr.read()
            assert parent.wait(PATIENT) == (-signal.SIGKILL if end == "killed" else 0), rest


def test_a_fork_has_workers_of_its_own_and_leaves_those_of_its_parent_alone(
    tmp_path: Path, profile_source: WriteProfile
) -> None:
    (tmp_path / "says_pid.py").write_text(profile_source("says_pid", SAYS_PID))
    program = f"""
        import os, sys
        sys.path.insert(0, {str(tmp_path)!r})
        import says_pid
        from datetime import date
        from quant_platform_kit.market import xnys
        from quant_platform_kit.strategy import (
            SleeveView, Strategy, StrategyContext, WorkerPool, evaluate,
        )

        config = says_pid.Config()
        strategy = Strategy("says_pid", config, says_pid.manifest(config), says_pid.decide)
        context = StrategyContext(date(2020, 3, 31), xnys(), {{}}, None, SleeveView(), config)
        pool = WorkerPool(size=1)

        def worker():
            return {{a.reason for a in evaluate([(strategy, context)] * 2, 60, workers=pool)}}

        before = worker()
        fork = os.fork()
        if not fork:
            of_fork = worker()
            pool.close()
            os._exit(of_fork == before)
        assert os.waitpid(fork, 0)[1] == 0, "the fork used its parent's worker"
        assert worker() == before, "the fork ended its parent's worker"
        pool.close()
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=PATIENT,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_a_bar_frame_that_travelled_is_equal_and_still_read_only() -> None:
    for frame in (_frame(), _frame().tail(2)):
        travelled = pickle.loads(pickle.dumps(frame))  # noqa: S301 (made here)

        assert travelled == frame
        assert travelled.content_hash() == frame.content_hash()
        arrays = [travelled.days, travelled.close, travelled.high]
        assert not any(array.flags.writeable for array in arrays)


def _frame() -> BarFrame:
    return BarFrame(
        symbol="SPY",
        sessions=[date(2020, 3, 26), date(2020, 3, 27), date(2020, 3, 30)],
        close=[261.2, 253.4, 261.7],
        high=[262.8, 260.8, 262.4],
        adjustment=Adjustment.TOTAL_RETURN,
    )


def _snapshot() -> FeatureSnapshot:
    manifest = SnapshotManifest(
        contract="looks_around.v1",
        profile="looks_around",
        version="1",
        as_of=date(2020, 3, 30),
        snapshot_file="snapshot.csv",
        snapshot_sha256="0" * 64,
        row_count=1,
        columns=("mom",),
        config_sha256="1" * 64,
        adjustment=Adjustment.TOTAL_RETURN,
        generated_at=xnys().session_close(date(2020, 3, 30)),
        code_version="1",
        sources=MappingProxyType({"closes": "2" * 64}),
    )
    return FeatureSnapshot(manifest, (FeatureRow("SPY", "ETF", MappingProxyType({"mom": 0.25})),))


@contextmanager
def _gone_in_the_end(pid: int) -> Iterator[None]:
    """Require that a process runs now and ends by itself; leave nothing running if it does not."""
    process = os.pidfd_open(pid)
    try:
        yield
        ended, _, _ = select.select([process], [], [], PATIENT)
        assert ended
    finally:
        if not select.select([process], [], [], 0)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    # A process that has ended stays in the table until its parent asks for it.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
