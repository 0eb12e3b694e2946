"""Examples to read, copy and run dry: nothing here can be loaded in paper or live.

Each is a profile like those of the catalog, with status RESEARCH and role EXAMPLE. To write your
own, see ``docs/write-a-strategy.md``.
"""

from __future__ import annotations
