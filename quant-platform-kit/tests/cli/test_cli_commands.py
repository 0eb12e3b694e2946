"""Groups of other packages join `qpk`, and a broken one leaves the others working."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest  # noqa: TC002 (read at run time, as Typer's are)
import typer
from typer.testing import CliRunner

from quant_platform_kit.cli import ExitCode, _commands


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, _commands.GROUP)


def with_groups(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> typer.Typer:
    monkeypatch.setattr(_commands, "entry_points", lambda **_: entries)
    app = typer.Typer()

    @app.command()
    def greet() -> None:
        typer.echo("hello")

    _commands.register(app)
    return app


def test_an_installed_group_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    app = with_groups(monkeypatch, entry("snapshot", "us_equity_snapshot_pipelines._command:app"))

    done = CliRunner().invoke(app, ["snapshot", "--help"])

    assert done.exit_code == 0
    assert "publish" in done.output


def test_a_group_that_cannot_be_imported_says_so_and_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = with_groups(monkeypatch, entry("broken", "no_such_package.commands:app"))

    told = CliRunner().invoke(app, ["broken"])

    assert told.exit_code == ExitCode.SETTINGS
    assert "no_such_package" in told.output
    assert "Reinstall the package" in told.output
    assert CliRunner().invoke(app, ["greet"]).output == "hello\n"
