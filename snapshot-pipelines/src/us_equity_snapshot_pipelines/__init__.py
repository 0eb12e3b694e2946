"""Pipelines that publish the feature snapshots which snapshot-backed strategies read."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
