"""Requests and answers, and what bad answers look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    target: str
    headers: Mapping[str, str | None]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def argument(self, name: str) -> str | None:
        """Return a query argument."""
        return parse_qs(urlsplit(self.target).query).get(name, [None])[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; None as status means that the connection is cut instead."""

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


CUT: Final = Reply(None)


def bad(message: str) -> Reply:
    """Return the answer to a request that is refused."""
    return Reply(400, {"message": message, "errors": []})


def failure() -> Reply:
    """Return the answer of a broker with a defect."""
    return Reply(500, {"message": "Application encountered an unexpected error.", "errors": []})


def unknown_account() -> Reply:
    """Return the answer to a request for somebody else's account."""
    return Reply(404, {"message": "There is no such account.", "errors": []})


def unknown_order() -> Reply:
    """Return the answer to a request for an order that there is not."""
    return Reply(404, {"message": "Order not found.", "errors": []})
