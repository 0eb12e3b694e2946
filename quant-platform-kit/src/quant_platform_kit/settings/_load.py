"""Reads every variable of a service, and refuses what is unknown or contradicts itself."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from quant_platform_kit.contracts import ExecutionMode
from quant_platform_kit.errors import SettingsError
from quant_platform_kit.settings._logins import LOGINS, names_of, read_login
from quant_platform_kit.settings._schema import VARIABLES, Settings
from quant_platform_kit.settings._sources import Sources
from quant_platform_kit.settings._stale import left_over, require_none
from quant_platform_kit.settings._variable import SIMULATED, Platform, Variable

_MORE_PREFIXES: Final = {Platform.LONGBRIDGE: ("LONGPORT_",)}
"""Of a platform's variables that are called after the broker's SDK."""


def load_settings(platform: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every variable of a platform's service.

    Parameters
    ----------
    platform : str
        ``ibkr``, ``schwab`` or ``longbridge``.
    environ : mapping, optional
        Variables to read; the process's own when absent.

    Raises
    ------
    SettingsError
        For a variable that is unknown, unreadable, missing, given twice or at odds with another
        one, and for a secret that cannot be had; the message names it and shows no secret.
        Nothing is guessed: an unreadable value never becomes a default.
    TransientError
        When a variable names a secret, and Secret Manager does not answer.
    """
    environ = os.environ if environ is None else environ
    try:
        kind = Platform(platform)
    except ValueError:
        choices = ", ".join(Platform)
        raise SettingsError(f"Unknown platform {platform!r}: expected one of {choices}.") from None
    _refuse_unknown(kind, environ)
    _refuse_bytes(kind, environ)
    sources = Sources(kind, environ)
    values = {variable.field: sources.value(variable) for variable in VARIABLES}
    login: dict[str, Any] = {}
    if values["broker"] != SIMULATED:
        _require_own_broker(kind, values["broker"])
        values["account_id"], login = read_login(sources, values["account_id"])
    settings = Settings(
        platform=kind,
        login=MappingProxyType(login),
        stale_variables=left_over(kind, environ),
        spellings=MappingProxyType(_spellings(sources)),
        **values,
    )
    _refuse_contradiction(settings)
    require_none(kind, settings.service, settings.stale_variables)
    return settings


def _spellings(sources: Sources) -> dict[str, str]:
    """Return under which name each setting is set, by field."""
    names = {variable.field: sources.spelling(variable) for variable in VARIABLES}
    return {field: name for field, name in names.items() if name is not None}


def reference(platform: str | None = None) -> tuple[tuple[str, str, str], ...]:
    """Return (variable, default, meaning), for the documentation.

    Parameters
    ----------
    platform : str, optional
        For the variables of this platform's login alone; those of every service and login when
        absent.
    """
    logins = LOGINS.values() if platform is None else (LOGINS[Platform(platform)],)
    common = VARIABLES if platform is None else ()
    return tuple(
        (
            f"<PLATFORM>_{v.name}" if v.of_platform else v.name,
            "required" if v.default is None else v.default,
            _secrecy(v) + v.meaning,
        )
        for v in (*common, *itertools.chain.from_iterable(logins))
    )


def _secrecy(variable: Variable) -> str:
    if not variable.is_secret:
        return ""
    named = variable.also or f"{variable.name}_SECRET"
    return f"Secret; also {variable.name}_FILE, {named}. "


def _refuse_unknown(platform: Platform, environ: Mapping[str, str]) -> None:
    known = names_of(platform)
    prefixes = ("QPK_", f"{platform.upper()}_", *_MORE_PREFIXES.get(platform, ()))
    for name in sorted(environ):
        if name.startswith(prefixes) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(
                f"Unknown setting {name}.{hint} Remove it or correct its name: "
                "a service does not start with a setting it would ignore."
            )


def _refuse_bytes(platform: Platform, environ: Mapping[str, str]) -> None:
    for name in sorted(names_of(platform) & set(environ)):
        try:
            environ[name].encode()
        except UnicodeEncodeError:
            raise SettingsError(
                f"{name} is not text in UTF-8: neither a store nor a message could hold it. Set it "
                "again."
            ) from None


def _require_own_broker(platform: Platform, broker: str) -> None:
    if broker != platform:
        raise SettingsError(
            f"QPK_BROKER is {broker}, and this is the service of {platform}: expected simulated "
            f"or {platform}."
        )


def _refuse_contradiction(settings: Settings) -> None:
    mode = settings.execution_mode
    _require_one_choice(settings)
    _require_one_market(settings)
    if settings.simulator_control is not None and (
        settings.broker == SIMULATED or mode is ExecutionMode.LIVE
    ):
        raise SettingsError(
            "QPK_SIMULATOR_CONTROL is set, but the service does not trade through a simulator: "
            "that needs QPK_BROKER with the platform's name, and a mode that is not live. Remove "
            "it, or set the other two."
        )
    if settings.strategies_dir is not None and mode is not ExecutionMode.DRY_RUN:
        raise SettingsError(
            f"QPK_STRATEGIES_DIR is set and EXECUTION_MODE is {mode.value}: strategies of a folder "
            "may run in dry_run only. Remove one of the two, or install the strategy as a package."
        )


def _require_one_market(settings: Settings) -> None:
    """Refuse terms of a simulated account beside a real one: nothing would follow them."""
    terms = [name for field, name in settings.spellings.items() if field.startswith(SIMULATED)]
    if terms and not settings.is_simulated:
        raise SettingsError(
            f"{terms[0]} is set, and QPK_BROKER is {settings.broker}: only the simulated broker "
            "reads it. Remove one of the two."
        )


def _require_one_choice(settings: Settings) -> None:
    """Require one profile or a file of several; what belongs to one stands in the file then."""
    if settings.sleeves_path is None:
        if not settings.strategy_profile:
            raise SettingsError(
                "STRATEGY_PROFILE is not set: name the profile to run, see `qpk profiles`; or set "
                "QPK_SLEEVES_PATH to a file of several."
            )
        return
    alone = {
        "STRATEGY_PROFILE": settings.strategy_profile,
        "STRATEGY_CONFIG_PATH": settings.strategy_config_path,
        "FEATURE_SNAPSHOT_PATH": settings.feature_snapshot_path,
        "FEATURE_SNAPSHOT_MANIFEST_PATH": settings.feature_snapshot_manifest_path,
    }
    given = [name for name, value in alone.items() if value]
    if given:
        raise SettingsError(
            f"QPK_SLEEVES_PATH is set, and {given[0]} too: a file of sleeves says for each of them "
            "which profile, configuration and snapshot it has. Keep one of the two."
        )
