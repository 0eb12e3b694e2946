"""A scratch copy of everything that is released: repositories, remotes, and a cloud of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.release import FILE, Layout, Version, load_layout

_URL: Final = "https://git.invalid/"
_OWN: Final = re.compile(r"(?m)^ +- name: (\w+_SECRET(_NAME)?|\w+_CONFIG_PATH|QPK_STATE_DIR)\n.*\n")
_CLOUD: Final = {
    "project": "drill",
    "images": "images.invalid/drill",
    "account": "service@drill.invalid",
    "caller": "scheduler@drill.invalid",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy; `root` is its folder of ``release.toml``."""

    root: Path

    @property
    def layout(self) -> Layout:
        """Its layout, as it is now."""
        return load_layout(self.root)

    def announce(self, role: str, version: Version) -> None:
        """Say in a package's changelog that there is a version, and commit that."""
        package = self.layout.package(role)
        path = package.repository / package.folder / "CHANGELOG.md"
        text = path.read_text(encoding="utf-8")
        entry = f"# Changelog\n\n## {version}\n\n- Drilled.\n"
        path.write_text(text.replace("# Changelog\n", entry, 1), encoding="utf-8")
        self.commit(f"Announce {package.name} {version}")

    def commit(self, message: str) -> None:
        """Commit whatever has changed, in every repository, and push it."""
        for repository in _repositories(self.layout):
            git(repository, "add", "--all")
            if git(repository, "status", "--porcelain"):
                git(repository, "commit", "--quiet", "--message", message)
            git(repository, "push", "--quiet", "origin", "HEAD")


def make_copy(layout: Layout, folder: Path, variables: Mapping[str, str]) -> Copy:
    """Clone every repository at its commit, each with a bare remote beside it.

    Parameters
    ----------
    layout : Layout
    folder : Path
        Gets the clones, side by side as they are, and the remotes.
    variables : mapping of str to str
        What the services of the copy are told, instead of names of secrets and of files.
    """
    repositories = _repositories(layout)
    base = Path(os.path.commonpath((layout.root, *repositories)))
    root = folder / "copy" / layout.root.relative_to(base)
    for number, repository in enumerate(repositories):
        clone = folder / "copy" / repository.relative_to(base)
        git(folder, "clone", "--quiet", "--no-tags", str(repository), str(clone))
        git(clone, "checkout", "--quiet", "-B", "main")
        git(clone, "config", "user.name", "Drill")
        git(clone, "config", "user.email", "drill@git.invalid")
        remote = folder / "remotes" / f"{number}-{clone.name}.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
        git(clone, "remote", "set-url", "origin", str(remote))
    if layout.root not in repositories:
        _copy_files(layout, root)
    document = tomllib.loads((layout.root / FILE).read_text(encoding="utf-8"))
    (root / FILE).write_text(_written(_of_drill(document)), encoding="utf-8")
    copy = Copy(root)
    for place in copy.layout.platforms:
        for path in place.path.glob("service*.yaml"):
            text = _OWN.sub("", path.read_text(encoding="utf-8"))
            path.write_text(text + "".join(_lines(variables)), encoding="utf-8")
    copy.commit("Drill")
    return copy


def git(folder: Path, *arguments: str) -> str:
    """Call git; a copy that cannot be made is a defect, and raises."""
    command = ("/usr/bin/env", "git", *arguments)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 (git)
    return done.stdout.strip()


def _repositories(layout: Layout) -> list[Path]:
    packages = {package.repository for package in layout.packages}
    return sorted(packages | {place.repository for place in layout.platforms})


def _copy_files(layout: Layout, root: Path) -> None:
    """Copy the files of a folder that holds repositories and is none."""
    root.mkdir(parents=True, exist_ok=True)
    for path in layout.root.iterdir():
        if path.is_file():
            shutil.copy2(path, root)


def _of_drill(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a drill must not use: checks, which take long, and the desk's own cloud."""
    for role, package in document["packages"].items():
        package.pop("checks", None)
        package["url"] = f"{_URL}{role if package['folder'] == '.' else 'desk'}.git"
    return document | {"cloud": _CLOUD, "snapshots": {}, "records": "records"}


def _written(document: Mapping[str, Any]) -> str:
    """Write TOML: tables of texts, lists and tables, which JSON's spelling fits."""
    plain = {key: value for key, value in document.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, table in document.items():
        if key in plain:
            continue
        if key in ("packages", "platforms"):
            for name, inner in table.items():
                lines += [f"[{key}.{name}]", *_pairs(inner)]
        else:
            lines += [f"[{key}]", *_pairs(table)]
    return "\n".join((*lines, ""))


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{name} = {json.dumps(text)}" for name, text in value.items())
            yield f"{key} = {{ {inner} }}"
        else:
            yield f"{key} = {json.dumps(value)}"


def _lines(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        yield f"            - name: {name}\n              value: {json.dumps(value)}\n"
