"""Orders from leg to end: the write-ahead journal, submission, tracking and recovery."""

from __future__ import annotations

from quant_platform_kit.orders._execute import Desk, book_late_fills, cancel, recover, send, settle
from quant_platform_kit.orders._forgotten import conclude
from quant_platform_kit.orders._journal import Journal
from quant_platform_kit.orders._protect import Ask, Holding, Protected, Protections, protect, watch
from quant_platform_kit.orders._rows import Draft, JournalOrder, client_id

__all__ = [
    "Ask",
    "Desk",
    "Draft",
    "Holding",
    "Journal",
    "JournalOrder",
    "Protected",
    "Protections",
    "book_late_fills",
    "cancel",
    "client_id",
    "conclude",
    "protect",
    "recover",
    "send",
    "settle",
    "watch",
]
