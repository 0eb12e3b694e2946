"""Isolation: a call to an adapter in a process of its own, against the same adapter in this one.

The floor is a pipe to another process and back, with messages of the same sizes and nothing done.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from bench import _cheap_broker
from bench._measure import BenchResult, interleaved_medians
from quant_platform_kit.brokers import Broker, IsolatedBroker, Opening
from quant_platform_kit.brokers._isolated_worker import Outcome

_CALLS: Final = 500
_ROUNDS: Final = 21
_TARGET: Final = 3.0  # of the pipe alone; the answer of a wire takes a hundred times as long
_UNKNOWN: Final = "qpk-not-a-client-id-of-anyone"


def run() -> BenchResult:
    """Measure a question that is answered at once; `docs/benchmarks.md` has the result."""
    isolated = IsolatedBroker(Opening(_cheap_broker.__name__, "open_account"))
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    echo = context.Process(target=_echo, args=(theirs,), daemon=True)
    echo.start()
    theirs.close()
    try:
        seconds = interleaved_medians(
            {
                "isolated": _asking(isolated),
                "in process": _asking(_cheap_broker.open_account()),
                "pipe": partial(_to_and_fro, ours),
            },
            rounds=_ROUNDS,
        )
    finally:
        ours.close()
        isolated.close()
        echo.join()
    each = {name: secs / _CALLS * 1e6 for name, secs in seconds.items()}
    added = each["isolated"] - each["in process"]
    ratio = added / each["pipe"]
    return BenchResult(
        what="isolation of a broker's SDK in a process of its own, each call",
        figure=f"{each['isolated']:.0f} µs, in process {each['in process']:.1f} µs",
        ratio=f"adds {ratio:.2f}x a bare pipe there and back ({each['pipe']:.0f} µs)",
        target=f"adds at most {_TARGET:g}x a bare pipe",
        met=ratio <= _TARGET,
    )


def _asking(broker: Broker) -> Callable[[], None]:
    def work() -> None:
        for _ in range(_CALLS):
            broker.find_order(_UNKNOWN)

    return work


def _to_and_fro(line: Connection[bytes, bytes]) -> None:
    question = pickle.dumps(("find_order", (_UNKNOWN,)))
    for _ in range(_CALLS):
        line.send_bytes(question)
        line.recv_bytes()


def _echo(line: Connection[bytes, bytes]) -> None:
    """Answer every message with one of the size that the isolated broker's have."""
    answer = pickle.dumps(Outcome())
    try:
        while True:
            line.recv_bytes()
            line.send_bytes(answer)
    except (EOFError, OSError):
        return


if __name__ == "__main__":
    print(run())
