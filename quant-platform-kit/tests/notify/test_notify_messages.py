"""The catalog says everything in both languages."""

from __future__ import annotations

import string
from enum import Enum

import pytest

from quant_platform_kit.contracts import (
    DecisionOutcome,
    Environment,
    InputMode,
    OrderStatus,
    Outcome,
    Side,
)
from quant_platform_kit.errors import ContractError, ReasonCode
from quant_platform_kit.notify import LANGUAGES, Message, meaning


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


@pytest.mark.parametrize("message", Message, ids=lambda message: message.name)
def test_every_message_has_both_languages_and_the_same_placeholders(message: Message) -> None:
    assert message.en.strip()
    assert message.zh.strip()
    assert placeholders(message.en) == placeholders(message.zh)


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_code_has_its_meaning_in_both_languages(code: ReasonCode) -> None:
    assert meaning(code, "en") == code.meaning
    assert has_chinese(meaning(code, "zh"))


@pytest.mark.parametrize(
    "kind", [DecisionOutcome, Environment, InputMode, OrderStatus, Outcome, Side]
)
def test_every_member_that_is_shown_to_people_has_a_message(kind: type[Enum]) -> None:
    for member in kind:
        assert Message.of(member).en
        assert has_chinese(Message.of(member).zh)


def test_placeholders_are_filled_in_the_language_asked_for() -> None:
    assert Message.MORE.text("en", count=3) == "+3 more"
    assert Message.MORE.text("zh", count=3) == "另有 3 个"


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(ContractError, match=r"language = 'fr': expected one of en, zh"):
        Message.CASH.text("fr")
    with pytest.raises(ContractError, match="'fr'"):
        meaning(ReasonCode.HOLD, "fr")


def test_the_languages_are_the_catalogs() -> None:
    assert LANGUAGES == ("en", "zh")
