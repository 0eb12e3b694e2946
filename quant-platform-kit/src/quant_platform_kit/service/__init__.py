"""The HTTP service: one application factory for every platform."""

from __future__ import annotations

from quant_platform_kit.service._app import create_app

__all__ = ["create_app"]
