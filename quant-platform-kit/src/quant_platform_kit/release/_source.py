"""What a package's own files say of it, at a commit or on the disk."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Package
from quant_platform_kit.release._version import Range, Version

Read = Callable[[str], str | None]
"""Returns the text of a file of the package; None when there is none."""

_METADATA: Final = "pyproject.toml"
_CHANGELOG: Final = "CHANGELOG.md"
_ASSIGNED: Final = r'(?m)^(__version__ = )"([^"\n]*)"$'
_REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[(?P<extras>[^\]]*)\])?\s*(?P<rest>[^;]*)(;.*)?"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A line that asks for a package."""

    name: str
    extras: tuple[str, ...]
    versions: str

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read ``name[extra]>=1,<2``."""
        found = _REQUIREMENT.fullmatch(text.strip())
        if found is None:
            raise ReleaseRefused(f"{text!r} is no requirement. Nothing was done; correct it.")
        extras = (found["extras"] or "").split(",")
        name = normal(found["name"])
        return cls(name, tuple(e.strip() for e in extras if e.strip()), found["rest"].strip())


@dataclass(frozen=True, slots=True)
class Source:
    """What a package says of itself.

    Parameters
    ----------
    version : Version
    version_file : str
        Where its version is written.
    changelog : str
    metadata : mapping
        Its ``pyproject.toml``.
    """

    version: Version
    version_file: str
    changelog: str
    metadata: Mapping[str, Any]

    def requirements(self, extras: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the requirements of the package, and of its extras."""
        project = self.metadata["project"]
        asked = list(project.get("dependencies", []))
        for extra in extras:
            more = project.get("optional-dependencies", {}).get(extra)
            if more is None:
                raise ReleaseRefused(
                    f"{project['name']} {self.version} has no extra {extra!r}. Nothing was pinned; "
                    "correct requirements.in, or release the version that has it first.",
                    code=ReasonCode.PIN_RANGE,
                )
            asked += more
        return tuple(asked)

    def build_requirements(self) -> tuple[str, ...]:
        """Return what building the package needs."""
        return tuple(self.metadata.get("build-system", {}).get("requires", ()))

    def range_of(self, package: Package) -> Range | None:
        """Return the versions of another package of ours that this one takes.

        None when it does not depend on it.

        Raises
        ------
        ReleaseRefused
            ``PIN_RANGE`` when they are not written as ``>=1.2.3,<1.3``.
        """
        for text in self.requirements():
            asked = Requirement.parse(text)
            if asked.name == package.name:
                found = Range.parse(asked.versions)
                if found is None:
                    raise _odd_range(package, text)
                return found
        return None

    def has_entry(self, version: Version) -> bool:
        """Tell whether the changelog says something about a version."""
        return any(line.lstrip().startswith("- ") for line in self._entry(version))

    def _entry(self, version: Version) -> Iterator[str]:
        lines = iter(self.changelog.splitlines())
        for line in lines:
            if line.split()[:2] == ["##", str(version)]:
                break
        for line in lines:
            if line.startswith("## "):
                return
            yield line


def source_at(package: Package, commit: str) -> Source:
    """Return what a package says of itself at a commit.

    Raises
    ------
    ReleaseRefused
        ``RELEASE_LAYOUT`` when it is no package there.
    """
    repository = Repository(package.repository)
    return _read(
        package, lambda name: repository.text(commit, f"{package.folder}/{name}"), f"at {commit}"
    )


def source_on_disk(package: Package) -> Source:
    """Return what a package says of itself on the disk.

    Raises
    ------
    ReleaseRefused
        As `source_at`.
    """
    folder = package.repository / package.folder

    def text(name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    return _read(package, text, "on the disk")


def bump(folder: Path, source: Source, version: Version, needs: Mapping[str, Version]) -> None:
    """Write a version, and the least versions of other packages of ours, into a package's files.

    Parameters
    ----------
    folder : Path
    source : Source
        What the files say before.
    version : Version
    needs : mapping of str to Version
        By the name of a distribution.
    """
    path = folder / source.version_file
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(_ASSIGNED, rf'\g<1>"{version}"', text), encoding="utf-8")
    path = folder / _METADATA
    text = path.read_text(encoding="utf-8")
    for name, least in needs.items():
        declared = rf'("{re.escape(name)}(\[[^\]"]*\])?)>=[^"]*"'
        text = re.sub(declared, rf'\g<1>{Range.around(least)}"', text)
    path.write_text(text, encoding="utf-8")


def normal(name: str) -> str:
    """Return a distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read(package: Package, read: Read, where: str) -> Source:
    text = read(_METADATA)
    if text is None:
        raise ReleaseRefused(f"{package.name} has no {_METADATA} {where}. Nothing was done.")
    metadata = tomllib.loads(text)
    version_file = _version_file(package, metadata)
    found = re.search(_ASSIGNED, read(version_file) or "")
    if found is None:
        raise ReleaseRefused(
            f'{package.name}: {version_file} has no line __version__ = "…" {where}. Nothing was '
            "done; write one.",
            code=ReasonCode.RELEASE_VERSION,
        )
    return Source(Version.parse(found[2]), version_file, read(_CHANGELOG) or "", metadata)


def _version_file(package: Package, metadata: Mapping[str, Any]) -> str:
    tools = metadata.get("tool", {}).get("setuptools", {})
    try:
        module = tools["dynamic"]["version"]["attr"].removesuffix(".__version__")
    except KeyError:
        raise ReleaseRefused(
            f"{package.name}: its pyproject.toml does not say where its version is. Nothing was "
            'done; write [tool.setuptools.dynamic] version = { attr = "….__version__" }.'
        ) from None
    (where, *_) = tools.get("packages", {}).get("find", {}).get("where", ["."])
    return str(PurePosixPath(where, *module.split("."), "__init__.py"))


def _odd_range(package: Package, text: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{text!r} does not say which versions of {package.name} are taken: expected a range such "
        "as >=1.2.3,<1.3. Nothing was done; correct pyproject.toml and release again.",
        code=ReasonCode.PIN_RANGE,
    )
