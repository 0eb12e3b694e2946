"""A version of one package: checked, committed, tested on that commit, and tagged."""

from __future__ import annotations

from dataclasses import dataclass

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._git import Repository
from quant_platform_kit.release._layout import Layout, Package
from quant_platform_kit.release._source import Source, bump, source_at
from quant_platform_kit.release._tags import Tags, push
from quant_platform_kit.release._version import Version

_SHORTEST: int = 7  # characters that name a commit


@dataclass(frozen=True, slots=True)
class Released:
    """A version that was tagged, and how it is published.

    Parameters
    ----------
    tag, commit : str
    needs : dict of str to Version
        The other packages of ours that it was moved to.
    push : str
        The command that publishes it; nothing is pushed without a person.
    """

    tag: str
    commit: str
    needs: dict[str, Version]
    push: str


def release(
    layout: Layout,
    role: str,
    text: str,
    *,
    reviewed: str | None = None,
    needs: dict[str, str] | None = None,
) -> Released:
    """Release a version of a package.

    The commit of the new version is made and tested in a checkout of its own. The branch moves
    to it, and the tag is made, after every check has passed: what is refused changes nothing.

    Parameters
    ----------
    layout : Layout
    role : str
        ``kit``, ``strategies``, …
    text : str
        The version.
    reviewed : str, optional
        The commit up to which somebody has read everything.
    needs : dict of str to str, optional
        Versions of earlier packages, by role; their newest tags when left out.

    Raises
    ------
    ReleaseRefused
        With a code of its own for each mistake.
    """
    package, version = layout.package(role), Version.parse(text)
    repository, tags = Repository(package.repository), Tags.of(package)
    _require_quiet(repository)
    head = repository.head()
    source = source_at(package, head)
    _require_new(tags, source, version)
    _require_entry(package, source, version)
    base = None if tags.newest is None else tags.here.get(tags.newest)
    _require_clean_text(repository, package, base, head)
    moved = _moved(layout, package, source, needs or {})
    _require_review(repository, package, base, head, reviewed)
    commit = _tested(repository, package, source, version, moved)
    if commit != head:
        repository.advance(commit)
    tag = package.tag_of(version)
    repository.make_tag(tag, commit, f"{package.name} {version}")
    return Released(tag, commit, moved, push(package, version))


def _require_quiet(repository: Repository) -> None:
    changed = repository.changes()
    if changed:
        raise ReleaseRefused(
            f"{repository.path} has changes that are not committed: {', '.join(changed[:5])}. What "
            "would be tagged is not what lies here. Nothing was done; commit them, or put them "
            "aside with `git stash --include-untracked`.",
            code=ReasonCode.RELEASE_TREE,
        )
    if repository.branch() is None:
        raise ReleaseRefused(
            f"{repository.path} is on no branch, and the commit of a version would be lost. "
            "Nothing was done; check a branch out.",
            code=ReasonCode.RELEASE_TREE,
        )


def _require_new(tags: Tags, source: Source, version: Version) -> None:
    package, tag = tags.package, tags.package.tag_of(version)
    if version in tags.here or version in tags.there:
        where = "here" if version in tags.here else f"at {package.remote}"
        raise ReleaseRefused(
            f"The tag {tag} exists already, {where}. Tags are never moved or used again, and "
            "nothing was done; release a higher version.",
            code=ReasonCode.TAG_EXISTS,
        )
    least = max(filter(None, (tags.newest, source.version)))
    if version < least:
        raise ReleaseRefused(
            f"{package.name} is at {least} already, and {version} is lower. Nothing was done; "
            "release a higher version, also to go back: its changelog says what it takes away.",
            code=ReasonCode.RELEASE_VERSION,
        )


def _require_entry(package: Package, source: Source, version: Version) -> None:
    if not source.has_entry(version):
        raise ReleaseRefused(
            f"CHANGELOG.md of {package.name} says nothing about {version}. Nothing was done; write "
            f"what changed under `## {version}`, a line starting with `- ` each, and commit it.",
            code=ReasonCode.RELEASE_CHANGELOG,
        )


def _require_clean_text(
    repository: Repository, package: Package, base: str | None, head: str
) -> None:
    found = repository.stray_whitespace(base, head, package.folder)
    if found:
        raise ReleaseRefused(
            f"`git diff --check` finds stray whitespace in {package.name}: {'; '.join(found[:5])}. "
            "Nothing was done; remove it, and commit.",
            code=ReasonCode.RELEASE_WHITESPACE,
        )


def _require_review(
    repository: Repository, package: Package, base: str | None, head: str, reviewed: str | None
) -> None:
    if reviewed is not None and len(reviewed) >= _SHORTEST and head.startswith(reviewed):
        return
    commits = repository.subjects(base, head, package.folder)
    listed = "\n".join(f"  {line}" for line in commits) or "  none"
    other = "" if reviewed is None else f" {reviewed!r} is not the commit that is checked out."
    raise ReleaseRefused(
        f"Nothing was done yet.{other} Commits of {package.name} since its last tag:\n{listed}\n"
        f"Read them; then say so with `--reviewed {head[:12]}`.",
        code=ReasonCode.RELEASE_REVIEW,
    )


def _moved(
    layout: Layout, package: Package, source: Source, needs: dict[str, str]
) -> dict[str, Version]:
    """Return the versions of earlier packages that this one is moved to, each a tag."""
    earlier = layout.packages[: layout.packages.index(package)]
    for role in needs.keys() - {other.role for other in earlier}:
        raise ReleaseRefused(f"{package.name} does not depend on {role!r}. Nothing was done.")
    moved = {}
    for other in earlier:
        if source.range_of(other) is None:
            continue
        tags = Tags.of(other)
        wanted = Version.parse(needs[other.role]) if other.role in needs else tags.newest
        if wanted is None:
            wanted = source_at(other, Repository(other.repository).head()).version
        tags.commit_of(wanted)
        moved[other.name] = wanted
    return moved


def _tested(
    repository: Repository,
    package: Package,
    source: Source,
    version: Version,
    needs: dict[str, Version],
) -> str:
    """Return the commit of the version, after its checks passed on it."""
    with repository.worktree(repository.head()) as tree:
        bump(tree.path / package.folder, source, version, needs)
        if tree.changes():
            tree.commit(f"{package.name} {version}")
        commit = tree.head()
        for command in package.checks:
            tree.check(command)
        changed = tree.edits()
    if changed:
        raise ReleaseRefused(
            f"The checks of {package.name} changed files that are under version control: "
            f"{', '.join(changed[:5])}. What they tested is not what would be tagged, and nothing "
            "was; correct the check, or commit what it writes.",
            code=ReasonCode.RELEASE_CHECKS,
        )
    return commit
