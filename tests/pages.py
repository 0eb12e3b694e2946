"""Pages whose blocks are executed, in their order, as a reader would type them.

- ``bash`` runs, and has to end with 0, or with what ``<!-- exits 3 -->`` above it says. What it
  sets is set in the blocks after it, too.
- ``text`` is what the block before it prints, line by line: ``...`` stands for anything, and more
  may stand between the lines.
- ``<!-- meanwhile NAME -->`` is what happens elsewhere at that moment; the test says what it is.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

DOCS: Final = Path(__file__).parent.parent / "docs"
_BLOCK: Final = re.compile(
    r"<!-- meanwhile (?P<event>[\w ]+) -->"
    r"|(?:<!-- exits (?P<code>\d+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```",
    flags=re.DOTALL,
)
_SPOKEN: Final = {"bash", "text", "yaml", "toml"}
_NOTHING: Final[Mapping[str, Callable[[], None]]] = MappingProxyType({})


@dataclass
class Reader:
    """Somebody who types what pages say, in one folder.

    Parameters
    ----------
    folder : Path
    variables : dict of str to str
        What the shell has at first; what pages set is added.
    """

    folder: Path
    variables: dict[str, str]
    typed: list[str] = field(default_factory=list)

    def read(
        self,
        page: str,
        told: Mapping[str, str] | None = None,
        meanwhile: Mapping[str, Callable[[], None]] = _NOTHING,
    ) -> None:
        """Execute a page of `DOCS`; `told` are the reader's own values of its first block."""
        output = ""
        is_first = True
        for block in _BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
            if block["event"]:
                meanwhile[block["event"]]()
                continue
            assert block["kind"] in _SPOKEN, f"{page}: of which kind is\n{block['text']}"
            if block["kind"] == "text":
                expect_said(block["text"], output, page)
            if block["kind"] != "bash":
                continue
            code, output = self.run(block["text"])
            assert code == int(block["code"] or 0), f"{page}: {code}\n{block['text']}\n{output}"
            if is_first:
                self.variables |= told or {}
            is_first = False

    def run(self, commands: str) -> tuple[int, str]:
        """Type commands; return how the last one ended, and all that they printed."""
        self.typed.append(commands)
        kept = self.folder / ".variables"
        script = f"trap 'env -0 > {kept}' EXIT\nset -a\n{commands}"
        done = subprocess.run(
            ["/usr/bin/env", "bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        held = kept.read_text(encoding="utf-8").split("\0")
        kept.unlink()
        self.variables = dict(each.split("=", 1) for each in held if each)
        return done.returncode, done.stdout


def expect_said(shown: str, output: str, page: str = "") -> None:
    """Require every line that a page shows, in order; ``...`` stands for anything."""
    position = 0
    for line in shown.splitlines():
        words = (".*".join(map(re.escape, word.split("..."))) for word in line.split())
        found = re.compile(r"\s+".join(words)).search(output, position)
        assert found is not None, f"{page}: {line!r} is not in:\n{output[position:]}"
        position = found.end()
