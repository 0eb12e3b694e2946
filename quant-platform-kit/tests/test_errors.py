"""The error tree: what the runtime does about an error follows from its class."""

from __future__ import annotations

import inspect
import pickle

import pytest

from quant_platform_kit import errors
from quant_platform_kit.errors import (
    BrokerAnswerError,
    CalendarError,
    ContractError,
    InputError,
    PlatformError,
    ReasonCode,
    ReconciliationError,
    RefuseRun,
    SettingsError,
    SlotBusy,
    StopAndTell,
    TransientError,
    UnresolvedOrder,
)

CLASSES = [
    value
    for name in errors.__all__
    if isinstance(value := getattr(errors, name), type) and issubclass(value, Exception)
]
NEVER_SENT = {SlotBusy, InputError, CalendarError, TransientError}
NEEDS_A_LOOK = {ReconciliationError, BrokerAnswerError}


def test_the_door_is_sorted_and_holds_every_error() -> None:
    assert errors.__all__ == sorted(errors.__all__)
    defined = {
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert defined == set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_of_the_tree_and_carries_a_code(kind: type[PlatformError]) -> None:
    error = kind("what happened", symbol="SPY")
    assert isinstance(error, PlatformError)
    assert error.code is kind.default_code
    assert (error.message, error.symbol, str(error)) == ("what happened", "SPY", "what happened")
    assert kind("x", code=ReasonCode.HOLD).code is ReasonCode.HOLD


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_group_says_what_the_runtime_does(kind: type[PlatformError]) -> None:
    assert issubclass(kind, RefuseRun) is (kind in NEVER_SENT | {RefuseRun})
    assert issubclass(kind, StopAndTell) is (kind in NEEDS_A_LOOK | {StopAndTell})


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = {
        line.split("── ")[1].split()[0]: line.index("── ")
        for line in (errors.__doc__ or "").splitlines()
        if "── " in line
    }
    assert drawn.keys() | {"PlatformError"} == {kind.__name__ for kind in CLASSES}
    deeper = {name for name, column in drawn.items() if column > min(drawn.values())}
    assert deeper == {kind.__name__ for kind in NEVER_SENT | NEEDS_A_LOOK}


def test_a_malformed_value_is_a_value_error_for_libraries_that_know_nothing_else() -> None:
    assert issubclass(ContractError, ValueError)
    assert not issubclass(SettingsError, ValueError)
    assert not issubclass(UnresolvedOrder, RefuseRun | StopAndTell)


@pytest.mark.parametrize("code", ReasonCode, ids=lambda code: code.value)
def test_every_code_is_its_own_name_and_says_what_it_means(code: ReasonCode) -> None:
    assert code.value == code.name == str(code)
    assert code.meaning.endswith(".")
    assert len(code.value) <= 32  # the journal's column
    assert ReasonCode(code.value) is code
    assert pickle.loads(pickle.dumps(code)) is code  # noqa: S301 (our own bytes)


def test_no_two_codes_mean_the_same() -> None:
    meanings = [code.meaning for code in ReasonCode]
    assert len(set(meanings)) == len(meanings)
