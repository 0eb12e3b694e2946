"""What the platform says to people: messages in English and Chinese, heartbeats, the outbox.

The outbox needs a database, and is loaded when it is first asked for: a command that only talks
does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant_platform_kit.lazy import lazy
from quant_platform_kit.notify._block import Block, BlockSnapshot, BlockStrategy, read_block
from quant_platform_kit.notify._format import money, percent, price, shares, split
from quant_platform_kit.notify._heartbeat import heartbeat, log_heartbeat
from quant_platform_kit.notify._messages import LANGUAGES, Message
from quant_platform_kit.notify._reasons import meaning

if TYPE_CHECKING:
    from quant_platform_kit.notify._outbox import DeliveryResult, Outbox

__all__ = [
    "LANGUAGES",
    "Block",
    "BlockSnapshot",
    "BlockStrategy",
    "DeliveryResult",
    "Message",
    "Outbox",
    "heartbeat",
    "log_heartbeat",
    "meaning",
    "money",
    "percent",
    "price",
    "read_block",
    "shares",
    "split",
]

_HOMES = {"DeliveryResult": "_outbox", "Outbox": "_outbox"}

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds misspelt names
    __getattr__ = lazy(__name__, _HOMES)

    def __dir__() -> list[str]:
        return __all__
