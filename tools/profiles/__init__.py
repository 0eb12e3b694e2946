"""Writes the reference page of every profile: ``python -m tools.profiles``."""
