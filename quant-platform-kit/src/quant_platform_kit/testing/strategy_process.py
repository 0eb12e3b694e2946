"""What only a process of its own can tell about a strategy, as cards.

The process has another hash seed, time zone and locale, knows nothing of earlier decisions, and is
asked in reverse order. While it decides, whatever it reaches for is refused and noted.
"""

from __future__ import annotations

from typing import Final

from quant_platform_kit.contracts import canonical
from quant_platform_kit.testing._expect import NotApplicable, expect
from quant_platform_kit.testing._strategy_bench import (
    FAILURES,
    StrategyBench,
    StrategyCard,
)


def deciding_touches_nothing_outside(bench: StrategyBench) -> None:
    """Require no file, socket, process, thread, clock, environment, chance or output."""
    touched = bench.testimony.touched
    expect(not touched, f"while deciding it touches {'; '.join(touched)}")


def another_process_decides_the_same(bench: StrategyBench) -> None:
    """Require the same bytes of every decision."""
    testimony = bench.testimony
    if testimony.touched:
        raise NotApplicable("it was refused what it reaches for outside its inputs")
    for (case, answer), said in zip(bench.answered(), testimony.answers, strict=True):
        if answer.code in FAILURES:
            raise NotApplicable("it does not answer at all")
        expect(
            said == canonical(answer),
            f"{case.name}: this process decides {canonical(answer)}, and another one {said}",
        )


PROCESS_CARDS: Final[tuple[StrategyCard, ...]] = (
    deciding_touches_nothing_outside,
    another_process_decides_the_same,
)
"""Cards that ask a strategy in another process."""
