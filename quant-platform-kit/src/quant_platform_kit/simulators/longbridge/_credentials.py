"""Who may connect: the simulator's keys, its access tokens, and the signature of each request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

APP_KEY: Final = "simulated-app-key"
APP_SECRET: Final = "simulated-app-secret"  # noqa: S105 (opens a simulator on loopback only)
CHANNEL: Final = "lb_simulated"
"""The account's channel; a paper account's is ``lb_papertrading``, a live one's ``lb``."""

_PREFIX: Final = "m_"  # before the token proper, as tokens of the developer centre have it
_SIGNED: Final = ("authorization", "x-api-key", "x-timestamp")

NOT_SIGNED: Final = (403201, "signature invalid")
NOT_KNOWN: Final = (403203, "apikey illegal")
TOKEN_INVALID: Final = (401004, "token invalid")
TOKEN_EXPIRED: Final = (401003, "token expired")
"""Refusals: code and message."""


def member_id(account_id: str) -> int:
    """Return the number by which LongBridge knows the owner of `account_id`.

    The digits of the id where it is nothing else, and otherwise a number made of its letters.
    """
    return int(account_id) if account_id.isdecimal() else zlib.crc32(account_id.encode())


def access_token(account_id: str, *, expires_at: datetime) -> str:
    """Return an access token for a simulated account, good until `expires_at`."""
    subject = {"member_id": member_id(account_id), "account_channel": CHANNEL}
    claims = {"sub": json.dumps(subject), "exp": int(expires_at.timestamp())}
    signed = f"{_part({'alg': 'HS256'})}.{_part(claims)}"
    return f"{_PREFIX}{signed}.{_seal(signed)}"


def refusal(
    request: tuple[str, str, str], headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[int, str] | None:
    """Return why a request is not let in, as code and message; None when it is.

    Parameters
    ----------
    request : tuple of str
        Method, path and query string, as sent.
    headers : mapping
        By lower-case name.
    body : bytes
    now : datetime
        Against which the token's life is held.
    """
    if headers.get("x-api-key") != APP_KEY:
        return NOT_KNOWN
    if not hmac.compare_digest(
        headers.get("x-api-signature", ""), _signature(request, headers, body)
    ):
        return NOT_SIGNED
    claims = _claims(headers["authorization"])
    if claims is None:
        return TOKEN_INVALID
    return TOKEN_EXPIRED if datetime.fromtimestamp(claims["exp"], UTC) <= now else None


def _signature(request: tuple[str, str, str], headers: Mapping[str, str], body: bytes) -> str:
    method, path, query = request
    values = "".join(f"{name}:{headers.get(name, '')}\n" for name in _SIGNED)
    names = ";".join(_SIGNED)
    text = f"{method}|{path}|{query}|{values}|{names}|" + (_sha1(body) if body else "")
    sealed = _hmac(f"HMAC-SHA256|{_sha1(text.encode())}")
    return f"HMAC-SHA256 SignedHeaders={names}, Signature={sealed}"


def _claims(token: str) -> dict[str, Any] | None:
    signed, _, seal = token.removeprefix(_PREFIX).rpartition(".")
    if not hmac.compare_digest(seal, _seal(signed)):
        return None
    payload = signed.partition(".")[2]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def _part(values: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _seal(signed: str) -> str:
    digest = hmac.digest(APP_SECRET.encode(), signed.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _hmac(text: str) -> str:
    return hmac.new(APP_SECRET.encode(), text.encode(), "sha256").hexdigest()
