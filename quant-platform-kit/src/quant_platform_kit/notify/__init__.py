"""What the platform says to people: messages in English and Chinese, heartbeats, the outbox."""

from __future__ import annotations

from quant_platform_kit.notify._block import Block, BlockSnapshot, BlockStrategy, read_block
from quant_platform_kit.notify._format import money, percent, price, shares, split
from quant_platform_kit.notify._heartbeat import heartbeat, log_heartbeat
from quant_platform_kit.notify._messages import LANGUAGES, Message
from quant_platform_kit.notify._outbox import DeliveryResult, Outbox
from quant_platform_kit.notify._reasons import meaning

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
