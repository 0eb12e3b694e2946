"""The page for operators says what the commands and the limits file understand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from quant_platform_kit.cli._app import app
from quant_platform_kit.risk import load_limits

PAGE = (Path(__file__).parent.parent / "docs" / "steer-risk.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"qpk ([a-z-]+)", PAGE)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_page_exists(name: str) -> None:
    assert name in get_command(app).commands  # type: ignore[attr-defined]  # a group


@pytest.mark.parametrize("line", re.findall(r"^qpk (.*?)(?:  +#.*)?$", PAGE, flags=re.MULTILINE))
def test_every_command_of_the_page_is_read_as_it_is_written(line: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', line)
    command = get_command(app).commands[words[0]]  # type: ignore[attr-defined]  # a group
    command.make_context(words[0], [word.strip('"') for word in words[1:]])


def test_the_limits_of_the_page_can_be_read(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "limits.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_limits(path).portfolio.max_positions == 20
