"""What an access token of LongBridge's says about itself: when it ends."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

LIFE: Final = timedelta(days=90)
"""How long a token lives from its issue, unless something else was asked for."""

_WARN: Final = timedelta(days=14)
_BODY: Final = 1  # of the three parts between dots


def expires_at(token: str) -> datetime | None:
    """Return when a token ends, as it says itself; None when it says nothing readable."""
    parts = token.split(".")
    if len(parts) <= _BODY:
        return None
    body = parts[_BODY]
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, KeyError, TypeError, ValueError, OverflowError):
        return None


def alert(end: datetime | None, now: datetime) -> str | None:
    """Return what to tell the operator about a token's age; None while there is time."""
    if end is None:
        return (
            "LongBridge's access token does not say when it ends. Tokens live for "
            f"{LIFE.days} days: note the day on which it was issued and renew it in time."
        )
    left = end - now
    if left > _WARN:
        return None
    if left <= timedelta():
        return (
            f"LongBridge's access token ended on {end:%Y-%m-%d}: no order can be sent. Issue a new "
            "one in LongBridge's developer centre and store it where the service reads it."
        )
    return (
        f"LongBridge's access token ends on {end:%Y-%m-%d}, in {left.days} days; no order can be "
        "sent after that. Issue a new one in LongBridge's developer centre and store it where the "
        "service reads it."
    )
