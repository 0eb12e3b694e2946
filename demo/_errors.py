"""The one way the demo ends badly."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message says what happened and what to do next."""
