"""The catalog of strategy profiles that the installed packages offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from quant_platform_kit.contracts import StrategyManifest
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.strategy._config import read_config
from quant_platform_kit.strategy._contract import StrategyConfig, StrategyModule
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._strategy import Strategy

_GROUP: Final = "quant_platform_kit.strategies"
_MEMBERS: Final = ("Config", "manifest", "decide")

_Entry = tuple[str, str, Callable[[], object]]
"""A profile's name, its module's name, and how to load the module."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile that can be run.

    Parameters
    ----------
    module_name : str
    module : StrategyModule
    manifest : StrategyManifest
        What it declares under its default configuration.
    """

    module_name: str
    module: StrategyModule
    manifest: StrategyManifest

    def configured(self, config: StrategyConfig) -> Strategy:
        """Return the profile under `config`, an instance of its own ``Config``.

        Raises
        ------
        SettingsError
            ``CONFIG_INVALID`` when the manifest cannot be made from `config`.
        """
        try:
            manifest = self.module.manifest(config)
        except ContractError as error:
            raise SettingsError(
                f"Profile {self.manifest.profile} cannot run under its configuration: {error}. "
                "Nothing was decided or traded; correct the configuration file.",
                code=ReasonCode.CONFIG_INVALID,
            ) from error
        return Strategy(self.module_name, config, manifest, self.module.decide)


@dataclass(frozen=True, slots=True)
class BrokenProfile:
    """A profile that is installed but cannot be loaded, and why."""

    name: str
    module_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every installed profile, by name; made by `load_catalog` or `Catalog.of`.

    Parameters
    ----------
    profiles : mapping of str to Profile
        By canonical name, ascending.
    aliases : mapping of str to str
        Canonical name by alias.
    broken : tuple of BrokenProfile
        Profiles that cannot be loaded; they do not stop the others.
    """

    profiles: Mapping[str, Profile]
    aliases: Mapping[str, str]
    broken: tuple[BrokenProfile, ...] = ()

    @classmethod
    def of(cls, modules: Mapping[str, StrategyModule]) -> Catalog:
        """Build a catalog from modules by profile name, without any installed package.

        Raises
        ------
        RefuseRun
            ``PROFILE_BROKEN`` when two modules claim one name or alias.
        """
        return _collect(
            (name, _module_name(module), partial(_same, module)) for name, module in modules.items()
        )

    def names(self) -> tuple[str, ...]:
        """Return the canonical names of the profiles that can be run, ascending."""
        return tuple(self.profiles)

    def find(self, name: str) -> Profile:
        """Return the profile called `name`, or having it as an alias.

        Raises
        ------
        RefuseRun
            ``PROFILE_UNKNOWN`` when nothing is called so, with the nearest names;
            ``PROFILE_BROKEN`` when it is installed but cannot be loaded.
        """
        profile = self.profiles.get(self.aliases.get(name, name))
        if profile is not None:
            return profile
        fault = next((fault for fault in self.broken if fault.name == name), None)
        raise self._unknown(name) if fault is None else _cannot_load(fault)

    def strategy(self, name: str, config_path: Path | None = None) -> Strategy:
        """Return the profile `name` under the configuration file, or under its defaults.

        Raises
        ------
        RefuseRun
            As `find`.
        SettingsError
            ``CONFIG_INVALID``, as `read_config` and `Profile.configured`.
        """
        profile = self.find(name)
        kind = profile.module.Config
        return profile.configured(kind() if config_path is None else read_config(kind, config_path))

    def _unknown(self, name: str) -> RefuseRun:
        known = (*self.profiles, *self.aliases, *(fault.name for fault in self.broken))
        near = " or ".join(get_close_matches(name, known))
        hint = f"Did you mean {near}?" if near else f"Known: {', '.join(self.names())}."
        return RefuseRun(
            f"No installed package offers a strategy profile {name!r}; nothing was decided or "
            f"traded. {hint} Correct STRATEGY_PROFILE or install the package that offers it.",
            code=ReasonCode.PROFILE_UNKNOWN,
        )


def load_catalog() -> Catalog:
    """Return the profiles of every installed package, found by their entry points.

    A package offers a profile with an entry point of the group ``quant_platform_kit.strategies``:
    the profile's name, and the module that implements it.

    Raises
    ------
    RefuseRun
        ``PROFILE_BROKEN`` when two modules claim one name or alias.
    """
    # A package that stands twice on the path does not compete with itself.
    found = {(entry.name, entry.value): entry for entry in entry_points(group=_GROUP)}
    return _collect((name, value, entry.load) for (name, value), entry in found.items())


def _collect(entries: Iterable[_Entry]) -> Catalog:
    claims: dict[str, tuple[str, str]] = {}
    profiles: dict[str, Profile] = {}
    broken: list[BrokenProfile] = []
    for name, module_name, load in sorted(entries, key=lambda entry: entry[:2]):
        _claim(claims, name, name, module_name)
        loaded = attempt(partial(_read, name, module_name, load))
        if isinstance(loaded, Failure):
            broken.append(BrokenProfile(name, module_name, str(loaded)))
            continue
        profiles[name] = loaded
        for alias in loaded.manifest.aliases:
            _claim(claims, alias, name, module_name)
    aliases = {claim: name for claim, (name, _) in claims.items() if claim != name}
    return Catalog(MappingProxyType(profiles), MappingProxyType(aliases), tuple(broken))


def _claim(claims: dict[str, tuple[str, str]], claim: str, name: str, module_name: str) -> None:
    _, other = claims.setdefault(claim, (name, module_name))
    if claims[claim] != (name, module_name):
        raise RefuseRun(
            f"Two strategy modules claim the name {claim!r}: {other} and {module_name}. Nothing "
            "was decided or traded, since it is unclear which one is meant; uninstall or rename "
            "one of them.",
            code=ReasonCode.PROFILE_BROKEN,
        )


def _read(name: str, module_name: str, load: Callable[[], object]) -> Profile:
    module = load()
    missing = [member for member in _MEMBERS if not callable(getattr(module, member, None))]
    if missing:
        raise ContractError(f"the module lacks {', '.join(missing)}")
    offered = cast("StrategyModule", module)
    config: object = offered.Config
    if not (isinstance(config, type) and issubclass(config, StrategyConfig)):
        raise ContractError("its Config is not a StrategyConfig")
    manifest: object = offered.manifest(offered.Config())
    if not isinstance(manifest, StrategyManifest):
        raise ContractError(f"manifest() answered a {type(manifest).__name__}")
    if manifest.profile != name:
        raise ContractError(f"it is registered as {name!r} but calls itself {manifest.profile!r}")
    return Profile(module_name, offered, manifest)


def _cannot_load(fault: BrokenProfile) -> RefuseRun:
    return RefuseRun(
        f"Profile {fault.name} ({fault.module_name}) cannot be loaded: {fault.why}. Nothing was "
        "decided or traded; repair or downgrade the package that offers it.",
        code=ReasonCode.PROFILE_BROKEN,
    )


def _module_name(module: StrategyModule) -> str:
    return str(getattr(module, "__name__", type(module).__name__))


def _same(module: StrategyModule) -> StrategyModule:
    return module
