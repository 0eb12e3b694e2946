"""A small service on the market that ships with the kit, and a client that asks it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quant_platform_kit.service import create_app

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

Environ = dict[str, str]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the service keeps its state."""
    return tmp_path / "state"


@pytest.fixture
def environ(tmp_path: Path, state: Path) -> Environ:
    """Return settings under which the first session buys one stock."""
    config = tmp_path / "macd.json"
    config.write_text(
        json.dumps({"signal_symbol": "AAPL", "risk_symbol": "AAPL", "hedge_symbol": "IBM"})
    )
    return {
        "PATH": os.environ["PATH"],
        "STRATEGY_PROFILE": "spy_macd_vixy",
        "IBKR_STRATEGY_CONFIG_PATH": str(config),
        "EXECUTION_MODE": "paper",
        "QPK_STATE_DIR": str(state),
        "QPK_SIMULATED_START": "2012-02-03",
        "QPK_COMMIT": "0123abc",
    }


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """Return the platform's logger; a service made in the test configures it, the next one anew."""
    logger = logging.getLogger("quant_platform_kit")
    before = logger.handlers[:], logger.level
    logger.handlers.clear()
    yield logger
    logger.handlers[:], logger.level = before


@pytest.fixture
def make_app(log: logging.Logger, environ: Environ) -> Callable[..., Flask]:
    """Return a function that starts the service; variables add to the usual ones."""
    return lambda **variables: create_app("ibkr", environ | variables)


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    """Return a client of the usual service."""
    return make_app().test_client()
