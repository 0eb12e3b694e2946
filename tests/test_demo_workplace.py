"""The demo empties the folder it made, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo._errors import DemoError
from demo._workplace import workplace


def test_a_folder_is_made_and_emptied_for_each_run(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "output"
    with workplace(folder):
        (folder / "report.html").write_text("old")
        (folder / "state").mkdir()
        (folder / "state" / "book").write_text("old")

    with workplace(folder):
        assert [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")] == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    with workplace(tmp_path) as folder:
        assert folder == tmp_path


def test_a_folder_of_someone_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(DemoError, match="not made by the demo"), workplace(tmp_path):
        pass

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")

    with pytest.raises(DemoError, match="not made by the demo"), workplace(tmp_path / "file"):
        pass


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        workplace(tmp_path),
        pytest.raises(DemoError, match="Another demo is using"),
        workplace(tmp_path),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_named() -> None:
    folder = Path("/dev/null/output")

    with pytest.raises(DemoError, match=f"{folder} cannot be written: "), workplace(folder):
        pass
