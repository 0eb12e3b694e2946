"""Orders from leg to end: the write-ahead journal, submission, tracking and recovery."""

from __future__ import annotations

from quant_platform_kit.orders._execute import Desk, recover, send, settle
from quant_platform_kit.orders._journal import Journal, JournalOrder, client_id

__all__ = ["Desk", "Journal", "JournalOrder", "client_id", "recover", "send", "settle"]
