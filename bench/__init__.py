"""Measurements of this project against peers and against its own floors, as ratios of one run."""
