"""The simulator's own encoding: protocol buffers, packets and signatures."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.errors import ContractError
from quant_platform_kit.simulators.longbridge import APP_KEY, access_token, member_id
from quant_platform_kit.simulators.longbridge._credentials import (
    NOT_KNOWN,
    NOT_SIGNED,
    refusal,
)
from quant_platform_kit.simulators.longbridge._messages import QUOTES
from quant_platform_kit.simulators.longbridge._packet import Request, push, read_request, response
from quant_platform_kit.simulators.longbridge._protobuf import Field, Message, Scalar

INNER = Message((Field(1, "name", Scalar.TEXT),))
EVERY_KIND = Message(
    (
        Field(1, "number", Scalar.INTEGER),
        Field(2, "flag", Scalar.BOOLEAN),
        Field(3, "text", Scalar.TEXT),
        Field(4, "data", Scalar.BYTES),
        Field(5, "inner", INNER),
        Field(6, "numbers", Scalar.INTEGER, repeated=True),
        Field(7, "texts", Scalar.TEXT, repeated=True),
        Field(200, "inners", INNER, repeated=True),
    )
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NAMED = st.fixed_dictionaries({"name": st.text()})
VALUES = st.fixed_dictionaries(
    {
        "number": INTEGERS,
        "flag": st.booleans(),
        "text": st.text(),
        "data": st.binary(),
        "inner": st.none() | NAMED,
        "numbers": st.lists(INTEGERS),
        "texts": st.lists(st.text()),
        "inners": st.lists(NAMED),
    }
)
SENT = Request(command=11, request_id=7, body=b"body")


def as_sent(
    body: bytes, *, flags: int = 0, claimed: int | None = None, after: bytes = b""
) -> bytes:
    size = len(body) if claimed is None else claimed
    head = bytes((1 | flags, 11)) + (7).to_bytes(4, "big") + (30_000).to_bytes(2, "big")
    return head + size.to_bytes(3, "big") + body + after


@given(VALUES)
def test_every_message_is_read_as_it_was_written(values: dict[str, object]) -> None:
    assert EVERY_KIND.decode(EVERY_KIND.encode(values)) == values


@pytest.mark.parametrize(
    ("values", "data"),
    [
        ({"number": 150}, "089601"),
        ({"number": -2}, "08feffffffffffffffff01"),
        ({"text": "testing"}, "1a0774657374696e67"),
        ({"numbers": [3, 270, 86942]}, "3206038e029ea705"),
        ({"inner": {}}, "2a00"),
        ({}, ""),
    ],
)
def test_bytes_are_those_of_the_encodings_own_documentation(
    values: dict[str, object], data: str
) -> None:
    assert EVERY_KIND.encode(values).hex() == data


def test_repeated_numbers_are_read_one_by_one_as_well() -> None:
    assert EVERY_KIND.decode(bytes.fromhex("300330ffff03"))["numbers"] == [3, 65535]


def test_fields_that_the_message_does_not_know_are_skipped() -> None:
    known = QUOTES.encode({"quotes": [{"symbol": "AAA.US", "timestamp": 5}]})
    unknown = bytes.fromhex("7a0161" + "79" + "00" * 8 + "7d" + "00" * 4 + "7801")
    (quote,) = QUOTES.decode(unknown + known)["quotes"]
    assert (quote["symbol"], quote["timestamp"]) == ("AAA.US", 5)


@given(VALUES, st.integers(0, 40))
def test_bytes_that_are_cut_off_are_refused_or_a_shorter_message(
    values: dict[str, object], cut: int
) -> None:
    data = EVERY_KIND.encode(values)[:cut]
    try:
        EVERY_KIND.decode(data)
    except ContractError:
        return


@pytest.mark.parametrize("data", ["08", "1a05", "0b", "1a01ff", "0a0161", "18" + "ff" * 11])
def test_bytes_that_are_no_message_are_refused(data: str) -> None:
    with pytest.raises(ContractError):
        EVERY_KIND.decode(bytes.fromhex(data))


def test_a_value_without_a_field_is_refused() -> None:
    with pytest.raises(ContractError, match="nobody"):
        EVERY_KIND.encode({"nobody": 1})


def test_a_request_is_read_from_its_packet() -> None:
    assert read_request(as_sent(b"body")) == SENT
    assert read_request(as_sent(gzip.compress(b"body"), flags=0x20)) == SENT
    assert read_request(as_sent(b"body", flags=0x10, after=bytes(24))) == SENT


@pytest.mark.parametrize(
    "packet",
    [b"", as_sent(b"body")[:5], as_sent(b"body", claimed=9), bytes((2,)) + as_sent(b"body")[1:]],
)
def test_a_packet_that_is_no_request_is_refused(packet: bytes) -> None:
    with pytest.raises(ContractError):
        read_request(packet)


def test_a_large_answer_is_zipped_and_a_small_one_is_not() -> None:
    small, large = response(SENT, b"x" * 10), response(SENT, b"x" * 5000)
    assert small == bytes((2, 11)) + (7).to_bytes(4, "big") + bytes((0, 0, 0, 10)) + b"x" * 10
    assert large[0] == 0x22
    assert gzip.decompress(large[10:]) == b"x" * 5000


def test_a_push_carries_its_command_and_length_alone() -> None:
    assert push(18, b"body") == bytes((3, 18, 0, 0, 4)) + b"body"


def test_a_request_without_a_known_key_or_signature_is_not_let_in() -> None:
    now = datetime(2020, 3, 31, tzinfo=UTC)
    asked = ("GET", "/v1/asset/stock", "")
    token = access_token("12345678", expires_at=now + timedelta(days=90))
    headers = {"x-api-key": APP_KEY, "authorization": token, "x-timestamp": "1"}
    assert refusal(asked, {}, b"", now) == NOT_KNOWN
    assert refusal(asked, headers, b"", now) == NOT_SIGNED


def test_a_member_has_a_number_whatever_the_account_is_called() -> None:
    assert member_id("12345678") == 12345678
    assert member_id("demo-hk") == member_id("demo-hk") > 0
