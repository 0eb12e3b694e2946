"""Access and refresh tokens, as the authorization server hands them out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

_ACCESS_SECS: Final = 1800
_FIRST_ACCESS: Final = "simulated-access-0"
_REFRESH: Final = "simulated-refresh"
_BASIC: Final = "Basic "
_BEARER: Final = "Bearer "


def token_document(now_secs: float, *, created_secs: float | None = None) -> dict[str, Any]:
    """Return the content of a token file that a simulator accepts.

    Parameters
    ----------
    now_secs : float
        Seconds of the epoch from which the access token counts.
    created_secs : float, optional
        When the refresh token was given; `now_secs` when left out.
    """
    created = now_secs if created_secs is None else created_secs
    return {"creation_timestamp": int(created), "token": _token(_FIRST_ACCESS, now_secs)}


def _token(access: str, now_secs: float) -> dict[str, Any]:
    return {
        "expires_in": _ACCESS_SECS,
        "token_type": "Bearer",
        "scope": "api",
        "refresh_token": _REFRESH,
        "access_token": access,
        "id_token": "simulated-id",
        "expires_at": int(now_secs) + _ACCESS_SECS,
    }


class Tokens:
    """The tokens that are good; used under the host's lock."""

    def __init__(self) -> None:
        self._good = {_FIRST_ACCESS}
        self._given = 0

    def revoke(self) -> None:
        """Make every access token useless; the refresh token stays good."""
        self._good.clear()

    def knows(self, authorization: str | None) -> bool:
        """Return whether a request's header carries a good access token."""
        return self.is_good((authorization or "").removeprefix(_BEARER))

    def is_good(self, access: str) -> bool:
        """Return whether an access token is good."""
        return access in self._good

    def grant(self, headers: Mapping[str, str | None], body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint: a status and a JSON body."""
        form = dict(parse_qsl(body.decode()))
        basic = headers.get("Authorization") or ""
        if not basic.startswith(_BASIC) or b":" not in base64.b64decode(basic[len(_BASIC) :]):
            return 401, {"error": "invalid_client", "error_description": "Unauthorized"}
        kind = form.get("grant_type")
        refreshes = kind == "refresh_token" and form.get("refresh_token") == _REFRESH
        if not refreshes and not (kind == "authorization_code" and form.get("code")):
            return 400, denial()
        self._given += 1
        access = f"simulated-access-{self._given}"
        self._good.add(access)
        token = _token(access, 0.0)
        del token["expires_at"]  # the client reckons it from `expires_in`
        return 200, token


def denial() -> dict[str, Any]:
    """Return what is said of a refresh token that is no longer good."""
    return {
        "error": "unsupported_token_type",
        "error_description": "The refresh token is expired or revoked.",
    }
