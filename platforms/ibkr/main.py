"""The Interactive Brokers service: `gunicorn main:app`, configured by its environment alone."""

from __future__ import annotations

from quant_platform_kit.service import create_app

app = create_app("ibkr")
