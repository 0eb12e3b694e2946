"""Starting: what is wrong stops it and is named; what is heavy waits for the first run."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

PLATFORMS = Path(__file__).parents[3] / "platforms"
ACCOUNT = "U" + "7733119"
MAKE = "from quant_platform_kit.service import create_app as c; c('ibkr').test_client()"
HEAVY = (
    *(
        "apprise",
        "exchange_calendars",
        "google",
        "numpy",
        "pandas",
        "pydantic",
        "rich",
        "sqlalchemy",
    ),
    *("sqlite3", "typer"),
)


@pytest.mark.parametrize("platform", ["ibkr", "schwab", "longbridge"])
def test_each_platform_is_a_few_lines_that_make_its_own_service(
    platform: str, environ: dict[str, str], log: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {k.removeprefix("IBKR_"): value for k, value in environ.items()}
    monkeypatch.setattr(os, "environ", variables)
    main = PLATFORMS / platform / "main.py"
    app = runpy.run_path(str(main))["app"]
    assert isinstance(app, Flask)
    assert app.test_client().get("/health").get_json()["platform"] == platform
    assert len(main.read_text().splitlines()) < 15


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EXECUTION_MODE": "yes"}, "EXECUTION_MODE = 'yes'"),
        ({"QPK_DRYRUN": "false"}, "Unknown setting QPK_DRYRUN"),
    ],
    ids=["unreadable", "unknown"],
)
def test_a28_gunicorn_does_not_start_with_a_setting_that_is_wrong(
    environ: dict[str, str], wrong: dict[str, str], named: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "main:app"],
        cwd=PLATFORMS / "ibkr",
        env=environ | {"QPK_ACCOUNT_ID": ACCOUNT} | wrong,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode != 0
    assert named in ended.stderr
    assert ACCOUNT not in ended.stderr + ended.stdout


def loaded_after(program: str, environ: dict[str, str]) -> set[str]:
    """Return which heavy libraries a fresh process has loaded after `program`."""
    listing = f"; import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program + listing],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))


@pytest.mark.parametrize(
    "program",
    [
        "import quant_platform_kit.contracts, quant_platform_kit.errors",
        "import quant_platform_kit.settings",
        "import quant_platform_kit.service",
        f"{MAKE}.get('/health')",
    ],
    ids=["contracts", "settings", "service", "first health check"],
)
def test_nothing_heavy_is_loaded_before_the_first_run(
    program: str, environ: dict[str, str]
) -> None:
    assert loaded_after(program, environ) == set()


def test_the_libraries_are_loaded_by_the_first_run(environ: dict[str, str]) -> None:
    loaded = loaded_after(f"{MAKE}.post('/run')", environ)
    assert {"numpy", "pydantic", "sqlalchemy"} <= loaded
