"""`python -m quant_platform_kit.cli` is `qpk`, also where no script of that name lies."""

from __future__ import annotations

from quant_platform_kit.cli import main

main()
