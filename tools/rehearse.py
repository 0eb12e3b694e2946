"""Rehearse a release and its rollback on a copy of this repository: real git, pip, services.

python -m tools.rehearse    # or `make rehearse`

A clone beside a bare remote goes through the commands of docs/release.md: a new kit, strategies on
it, the pins of every platform, each platform built from its pins and started. Then a kit that does
not start is released: the trial of its pins has to refuse it, and the pins go back. Nothing of this
repository is changed. The checks of a release are left out; `make check` runs them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from quant_platform_kit.errors import ReasonCode, ReleaseRefused
from quant_platform_kit.release import (
    Layout,
    Version,
    load_layout,
    pin,
    release,
    status,
    verify_pins,
)

ROOT: Final = Path(__file__).parents[1]
URL: Final = "https://git.invalid/rehearsal.git"
SERVED: Final = ("kit", "strategies")


def main() -> int:
    """Rehearse, print what each step took, and return 0 when all went as it must."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        copy = Path(folder) / "copy"
        with step("copy with a remote"):
            _copy(copy, Path(folder) / "remote.git")
        good = _raised(copy)
        for role in SERVED:
            with step(f"{role} {good[role]}"):
                _release(copy, role, good[role])
        with step("pins"):
            _pin(copy, good)
        layout = load_layout(copy)
        for place in layout.platforms:
            with step(f"{place.name} built from its pins, and started"):
                verify_pins(layout, place)
        broken = _break_kit(copy, good)
        with step(f"a broken kit {broken['kit']}, released and pinned"):
            _release(copy, "kit", broken["kit"])
            _pin(copy, broken)
        with step("its trial refuses it"):
            _require_refused(load_layout(copy))
        with step("pins back, and started"):
            _pin(copy, good)
            layout = load_layout(copy)
            verify_pins(layout, layout.platforms[0])
        mismatches = [each for each in status(layout).findings if each.weight == "mismatch"]
    for finding in mismatches:
        print(f"{finding.place}: {finding.text}")
    return 1 if mismatches else 0


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print what the block took."""
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)


def _copy(copy: Path, remote: Path) -> None:
    _git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(copy))
    _git(copy, "checkout", "--quiet", "-B", "main")
    _git(copy, "config", "user.name", "Rehearsal")
    _git(copy, "config", "user.email", "rehearsal@git.invalid")
    _git(copy, "init", "--quiet", "--bare", str(remote))
    _git(copy, "remote", "set-url", "origin", str(remote))
    path = copy / "release.toml"
    text = re.sub(r"(?m)^checks = .*$", f'url = "{URL}"', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    _save(copy, "Rehearse")


def _raised(copy: Path) -> dict[str, Version]:
    """Announce the next minor version of each package in its changelog, and return them."""
    raised = {}
    for each in status(load_layout(copy)).packages:
        if each.package.role in SERVED:
            version = Version(each.version.major, each.version.minor + 1, 0)
            _announce(copy / each.package.folder, version)
            raised[each.package.role] = version
    _save(copy, "Announce")
    return raised


def _announce(folder: Path, version: Version) -> None:
    path = folder / "CHANGELOG.md"
    text = path.read_text(encoding="utf-8")
    entry = f"# Changelog\n\n## {version}\n\n- Rehearsed.\n"
    path.write_text(text.replace("# Changelog\n", entry, 1), encoding="utf-8")


def _break_kit(copy: Path, good: dict[str, Version]) -> dict[str, Version]:
    """Let the service of the next version of the kit fail at its start."""
    kit = load_layout(copy).package("kit")
    version = Version(good["kit"].major, good["kit"].minor, good["kit"].patch + 1)
    _announce(copy / kit.folder, version)
    path = copy / kit.folder / "src" / "quant_platform_kit" / "service" / "__init__.py"
    path.write_text(
        f'{path.read_text(encoding="utf-8")}\nraise RuntimeError("broken")\n', encoding="utf-8"
    )
    _save(copy, "Break the service")
    return good | {"kit": version}


def _release(copy: Path, role: str, version: Version) -> None:
    head = _git(copy, "rev-parse", "HEAD")
    done = release(load_layout(copy), role, str(version), reviewed=head)
    _git(copy, *done.push.split()[3:])


def _pin(copy: Path, versions: dict[str, Version]) -> None:
    pin(load_layout(copy), {role: str(version) for role, version in versions.items()})
    _save(copy, "Pins of the platforms")


def _require_refused(layout: Layout) -> None:
    try:
        verify_pins(layout, layout.platforms[0])
    except ReleaseRefused as refusal:
        if refusal.code is ReasonCode.PIN_UNBOOTABLE:
            return
        raise
    raise SystemExit("A service that cannot start was found good.")


def _save(copy: Path, what: str) -> None:
    _git(copy, "add", "--all")
    _git(copy, "commit", "--quiet", "--message", what)


def _git(folder: Path, *arguments: str) -> str:
    command = ("/usr/bin/env", "git", *arguments)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (git)
    if done.returncode != 0:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
