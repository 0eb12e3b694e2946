"""A desk in small: two packages and two platforms in real repositories, each with a bare remote.

Everything that a release calls is real: git, pip, uv, processes and sockets, and the services are
this product's own. Only its packages are small: installers find what they would ask an index for in
a folder of wheels, and the library there lends the environments that are built the kit, the
strategies and all that they need.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

from quant_platform_kit.bundle import running_python
from quant_platform_kit.release import Layout, Released, load_layout, release

URL = "https://git.invalid/"
PLATFORM_FILES = Path(__file__).parents[1] / "platforms"

BACKEND = r"""
import pathlib, re, zipfile

WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

def build_wheel(wheels, settings=None, metadata=None):
    project = pathlib.Path("pyproject.toml").read_text()
    name = re.search(r'(?m)^name = "(.*)"', project)[1]
    module = name.replace("-", "_")
    (source,) = pathlib.Path("src").glob("*/__init__.py")
    version = re.search(r'__version__ = "(.*)"', source.read_text())[1]
    needs = re.search(r"(?ms)^dependencies = \[(.*?)\]", project)[1]
    info = f"{module}-{version}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    for need in re.findall(r'"([^"]+)"', needs):
        meta += f"Requires-Dist: {need}\n"
    wheel = f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheels, wheel), "w") as made:
        made.writestr(f"{module}/__init__.py", source.read_text())
        made.writestr(f"{info}/METADATA", meta)
        made.writestr(f"{info}/WHEEL", WHEEL)
        made.writestr(f"{info}/RECORD", "")
    return wheel
"""

PACKAGES = {"kit": "mini-kit", "strategies": "mini-strategies"}
SERVICES = {
    "ibkr": ("rebalancer-ibkr",),
    "longbridge": ("rebalancer-longbridge-hk", "rebalancer-longbridge-sg"),
}
PROFILE = "spy_macd_vixy"
RANKED = "mega_cap_leader_rotation"
CONFIGS = {
    PROFILE: {
        "signal_symbol": "AAPL",
        "risk_symbol": "GOOG",
        "hedge_symbol": None,
        "benchmark": "IBM",
    },
    RANKED: {
        "universe": ["AAPL", "FB", "GOOG"],
        "benchmark": "IBM",
        "broad_benchmark": "MSFT",
        "safe_haven": None,
        "holdings": 2,
    },
}
"""Profiles and what they read of the embedded sample: prices, and a snapshot of 2013-02-28."""
REGIONS = {"ibkr": "us-east4", "longbridge": "asia-east1"}
PLATFORMS = tuple(SERVICES)


@dataclass(frozen=True)
class Desk:
    """The folder of release.toml and what lies under it."""

    root: Path
    siblings: bool

    @property
    def layout(self) -> Layout:
        return load_layout(self.root)

    def repository(self, name: str) -> Path:
        return self.root / name if self.siblings else self.root

    def folder(self, name: str) -> Path:
        """Return a package's or a platform's folder."""
        if self.siblings or name not in PLATFORMS:
            return self.root / name
        return self.root / "platforms" / name

    def tag(self, role: str, version: str) -> str:
        return f"v{version}" if self.siblings else f"{PACKAGES[role]}-v{version}"

    def git(self, name: str, *arguments: str) -> str:
        return git(self.repository(name), *arguments)

    def head(self, name: str) -> str:
        return self.git(name, "rev-parse", "HEAD")

    def write(self, name: str, file: str, text: str, *, commit: bool = True) -> None:
        """Write a file of a package or platform."""
        (self.folder(name) / file).write_text(text, encoding="utf-8")
        if commit:
            self.git(name, "add", "--all")
            self.git(name, "commit", "--quiet", "--message", f"change {file}")

    def announce(self, role: str, version: str) -> None:
        """Say in the changelog what a version brings."""
        name = PACKAGES[role]
        text = (self.folder(name) / "CHANGELOG.md").read_text(encoding="utf-8")
        self.write(name, "CHANGELOG.md", text.replace("# Changelog\n", entry(version), 1))

    def release(self, role: str, version: str, *, push: bool = True, **options: object) -> Released:
        """Release a version that was read, and publish it."""
        reviewed = self.head(PACKAGES[role])
        done = release(self.layout, role, version, reviewed=reviewed, **options)  # type: ignore[arg-type]
        if push:
            subprocess.run(shlex.split(done.push), check=True, capture_output=True)
        return done

    def release_both(self, version: str = "0.1.0") -> None:
        for role in PACKAGES:
            if version != "0.1.0":
                self.announce(role, version)
            self.release(role, version)

    def commit_platforms(self) -> None:
        """Commit what pinning wrote, and publish it."""
        for path in sorted({self.repository(name) for name in PLATFORMS}):
            git(path, "add", "--all")
            git(path, "commit", "--quiet", "--message", "Pins of the platforms")
            git(path, "push", "--quiet", "origin", "main")

    def refs(self) -> dict[str, str]:
        """Return everything that a release could change: branches, tags, worktrees, files."""
        seen = {}
        for name in (*PACKAGES.values(), *PLATFORMS):
            path = self.repository(name)
            seen[str(path)] = git(path, "for-each-ref") + git(path, "status", "--porcelain")
            seen[str(path)] += git(path, "worktree", "list") + git(path, "rev-parse", "HEAD")
        return seen


def git(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("/usr/bin/env", "git", *arguments), cwd=path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def entry(version: str) -> str:
    return f"# Changelog\n\n## {version}\n\n- Better.\n"


def metadata(name: str, needs: str) -> str:
    module = name.replace("-", "_")
    return (
        '[build-system]\nrequires = ["tinybuild>=1"]\nbuild-backend = "tinybuild"\n\n'
        f'[project]\nname = "{name}"\ndynamic = ["version"]\ndependencies = [{needs}]\n\n'
        '[project.optional-dependencies]\nibkr = ["tinysdk>=1"]\n\n'
        f'[tool.setuptools.dynamic]\nversion = {{ attr = "{module}.__version__" }}\n\n'
        '[tool.setuptools.packages.find]\nwhere = ["src"]\n'
    )


def wheel(folder: Path, name: str, version: str, **files: str) -> None:
    """Write a wheel of one module, and of further files by the ends of their names."""
    info = f"{name}-{version}.dist-info"
    contents = {f"{name}.py": "", **{f"{name}.{end}": text for end, text in files.items()}}
    if "scripts" in files:
        contents[f"{info}/entry_points.txt"] = contents.pop(f"{name}.scripts")
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*contents, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as made:
        for path, text in contents.items():
            made.writestr(path, text)


def make_wheelhouse(folder: Path, library: str = "") -> None:
    """Fill a folder with what installers would ask an index for."""
    wheel(folder, "tinybuild", "1.0", py=BACKEND)
    lent = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    script = "[console_scripts]\ngunicorn = gunicorn.app.wsgiapp:run\n"
    for version in ("1.0", "1.1"):
        wheel(folder, "tinylib", version, py=library, pth=lent, scripts=script)
    wheel(folder, "tinysdk", "1.0")


def world(wheelhouse: Path) -> dict[str, str]:
    """Return variables that give git an author, installers the wheels alone, and us a cache."""
    people = {
        f"GIT_{who}_{what}": "desk@desk.invalid"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return people | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(wheelhouse),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheelhouse),
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "XDG_CACHE_HOME": str(wheelhouse.with_name("cache")),
    }


def make_desk(root: Path, *, siblings: bool) -> Desk:
    desk = Desk(root, siblings)
    root.mkdir(parents=True)
    (root / "constraints.txt").write_text("tinylib==1.0\n")
    (root / "release.toml").write_text(_release_toml(desk))
    (root / ".gitignore").write_text("__pycache__/\n")
    door = root / "release.sh"
    door.write_text(f'#!/bin/sh\nexec {Path(sys.executable).with_name("qpk")} release "$@"\n')
    door.chmod(0o755)
    root.with_name("configs").mkdir()
    for profile, config in CONFIGS.items():
        config_of(root, profile).write_text(json.dumps(config))
    _write_package(desk, "mini-kit", '"tinylib>=1"')
    _write_package(desk, "mini-strategies", '"mini-kit>=0.1.0,<0.2"')
    for name in PLATFORMS:
        folder = desk.folder(name)
        left = shutil.ignore_patterns("__pycache__", "bundle.json", "*.lock", "requirements.*")
        shutil.copytree(PLATFORM_FILES / name, folder, ignore=left)
        main = folder / "main.py"
        main.write_text(
            main.read_text().replace("\nfrom quant", "\nimport mini_kit\nfrom quant", 1)
        )
        for path in folder.glob("service*.yaml"):
            path.write_text(_at_home(path.read_text(), name, root, path.stem))
        extra = "[ibkr]" if name == "ibkr" else ""
        (folder / "requirements.in").write_text(f"mini-kit{extra}\nmini-strategies\n")
    repositories = {desk.repository(name) for name in (*PACKAGES.values(), *PLATFORMS)}
    for path in sorted(repositories):
        remote = root.with_name("remotes") / f"{path.name}.git"
        git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
        git(path, "init", "--quiet", "--initial-branch=main")
        # A desk may be copied, remotes and all.
        git(path, "remote", "add", "origin", os.path.relpath(remote, path))
        git(path, "add", "--all")
        git(path, "commit", "--quiet", "--message", "Begin")
        git(path, "push", "--quiet", "--set-upstream", "origin", "main")
    return desk


def _at_home(definition: str, platform: str, root: Path, service: str) -> str:
    """Let a service keep its account in a folder, tell nobody, and run what the sample can feed."""
    plain = re.sub(r"(?m)^ +- name: QPK_(STORE|NOTIFY)_URLS?_SECRET\n.*\n", "", definition)
    plain = plain.replace("value: global_etf_rotation", f"value: {PROFILE}")
    more = {
        "QPK_STATE_DIR": root.with_name("state") / f"{platform}-{service}",
        f"{platform.upper()}_STRATEGY_CONFIG_PATH": config_of(root, PROFILE),
    }
    return plain + "".join(
        f"            - name: {name}\n              value: {value}\n"
        for name, value in more.items()
    )


def config_of(root: Path, profile: str) -> Path:
    """Return where a profile's configuration for the embedded sample lies."""
    return root.with_name("configs") / f"{profile}.json"


def _write_package(desk: Desk, name: str, needs: str) -> None:
    folder = desk.folder(name)
    source = folder / "src" / name.replace("-", "_")
    source.mkdir(parents=True)
    (source / "__init__.py").write_text('"""Small."""\n\n__version__ = "0.1.0"\n')
    (folder / "pyproject.toml").write_text(metadata(name, needs))
    (folder / "CHANGELOG.md").write_text(entry("0.1.0"))
    (folder / "check.sh").write_text("exit 0\n")


def _release_toml(desk: Desk) -> str:
    text = (
        f'python = "{running_python()}"\nconstraints = "constraints.txt"\n\n[cloud]\n'
        'project = "desk"\nimages = "images.invalid/desk"\n'
        'account = "runner@desk.invalid"\ncaller = "caller@desk.invalid"\n'
    )
    for role, name in PACKAGES.items():
        repository, folder = (name, ".") if desk.siblings else (".", name)
        address = f"{URL}{name if desk.siblings else 'desk'}.git"
        text += (
            f'\n[packages.{role}]\nname = "{name}"\nrepository = "{repository}"\n'
            f'folder = "{folder}"\ntag = "{desk.tag(role, "{version}")}"\nurl = "{address}"\n'
            f'checks = ["sh {folder}/check.sh"]\n'
        )
    for name in PLATFORMS:
        repository, folder = (name, ".") if desk.siblings else (".", f"platforms/{name}")
        text += (
            f'\n[platforms.{name}]\nrepository = "{repository}"\nfolder = "{folder}"\n'
            f'services = {json.dumps(SERVICES[name])}\nregion = "{REGIONS[name]}"\n'
            f'environment = {{ STRATEGY_PROFILE = "{PROFILE}", EXECUTION_MODE = "dry_run" }}\n'
        )
    return text
