"""Tags of a package, here and at its remote."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import NoReturn, Self

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Package
from quant_platform_kit.release._version import Version


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one package.

    Parameters
    ----------
    package : Package
    here, there : dict of Version to str
        The commit that each names, in the repository on the disk and at the remote.
    """

    package: Package
    here: dict[Version, str]
    there: dict[Version, str]

    @classmethod
    def of(cls, package: Package, *, ask: bool = True) -> Self:
        """Ask git, and the remote unless `ask` is False.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_TOOL`` when the remote does not answer.
        """
        repository = Repository(package.repository)
        there = repository.remote_tags(package.remote) if ask else {}
        return cls(package, _versions(package, repository.tags()), _versions(package, there))

    @property
    def newest(self) -> Version | None:
        """The highest version that has a tag anywhere."""
        return max((*self.here, *self.there), default=None)

    def commit_of(self, version: Version) -> str:
        """Return the commit of a tag that is here and at the remote, the same in both.

        Raises
        ------
        ReleaseRefused
            ``TAG_MISSING`` or ``TAG_MOVED``.
        """
        tag = self.package.tag_of(version)
        here, there = self.here.get(version), self.there.get(version)
        if here is None and there is None:
            known = ", ".join(self.package.tag_of(v) for v in sorted(self.here)) or "none"
            self._missing(
                f"{self.package.name} has no tag {tag}; its tags are: {known}. Release it first: "
                f"`qpk release {self.package.role} {version}`"
            )
        if there is None:
            self._missing(
                f"The tag {tag} was never pushed, so no service could be built from it. Push it: "
                f"`{push(self.package, version)}`"
            )
        if here is None:
            self._missing(
                f"The tag {tag} is at {self.package.remote} and not here. Fetch it: "
                f"`git -C {quote(str(self.package.repository))} fetch --tags "
                f"{self.package.remote}`"
            )
        if here != there:
            raise ReleaseRefused(
                f"The tag {tag} names commit {here} here and {there} at {self.package.remote}: "
                "somebody moved it. Nothing was done. Find out which one was released, put the tag "
                "back there, and release what is meant under a new version.",
                code=ReasonCode.TAG_MOVED,
            )
        return here

    def _missing(self, why: str) -> NoReturn:
        raise ReleaseRefused(f"{why}. Nothing was done.", code=ReasonCode.TAG_MISSING)


def push(package: Package, version: Version) -> str:
    """Return the command that publishes a version: its branch and its tag, both or neither."""
    return (
        f"git -C {quote(str(package.repository))} push --atomic {package.remote} HEAD "
        f"refs/tags/{package.tag_of(version)}"
    )


def _versions(package: Package, tags: dict[str, str]) -> dict[Version, str]:
    found = ((package.version_of(tag), commit) for tag, commit in tags.items())
    return {version: commit for version, commit in found if version is not None}
