"""Whatever somebody types, `qpk` ends with its own exit code and one text that says what to do."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import MappingProxyType

import pytest
import typer
from typer.core import TyperGroup

from quant_platform_kit.cli import ExitCode
from quant_platform_kit.cli._app import app
from quant_platform_kit.cli._streams import standard_streams

Qpk = Callable[..., "CompletedProcess[str]"]
ON = ("-p", "schwab")
WHY = ("--why", "test", *ON)
NOTHING = MappingProxyType[str, str]({})
NO_TEXT = os.fsdecode(b"\xff")
FAR = "9999-12-31T23:59-23:00"  # beyond the last instant that Python knows, in UTC


def refused(done: CompletedProcess[str], code: ExitCode, said: str) -> None:
    told = " ".join(word for word in done.stderr.split() if word != "│")
    assert done.returncode == code, done.stderr
    assert said in told
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def shown(value: object) -> str:
    """Return the short name of a test's argument, in letters that every report can hold."""
    words = " ".join(value) if isinstance(value, tuple) else str(value)
    return ascii(words)[:40]


def commands(group: TyperGroup, *before: str) -> Iterator[tuple[str, ...]]:
    for name, each in group.commands.items():
        if isinstance(each, TyperGroup):
            yield from commands(each, *before, name)
        else:
            yield (*before, name)


WHOLE = typer.main.get_command(app)
assert isinstance(WHOLE, TyperGroup)


def test_no_command_overlooks_an_option_that_it_does_not_have(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for command in commands(WHOLE):
        with pytest.raises(SystemExit) as ended:
            WHOLE.main([*command, "--nosuch"], prog_name="qpk")
        done = CompletedProcess(command, int(ended.value.code or 0), *capfd.readouterr())
        refused(done, ExitCode.USAGE, f"Try 'qpk {' '.join(command)} --help' for help.")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run",), ExitCode.USAGE, "Missing option '--platform'"),
        (("run", "-p", "SCHWAB"), ExitCode.USAGE, "is not one of 'ibkr', 'schwab'"),
        (("run", *ON, "--slot", ""), ExitCode.USAGE, "expected a non-blank text"),
        (("run", *ON, "--slot", "a\nb"), ExitCode.USAGE, "expected letters, digits"),
        (("run", *ON, "--session", "2020-13-01"), ExitCode.USAGE, "expected a date such as"),
        (("show", "no such", *ON), ExitCode.NOT_FOUND, "`qpk show` lists the runs"),
        (("show", NO_TEXT, *ON), ExitCode.USAGE, "is not text in UTF-8"),
        (("explain", "", *ON), ExitCode.NOT_FOUND, "no order ''"),
        (("verify-evidence", "--head", "xyz", *ON), ExitCode.USAGE, "expected a hash"),
        (("verify-evidence", "--head", "ab", *ON), ExitCode.FAILED, "the evidence was changed"),
        (("halt", "--why", "a\x1b[31mb", *ON), ExitCode.USAGE, "one line of printable"),
        (("halt", *WHY, "--who", ""), ExitCode.USAGE, "who = ''"),
        (("resume", *WHY, "--until", "2020-03-31"), ExitCode.USAGE, "a time with its zone"),
        (("resume", *WHY, "--until", FAR), ExitCode.USAGE, "a time with its zone"),
        (("pause", "", *WHY), ExitCode.USAGE, "expected one of spy_macd_vixy"),
        (("set-bias", "sNaN", *WHY), ExitCode.USAGE, "a number from 0 to 1"),
        (("set-bias", "1e-999999", *WHY), ExitCode.USAGE, "at most six decimals"),
        (("audit", "--count", "0", *ON), ExitCode.USAGE, "greater than or equal to 1"),
        (("audit", "--count", "9" * 20, *ON), ExitCode.USAGE, "less than or equal to"),
        (("reconcile", "--accept", "spy", *WHY), ExitCode.USAGE, "expected an upper-case symbol"),
        (("close", "spy", *WHY, "--yes"), ExitCode.USAGE, "expected an upper-case symbol"),
        (("cancel", "", *WHY, "--yes"), ExitCode.USAGE, "expected a symbol or an order"),
        (("profiles", "--platforms", "/nosuch"), ExitCode.SETTINGS, "there is no such folder"),
        (("simulate", "futu"), ExitCode.USAGE, "is not one of 'ibkr', 'schwab'"),
        (("simulate", "ibkr", "--port", "65536"), ExitCode.USAGE, "--port"),
        (("simulate", "ibkr", "--cash", "1e999"), ExitCode.USAGE, "expected a number"),
        (("simulate", "ibkr", "--impact", "NaN"), ExitCode.USAGE, "expected a number"),
        (("simulate", "ibkr", "--account", ""), ExitCode.USAGE, "expected letters and digits"),
        (("simulate", "ibkr", "--start", FAR), ExitCode.USAGE, "a time with its zone"),
        (("simulate", "ibkr", "--login", "/dev/null"), ExitCode.USAGE, "--login /dev/null"),
        (("simulate", "ibkr", "--market", "/nosuch"), ExitCode.BLOCKED, "cannot be opened"),
        (("conform", "ibkr", "--card", "BRK-9"), ExitCode.USAGE, "there is no card BRK-9"),
        (("conform", "ibkr", "--json", "/dev"), ExitCode.USAGE, "--json /dev cannot be written"),
    ],
    ids=shown,
)
def test_an_argument_that_cannot_be_meant_is_refused(
    qpk: Qpk, arguments: tuple[str, ...], code: ExitCode, said: str
) -> None:
    refused(qpk(*arguments), code, said)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.json", "", "does not parse"),
        ("c.json", "[" * 100_000, "does not parse"),
        ("c.json", "[]", "is not an object of keys and values"),
        ("c.json", '{"signal_symbol": "AAPL", "signal_symbol": "IBM"}', "stands more than once"),
        ("c.toml", "signal_symbol =", "does not parse"),
        ("c.yaml", "signal_symbol: IBM", "ends neither in .json nor in .toml"),
        ("c.json", NO_TEXT, "it cannot be read"),
    ],
    ids=shown,
)
def test_a_configuration_that_cannot_be_read_is_named(
    qpk: Qpk, tmp_path: Path, name: str, content: str, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(os.fsencode(content))
    done = qpk("run", *ON, STRATEGY_CONFIG_PATH=str(path))
    refused(done, ExitCode.SETTINGS, said)
    assert str(path) in done.stderr


def test_a_configuration_may_begin_as_some_editors_begin_every_file(
    qpk: Qpk, tmp_path: Path
) -> None:
    symbols = {"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"}
    path = tmp_path / "marked.json"
    path.write_text(json.dumps(symbols), encoding="utf-8-sig")
    assert qpk("run", *ON, STRATEGY_CONFIG_PATH=str(path)).stdout.startswith("TRADED")


# ── The state folder ───────────────────────────────────────────────────────────────────


def _no_database(folder: Path) -> None:
    folder.mkdir()
    (folder / "paper.sqlite3").write_text("somebody's notes" * 100, encoding="utf-8")


def _a_folder(folder: Path) -> None:
    (folder / "paper.sqlite3").mkdir(parents=True)


def _a_file(folder: Path) -> None:
    folder.write_text("", encoding="utf-8")


@pytest.mark.parametrize("command", ["run", "halt --why test"])
@pytest.mark.parametrize("make", [_no_database, _a_folder, _a_file])
def test_a_state_folder_that_cannot_be_used_is_told_and_left_as_it_is(
    qpk: Qpk, tmp_path: Path, command: str, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "other"
    make(folder)
    before = [(path, path.stat().st_size) for path in (folder, *folder.rglob("*"))]
    done = qpk(*command.split(), *ON, QPK_STATE_DIR=str(folder))
    refused(done, ExitCode.BLOCKED, "cannot be")
    after = [(path, path.stat().st_size) for path in (folder, *folder.rglob("*"))]
    assert [each for each in after if each[0].name != "simulated-broker.jsonl"] == before


def test_what_is_steered_where_no_service_has_run_is_told(qpk: Qpk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    done = qpk("halt", *WHY, QPK_STATE_DIR=str(elsewhere))
    assert done.returncode == ExitCode.OK
    assert f"no run is known in {elsewhere}/paper.sqlite3" in done.stderr
    qpk("run", *ON)
    assert qpk("halt", *WHY).stderr == ""


# ── The streams ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[io.TextIOWrapper], None]]:
    """Return a function that puts a stream in the place of standard output."""
    put: list[io.TextIOWrapper] = []

    def replace(stream: io.TextIOWrapper) -> None:
        put.append(stream)
        monkeypatch.setattr(sys, "stdout", stream)

    yield replace
    for stream in put:
        stream.close()


Output = Callable[[io.TextIOWrapper], None]


def ended_with(code: ExitCode, text: str) -> object:
    def end() -> None:
        with standard_streams():
            sys.stdout.write(text)
            raise SystemExit(code)

    with pytest.raises(SystemExit) as ended:
        end()
    return ended.value.code


def test_a_reader_that_goes_away_changes_nothing(output: Output) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output(os.fdopen(writing, "w"))
    for code in (ExitCode.OK, ExitCode.BLOCKED):
        assert ended_with(code, "TRADED") == code


def test_an_answer_that_cannot_be_written_does_not_end_well(
    output: Output, capfd: pytest.CaptureFixture[str]
) -> None:
    output(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    assert ended_with(ExitCode.OK, "TRADED") == ExitCode.OUTPUT
    assert ended_with(ExitCode.FAILED, "FAILED") == ExitCode.FAILED
    said = "qpk: the answer cannot be written: No space left on device.\n"
    assert capfd.readouterr().err == said * 2


def test_a_terminal_that_knows_no_unicode_gets_the_rest(output: Output, tmp_path: Path) -> None:
    written = tmp_path / "screen"
    output(os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT), "w", encoding="ascii"))
    assert ended_with(ExitCode.OK, "★ default") == ExitCode.OK
    assert written.read_text() == "? default"


def test_json_is_unicode_whatever_the_terminal_speaks(qpk: Qpk, output: Output) -> None:
    output(os.fdopen(os.dup(1), "w", encoding="ascii"))
    assert "★" not in qpk("profiles").stdout
    icons = [each["icon"] for each in json.loads(qpk("profiles", "--json").stdout)["profiles"]]
    assert "📈" in icons


def test_a_command_that_has_nobody_to_ask_does_nothing(
    qpk: Qpk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as of a program whose caller closed it
    refused(qpk("flatten", *WHY), ExitCode.USAGE, "add --yes, there is nobody to ask")
