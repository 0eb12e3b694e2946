"""The catalog of strategy profiles that can be run here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Final, cast

from quant_platform_kit.contracts import ProfileStatus, StrategyManifest
from quant_platform_kit.errors import ContractError, ReasonCode, RefuseRun, SettingsError
from quant_platform_kit.strategy._config import read_config
from quant_platform_kit.strategy._contract import StrategyConfig, StrategyModule
from quant_platform_kit.strategy._drop_ins import find_drop_ins
from quant_platform_kit.strategy._isolation import Failure, attempt
from quant_platform_kit.strategy._load_report import LoadLine, LoadOutcome, LoadReport
from quant_platform_kit.strategy._offers import (
    Offer,
    dropped_in,
    forget_installed,
    given,
    installed,
)
from quant_platform_kit.strategy._pool import shared_pool
from quant_platform_kit.strategy._strategy import Strategy

_MEMBERS: Final = ("Config", "manifest", "decide")
_SETTING: Final = "STRATEGY_CONFIG_PATH, or by a sleeve's `config`"


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile that can be run.

    Parameters
    ----------
    module_name : str
    module : StrategyModule
    manifest : StrategyManifest
        What it declares under its default configuration.
    drop_in : bool
        Whether it is a file in a folder; its status is RESEARCH, whatever it says.
    """

    module_name: str
    module: StrategyModule
    manifest: StrategyManifest
    drop_in: bool = False

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
        manifest = _capped(manifest, drop_in=self.drop_in)
        return Strategy(self.module_name, config, manifest, self.module.decide)


@dataclass(frozen=True, slots=True)
class BrokenProfile:
    """A profile that is offered but cannot be loaded, and why."""

    name: str
    module_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every profile by name; made by `load_catalog` or `Catalog.of`.

    Parameters
    ----------
    profiles : mapping of str to Profile
        By canonical name, ascending.
    aliases : mapping of str to str
        Canonical name by alias.
    broken : tuple of BrokenProfile
        Profiles that cannot be loaded; they do not stop the others.
    report : LoadReport
        What became of each, who offers it and how long it took.
    """

    profiles: Mapping[str, Profile]
    aliases: Mapping[str, str]
    broken: tuple[BrokenProfile, ...] = ()
    report: LoadReport = field(default_factory=LoadReport, compare=False)

    @classmethod
    def of(cls, modules: Mapping[str, StrategyModule]) -> Catalog:
        """Build a catalog from modules by profile name, without any installed package.

        Raises
        ------
        RefuseRun
            ``PROFILE_BROKEN`` when two modules claim one name or alias.
        """
        return _collect(given(name, module) for name, module in modules.items())

    def names(self) -> tuple[str, ...]:
        """Return the canonical names of the profiles that can be run, ascending."""
        return tuple(self.profiles)

    def find(self, name: str) -> Profile:
        """Return the profile called `name`, or having it as an alias.

        Raises
        ------
        RefuseRun
            ``PROFILE_UNKNOWN`` when nothing is called so, with the nearest names;
            ``PROFILE_BROKEN`` when it is offered but cannot be loaded.
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
        if config_path is None:
            return profile.configured(kind())
        names = (profile.manifest.profile, *profile.manifest.aliases)
        return profile.configured(read_config(kind, config_path, _SETTING, names=names))

    def _unknown(self, name: str) -> RefuseRun:
        known = (*self.profiles, *self.aliases, *(fault.name for fault in self.broken))
        near = " or ".join(get_close_matches(name, known))
        hint = f"Did you mean {near}?" if near else f"Known: {', '.join(self.names())}."
        return RefuseRun(
            f"No installed package offers a strategy profile {name!r}; nothing was decided or "
            f"traded. {hint} Correct STRATEGY_PROFILE or install the package that offers it.",
            code=ReasonCode.PROFILE_UNKNOWN,
        )


def load_catalog(strategies_dir: Path | None = None) -> Catalog:
    """Return the profiles of every installed package, and of a folder of drop-in files.

    A package offers a profile with an entry point of the group ``quant_platform_kit.strategies``:
    the profile's name, and the module that implements it. A drop-in is such a module as one file;
    its status is RESEARCH whatever it says, and it is run anew at every call. Test, example and
    verification scripts and private files in the folder are left alone.

    Parameters
    ----------
    strategies_dir : Path, optional

    Raises
    ------
    RefuseRun
        ``PROFILE_BROKEN`` when two modules claim one name or alias; the message names both.
    SettingsError
        When `strategies_dir` is not a folder.
    """
    files, ignored = ((), ()) if strategies_dir is None else find_drop_ins(strategies_dir)
    catalog = _collect((*installed(), *dropped_in(files)))
    return replace(catalog, report=replace(catalog.report, ignored=ignored))


def reload_catalog(strategies_dir: Path | None = None) -> Catalog:
    """Return the catalog made of the code as it now stands on the disk.

    Strategies of an earlier catalog keep the code they were loaded with. Modules of the packages
    that offer profiles are imported again, and worker processes, which remember code, are ended.

    Raises
    ------
    RefuseRun, SettingsError
        As `load_catalog`.
    """
    shared_pool().close()
    forget_installed()
    return load_catalog(strategies_dir)


def _collect(offers: Iterable[Offer]) -> Catalog:
    claims: dict[str, tuple[str, str]] = {}
    profiles: dict[str, Profile] = {}
    broken: list[BrokenProfile] = []
    lines: list[LoadLine] = []
    for offer in sorted(offers, key=lambda offer: (offer.name, offer.module_name)):
        started = perf_counter()
        loaded = attempt(partial(_read, offer))
        seconds = Decimal(f"{perf_counter() - started:.6f}")
        name = offer.name if isinstance(loaded, Failure) else loaded.manifest.profile
        _claim(claims, name, name, offer)
        if isinstance(loaded, Failure):
            broken.append(BrokenProfile(name, offer.place, str(loaded)))
        else:
            profiles[name] = loaded
            for alias in loaded.manifest.aliases:
                _claim(claims, alias, name, offer)
        lines.append(_line(name, offer, loaded, seconds))
    aliases = {claim: name for claim, (name, _) in claims.items() if claim != name}
    return Catalog(
        MappingProxyType(dict(sorted(profiles.items()))),
        MappingProxyType(aliases),
        tuple(sorted(broken, key=lambda fault: fault.name)),
        LoadReport(tuple(sorted(lines, key=lambda line: line.profile))),
    )


def _line(name: str, offer: Offer, loaded: Profile | Failure, seconds: Decimal) -> LoadLine:
    failed = isinstance(loaded, Failure)
    return LoadLine(
        profile=name,
        module_name=offer.module_name,
        source=offer.source,
        outcome=LoadOutcome.FAILED if failed else LoadOutcome.LOADED,
        why=str(loaded) if failed else "",
        seconds=seconds,
    )


def _claim(claims: dict[str, tuple[str, str]], claim: str, name: str, offer: Offer) -> None:
    _, other = claims.setdefault(claim, (name, offer.place))
    if claims[claim] != (name, offer.place):
        raise RefuseRun(
            f"Two strategy modules claim the name {claim!r}: {other} and {offer.place}. Nothing "
            "was decided or traded, since it is unclear which one is meant; uninstall or rename "
            "one of them.",
            code=ReasonCode.PROFILE_BROKEN,
        )


def _read(offer: Offer) -> Profile:
    module = offer.load()
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
    if manifest.profile != offer.name and not offer.drop_in:
        raise ContractError(
            f"it is registered as {offer.name!r} but calls itself {manifest.profile!r}"
        )
    manifest = _capped(manifest, drop_in=offer.drop_in)
    return Profile(offer.module_name, offered, manifest, offer.drop_in)


def _capped(manifest: StrategyManifest, *, drop_in: bool) -> StrategyManifest:
    return replace(manifest, status=ProfileStatus.RESEARCH) if drop_in else manifest


def _cannot_load(fault: BrokenProfile) -> RefuseRun:
    return RefuseRun(
        f"Profile {fault.name} ({fault.module_name}) cannot be loaded: {fault.why}. Nothing was "
        "decided or traded; repair the file, or repair or downgrade the package, that offers it.",
        code=ReasonCode.PROFILE_BROKEN,
    )
