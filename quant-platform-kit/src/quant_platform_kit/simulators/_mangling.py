"""Answers that are damaged by lot: what a gateway, a defect or a new version may send instead.

The damage is to an answer's form: what it says is missing, of another kind, beyond any measure or
said twice. It never puts one possible fact in the place of another, and it spares the tags by
which orders are known, since a client could not notice that. The same seed and answer give the
same damage.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http import HTTPStatus
from random import Random
from typing import Any, Final, TypeAlias

_PAGE: Final = b"<!DOCTYPE html><html><body>We will be right back.</body></html>"
_NOT_UTF8: Final = b"\xc3\x28"
_DEEP: Final = b"[" * 100_000
_ODD: Final[Sequence[Any]] = (None, "", {}, [], [[]], math.nan, math.inf, 1e300)
_ODD_TEXTS: Final = ("?", "1e999")  # in the place of another text they might be true
_ODD_NUMBERS: Final = ("?", "nan", "inf", "1.7976931348623157E308", "9" * 30, "\udc80")
_NUMBER: Final = re.compile(r"-?\d+(\.\d*)?")
_SPARED: Final = frozenset(
    {
        "remark",
        "stock_info",  # LongBridge's SDK itself takes a list that is missing for an empty one
    }
)

_Form: TypeAlias = Callable[[Random, "Answer"], "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an HTTP server."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def mangled_answer(answer: Answer, seed: int) -> Answer:
    """Return a damaged answer; half of the damage is to one value in its JSON."""
    lot = _lot(seed)
    forms: Sequence[_Form] = _WHOLE if not answer.body or lot.random() < 0.5 else (_one_value,)  # noqa: PLR2004
    return lot.choice(forms)(lot, answer)


def mangled_message(message: bytes, seed: int) -> bytes:
    """Return a damaged binary message."""
    return _lot(seed).choice((message[:-1], message + b"\xff", b"\xff" + message, _PAGE))


def mangled_frame(fields: Sequence[str], seed: int) -> list[str]:
    """Return the fields of a damaged frame; its kind, in front, is spared.

    Every field is text, so only a number can be of another kind.
    """
    lot, odd = _lot(seed), list(fields)
    numbers = [place for place, text in enumerate(odd) if place and _NUMBER.fullmatch(text)]
    if numbers and lot.random() < 0.6:  # noqa: PLR2004
        odd[lot.choice(numbers)] = lot.choice(_ODD_NUMBERS)
        return odd
    place = lot.randrange(1, len(odd))
    return odd[:place] if lot.random() < 0.5 else odd[:place] + odd[place + 1 :]  # noqa: PLR2004


def _lot(seed: int) -> Random:
    return Random(seed)  # noqa: S311 (a repeatable lot)


# ── Whole answers ──────────────────────────────────────────────────────────────────────


def _says(status: int, body: bytes, **headers: str) -> _Form:
    return lambda _lot, answer: replace(
        answer, status=status, body=body, headers={**answer.headers, **headers}
    )


def _cut(lot: Random, answer: Answer) -> Answer:
    return replace(answer, body=answer.body[: lot.randrange(len(answer.body) or 1)])


def _other_kind(_: Random, answer: Answer) -> Answer:
    return replace(answer, body=b"{}" if answer.body.startswith(b"[") else b"[]")


def _not_text(_: Random, answer: Answer) -> Answer:
    return replace(answer, body=_NOT_UTF8 + answer.body)


def _not_zipped(_: Random, answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"})


_WHOLE: Final[Sequence[_Form]] = (
    _cut,
    _other_kind,
    _not_text,
    _not_zipped,
    _says(HTTPStatus.OK, b""),
    _says(HTTPStatus.OK, _PAGE),
    _says(HTTPStatus.OK, _DEEP),
    *(_says(HTTPStatus.OK, body) for body in (b"null", b'""', b"0", b"true")),
    _says(HTTPStatus.NO_CONTENT, b""),
    _says(HTTPStatus.FOUND, b"", Location="/login"),
    _says(HTTPStatus.BAD_GATEWAY, _PAGE),
)


# ── One value ──────────────────────────────────────────────────────────────────────────


def _one_value(lot: Random, answer: Answer) -> Answer:
    tree = json.loads(answer.body, parse_float=Decimal)
    places = list(_places(tree))
    if not places:
        return _cut(lot, answer)
    holder, key = lot.choice(places)
    match lot.choice(("odd", "odd", "odd", "lost", "twice")):
        case "odd":
            is_text = isinstance(holder[key], str)
            holder[key] = lot.choice(_ODD if is_text else (*_ODD, *_ODD_TEXTS))
        case "twice" if isinstance(holder, list):
            holder.append(holder[key])
        case _ if isinstance(holder, dict):
            del holder[key]
        case _:
            holder[key] = None
    return replace(answer, body=json.dumps(tree, default=float).encode())


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 (JSON)
    """Yield every list or mapping in a tree with each of its keys."""
    if isinstance(tree, dict):
        keys: list[Any] = [key for key in tree if key not in _SPARED]
    elif isinstance(tree, list):
        keys = list(range(len(tree)))
    else:
        return
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
