"""What an adapter makes of damaged answers: it answers rightly, or says that it cannot.

The far side damages one answer at a time, as a seed draws it. What the adapter makes of it is held
against what it says when the wire is well. Fewer prices, bars, executions or movements of cash
than there are do no harm, since whatever needs them misses them, and an order that has ended may
be shown as working on. Anything else that is not the truth is a finding, as is an error that is
not the port's, or any answer that comes too late.

From a terminal, with as many seeds as there is time for::

    python -m quant_platform_kit.testing.broker_mangling schwab 1000
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final, TypeAlias

from quant_platform_kit.contracts import BrokerOrder, MovementKind, OrderStatus, SubmitOutcome
from quant_platform_kit.errors import BrokerAnswerError, InputError, TransientError
from quant_platform_kit.simulators import WIRES, Occasion, WireFault, WireSwitch
from quant_platform_kit.testing._broker_bench import BrokerBench
from quant_platform_kit.testing._broker_words import (
    TURNED_AWAY,
    an_order,
    buy,
    comes_back,
    far_below,
    let_rest,
    questions,
)
from quant_platform_kit.testing.broker_benches import simulated_benches

_Facts: TypeAlias = tuple[Any, ...]

_ORDER: Final = ("broker_order_id", "client_id", "symbol", "side", "quantity")
_DECISIVE: Final[Mapping[Occasion, tuple[str, ...]]] = {
    Occasion.ACCOUNT: ("environment", "cash_usd", "usable_cash_usd", "equity_usd"),
    Occasion.POSITIONS: ("symbol", "quantity"),
    Occasion.ORDERS: (*_ORDER, "filled_quantity"),
    Occasion.FIND: (*_ORDER, "filled_quantity", "status"),
    Occasion.EXECUTIONS: (
        *("fill_id", "broker_order_id", "client_id", "symbol", "side", "quantity"),
        *("price_usd", "fee_usd", "at"),
    ),
    Occasion.CASH: ("movement_id", "at", "amount_usd"),
    Occasion.QUOTES: ("symbol", "price_usd", "at"),
    Occasion.BARS: ("symbol", "sessions", "close"),
}
"""What is decided on, of what each question is answered with."""

_MAY_LACK: Final = frozenset({Occasion.EXECUTIONS, Occasion.CASH, Occasion.QUOTES, Occasion.BARS})
_OWN_ERRORS: Final = (TransientError, BrokerAnswerError, InputError)
_A_SENTENCE: Final = 60  # in fewer characters nobody says what happened and what to do


class Ordeal:
    """One account, asked again and again while its wire is not well.

    Parameters
    ----------
    bench : BrokerBench
        With a wire and a fresh account.
    """

    def __init__(self, bench: BrokerBench) -> None:
        self._bench = bench
        calm = bench.connect()
        buy(calm, bench.symbols[0])
        let_rest(calm, bench.symbols[1])
        self._broker = bench.hasty()
        if bench.move_cash is not None and bench.capabilities.tells_cash_movements:
            bench.move_cash(MovementKind.DIVIDEND, Decimal("3.50"), symbol=bench.symbols[0])
        self._ended = {"order"}
        self._limit = far_below(calm, bench.symbols[0])
        asked = questions(self._broker, bench)
        self._truth = {
            occasion: _facts(occasion, comes_back(ask, bench)) for occasion, ask in asked.items()
        }

    def asked(self, seed: int) -> Iterator[str]:
        """Ask every question while its answer is damaged; yield what was wrong."""
        for occasion, ask in questions(self._broker, self._bench).items():
            told: list[_Facts] = []
            yield from self._under(seed, occasion, partial(_note, told, occasion, ask))
            for facts in told:
                if not self._may_be_said(occasion, facts):
                    yield f"seed {seed}: {occasion.value}: {facts} is not {self._truth[occasion]}"

    def handed_in(self, seed: int) -> Iterator[str]:
        """Hand in an order and cancel it, the answers damaged; yield what was wrong."""
        name = f"damaged-{seed}"
        self._ended.add(name)
        request = an_order(self._bench.symbols[0], client_id=name, limit=self._limit)
        outcomes: list[SubmitOutcome] = []
        before = self._bench.wires.orders()
        yield from self._under(
            seed, Occasion.SUBMIT, lambda: outcomes.append(self._broker.submit(request).outcome)
        )
        order = self._found(name)
        booked = self._bench.wires.orders() - before
        if booked != (order is not None):
            yield f"seed {seed}: {booked} orders are booked, and {order} is found"
        wrong = TURNED_AWAY if booked else {SubmitOutcome.ACKED}
        if not outcomes or outcomes[0] in wrong:
            yield f"seed {seed}: {outcomes} is the answer, and {booked} orders are booked"
        if order is not None:
            yield from self._cancelled(seed, order)

    def _cancelled(self, seed: int, order: BrokerOrder) -> Iterator[str]:
        order_id = order.broker_order_id
        yield from self._under(seed, Occasion.CANCEL, lambda: self._broker.cancel(order_id))
        comes_back(lambda: self._broker.cancel(order_id), self._bench)
        ended = self._found(str(order.client_id))
        if ended is None or ended.status is not OrderStatus.CANCELLED:
            yield f"seed {seed}: the order that was cancelled is {ended}"

    def _found(self, client_id: str) -> BrokerOrder | None:
        """Look for an order; damage may arrive when the call before has ended."""
        order = comes_back(lambda: self._broker.find_order(client_id), self._bench)
        return order if isinstance(order, BrokerOrder) else None

    def _under(self, seed: int, occasion: Occasion, act: Callable[[], object]) -> Iterator[str]:
        """Act while an answer is damaged; yield what was wrong with how that ended."""
        wires = self._bench.wires
        operation = wires.facts.operation(WireFault.MALFORMED, occasion)
        wires.control.set_faults(WireSwitch(WireFault.MALFORMED, operation, seed=seed))
        began = monotonic()
        try:
            act()
        except _OWN_ERRORS as error:
            if len(error.message) < _A_SENTENCE:
                yield f"seed {seed}: {occasion.value}: {error.message!r} says too little"
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            yield f"seed {seed}: {occasion.value}: {error!r} is no error of the port"
        secs = monotonic() - began
        wires.clear()
        if secs > wires.patience_secs:
            yield f"seed {seed}: {occasion.value}: took {secs:.1f} s"

    def _may_be_said(self, occasion: Occasion, told: _Facts) -> bool:
        truth = self._truth[occasion]
        if told == truth:
            return True
        if occasion in _MAY_LACK:
            return set(told) <= set(truth)
        if occasion is Occasion.FIND and told:
            return _named(told) == _named(truth) and not told[0][-1].is_final
        if occasion is Occasion.ORDERS:
            more = {str(order[1]) for order in set(told) - set(truth)}
            return set(truth) <= set(told) and more <= self._ended
        return False


def _note(told: list[_Facts], occasion: Occasion, ask: Callable[[], object]) -> None:
    told.append(_facts(occasion, ask()))


def findings(bench: BrokerBench, seeds: Iterable[int]) -> list[str]:
    """Return what an adapter answered wrongly, a sentence each."""
    ordeal = Ordeal(bench)
    return [each for seed in seeds for each in (*ordeal.asked(seed), *ordeal.handed_in(seed))]


def _facts(occasion: Occasion, answer: Any) -> _Facts:  # noqa: ANN401 (of any question)
    """Return what is decided on, a tuple a row."""
    rows = answer.values() if isinstance(answer, Mapping) else answer
    if not isinstance(answer, (tuple, Mapping)):
        rows = () if answer is None else (answer,)
    of = attrgetter(*_DECISIVE[occasion])
    return tuple(tuple(map(_plain, of(row))) for row in rows)


def _plain(fact: Any) -> Any:  # noqa: ANN401
    return tuple(fact.tolist()) if hasattr(fact, "tolist") else fact


def _named(orders: _Facts) -> set[_Facts]:
    return {order[: len(_ORDER)] for order in orders}


def main() -> int:
    """Print what was wrong; return 1 when anything was."""
    parser = argparse.ArgumentParser(
        prog="python -m quant_platform_kit.testing.broker_mangling",
        description="Damage the answers to an adapter and look what it makes of them.",
    )
    parser.add_argument("broker", choices=sorted(WIRES))
    parser.add_argument("seeds", type=int)
    asked = parser.parse_args()
    with ExitStack() as opened:
        folder = opened.enter_context(TemporaryDirectory())
        benches = opened.enter_context(simulated_benches(asked.broker, Path(folder)))
        wrong = findings(opened.enter_context(benches()), range(asked.seeds))
    sys.stdout.writelines(f"{finding}\n" for finding in wrong)
    sys.stdout.write(f"{asked.seeds} seeds, {len(wrong)} wrong answers\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
