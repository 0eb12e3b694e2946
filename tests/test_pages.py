"""Whoever reads pages notices when one does not do what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pages import Reader


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Return a reader in an empty folder."""
    return Reader(tmp_path, {"PATH": os.environ["PATH"]})


def page(reader: Reader, *blocks: str) -> str:
    path = reader.folder / "page.md"
    path.write_text("\n\n".join(blocks))
    return str(path)


def test_what_one_block_sets_the_next_one_has(reader: Reader) -> None:
    reader.read(
        page(reader, "```bash\nA=1 B='two words'\n```", '```bash\ntest "$B" = "two words"\n```')
    )


def test_a_reader_has_values_of_his_own_after_the_first_block(reader: Reader) -> None:
    reader.read(page(reader, "```bash\nA=1\n```", "```bash\ntest $A = 2\n```"), {"A": "2"})


def test_dots_stand_for_anything_within_a_line(reader: Reader) -> None:
    said = "```bash\nprintf 'version 7 of today\\nmore\\nend\\n'\n```"
    reader.read(page(reader, said, "```text\nversion ... today\nend\n```"))


@pytest.mark.parametrize("shown", ["two", "one\none", "three\none", "o.e"])
def test_a_line_that_is_not_printed_is_missed(reader: Reader, shown: str) -> None:
    with pytest.raises(AssertionError, match="is not in"):
        reader.read(page(reader, "```bash\nprintf 'one\\nthree\\n'\n```", f"```text\n{shown}\n```"))


@pytest.mark.parametrize("block", ["```bash\nexit 3\n```", "<!-- exits 3 -->\n```bash\ntrue\n```"])
def test_another_end_than_the_page_says_is_missed(reader: Reader, block: str) -> None:
    with pytest.raises(AssertionError):
        reader.read(page(reader, block))
    reader.read(page(reader, "<!-- exits 3 -->\n```bash\nexit 3\n```"))


def test_a_block_ends_at_its_first_failure(reader: Reader) -> None:
    with pytest.raises(AssertionError):
        reader.read(page(reader, "```bash\nfalse\ntrue\n```"))


def test_a_block_that_nobody_would_execute_is_refused(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="of which kind"):
        reader.read(page(reader, "```\nrm -rf everything\n```"))


def test_what_happens_elsewhere_happens_in_its_place(reader: Reader) -> None:
    marker = reader.folder / "there"
    blocks = ("<!-- meanwhile somebody writes -->", f"```bash\ntest -e {marker}\n```")
    reader.read(page(reader, *blocks), meanwhile={"somebody writes": marker.touch})
