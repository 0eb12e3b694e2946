"""Write the reference page and the chart of every profile, or check that they are up to date.

python -m tools.profiles            # write docs/reference/profiles/
python -m tools.profiles --check    # exit code 1 when a page differs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.profiles._files import ROOT, files

FOLDER = ROOT / "docs" / "reference" / "profiles"


def main(arguments: Sequence[str]) -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.profiles")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(arguments).check
    wanted = files()
    there = {path.name: path for path in FOLDER.glob("*")} if FOLDER.exists() else {}
    stale = sorted(
        name
        for name in {*wanted, *there}
        if name not in there or there[name].read_text(encoding="utf-8") != wanted.get(name)
    )
    if check:
        for name in stale:
            sys.stderr.write(
                f"docs/reference/profiles/{name} is not what the code says: run `make docs`\n"
            )
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            there[name].unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
