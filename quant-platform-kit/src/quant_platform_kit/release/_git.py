"""The one door to git."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release._run import call, last_words

_NO_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name for an empty folder
_NOT_THERE: Final = 128
# A remote that says nothing for half a minute is given up.
_PATIENT: Final = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30")
_DIFFERS: Final = 2


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on the disk."""

    path: Path

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self._git("rev-parse", "--verify", "HEAD")

    def branch(self) -> str | None:
        """Return the branch that is checked out; None when there is none."""
        return self._git("branch", "--show-current") or None

    def changes(self, folder: str = ".") -> list[str]:
        """Return the files that are changed, or not under version control."""
        lines = self._git("status", "--porcelain", "--", folder, strip=False).splitlines()
        return [line[3:] for line in lines]

    def edits(self) -> list[str]:
        """Return the files under version control that are not as they were committed."""
        return self._git("diff", "--name-only", "HEAD").splitlines()

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag."""
        shown = "%(refname:strip=2) %(*objectname) %(objectname)"
        lines = self._git("for-each-ref", f"--format={shown}", "refs/tags").splitlines()
        return {words[0]: words[1] for words in map(str.split, lines)}

    def has_remote(self, remote: str) -> bool:
        """Tell whether a remote of this name is known."""
        return remote in self._git("remote").split()

    def url(self, remote: str) -> str:
        """Return the address of a remote."""
        # Not `remote get-url`: it answers what this machine puts in its place.
        return self._git("config", "--get", f"remote.{remote}.url")

    def remote_tags(self, remote: str) -> dict[str, str]:
        """Return the commit of each tag that a remote has; none where there is no such remote."""
        if not self.has_remote(remote):
            return {}
        tags: dict[str, str] = {}
        for line in self._git(*_PATIENT, "ls-remote", "--tags", remote).splitlines():
            commit, name = line.split()
            # A tag with a message has two lines; the second, peeled one names the commit.
            tags[name.removeprefix("refs/tags/").removesuffix("^{}")] = commit
        return tags

    def subjects(self, since: str | None, until: str, folder: str) -> list[str]:
        """Return the commits after `since` that change a folder, newest first, a line each."""
        span = until if since is None else f"{since}..{until}"
        return self._git("log", "--format=%h %s", span, "--", folder).splitlines()

    def stray_whitespace(self, since: str | None, until: str, folder: str) -> list[str]:
        """Return what ``git diff --check`` finds in a folder after `since`."""
        base = _NO_TREE if since is None else since
        arguments = ("diff", "--check", base, until, "--", folder)
        found = self._git(*arguments, passing=(0, _DIFFERS))
        return [line for line in found.splitlines() if not line.startswith("+")]

    def author(self) -> str:
        """Return who commits here; empty when git does not know."""
        done = call(("git", "var", "GIT_AUTHOR_IDENT"), cwd=self.path, passing=(0, _NOT_THERE))
        return done.stdout.rpartition(" <")[2].partition(">")[0]

    def is_published(self, commit: str, remote: str) -> bool:
        """Tell whether a branch of a remote holds a commit, after asking the remote."""
        self._git(*_PATIENT, "fetch", "--quiet", remote)
        return bool(self._git("branch", "--remotes", "--list", f"{remote}/*", "--contains", commit))

    def behind(self, folder: Path) -> list[str]:
        """Return the files of a folder that the branch's remote has and that are not here.

        The remote is asked; one that does not answer is taken as it was last known. None where the
        branch has no remote, or there is no repository.
        """
        upstream = ("rev-parse", "--abbrev-ref", "@{upstream}")
        branch = self._git(*upstream, passing=(0, _NOT_THERE))
        if "/" not in branch:  # nothing, or the question again
            return []
        self._git(*_PATIENT, "fetch", "--quiet", passing=(0, 1, _NOT_THERE))
        listed = ("ls-tree", "-r", "--name-only", branch, "--", str(folder))
        names = self._git(*listed, passing=(0, _NOT_THERE)).splitlines()
        return [name for name in names if not (self.path / name).exists()]

    def text(self, commit: str, path: str) -> str | None:
        """Return a file as it was at a commit; None when there was none."""
        command = ("git", "show", f"{commit}:{_normal(path)}")
        done = call(command, cwd=self.path, passing=(0, _NOT_THERE))
        return done.stdout if done.returncode == 0 else None

    def files(self, commit: str, folder: str) -> list[str]:
        """Return the files that a folder had at a commit."""
        return self._git("ls-tree", "-r", "--name-only", commit, "--", folder).splitlines()

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Repository]:
        """Check a commit out into a folder of its own, which is gone after the block."""
        with tempfile.TemporaryDirectory(prefix="release-") as folder:
            path = Path(folder) / "tree"
            self._git("worktree", "add", "--quiet", "--detach", str(path), commit)
            try:
                yield Repository(path)
            finally:
                self._git("worktree", "remove", "--force", str(path))

    def check(self, command: str) -> None:
        """Run a check in this checkout.

        Raises
        ------
        ReleaseRefused
            ``RELEASE_CHECKS`` when it fails.
        """
        done = call(shlex.split(command), cwd=self.path, passing=range(256))
        if done.returncode != 0:
            raise ReleaseRefused(
                f"`{command}` failed on commit {self.head()}. No commit was kept and nothing was "
                f"tagged; correct it, commit, and try again. It said:\n{last_words(done)}",
                code=ReasonCode.RELEASE_CHECKS,
            )

    def commit(self, message: str) -> str:
        """Commit every change, and return the commit."""
        self._git("commit", "--quiet", "--all", "--message", message)
        return self.head()

    def advance(self, commit: str) -> None:
        """Move the branch that is checked out, and its files, forward to a commit."""
        self._git("merge", "--quiet", "--ff-only", commit)

    def make_tag(self, name: str, commit: str, message: str) -> None:
        """Make a tag; git refuses when there is one of this name."""
        self._git("tag", "--annotate", "--message", message, name, commit)

    def _git(self, *arguments: str, passing: tuple[int, ...] = (0,), strip: bool = True) -> str:
        command = ("git", *arguments)
        text = call(command, cwd=self.path, passing=passing).stdout
        return text.strip() if strip else text


def _normal(path: str) -> str:
    return Path(path).as_posix()
