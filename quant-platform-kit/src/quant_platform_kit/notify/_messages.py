"""The one catalog of what the platform says to people: every text in English and Chinese.

A message stands on one line of the catalog with both languages beside each other, so that nobody
changes one and forgets the other. The texts of reason codes are in `_reasons`.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Self

from quant_platform_kit.errors import ContractError

LANGUAGES = ("en", "zh")


def check_language(language: str) -> None:
    """Require a language of the catalog.

    Raises
    ------
    ContractError
        Names the language and those that exist.
    """
    if language not in LANGUAGES:
        raise ContractError(f"language = {language!r}: expected one of {', '.join(LANGUAGES)}")


@unique
class Message(Enum):
    """Every text by its name; the value is the pair (English, Chinese).

    Names of the form ``OUTCOME_TRADED`` carry an enum member's name: `of` looks them up.
    """

    en: str
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        """Keep both languages on the member."""
        member = object.__new__(cls)
        member._value_ = (en, zh)
        member.en = en
        member.zh = zh
        return member

    # Labels
    FIELD = "{label}: {value}", "{label}：{value}"
    ACCOUNT = "Account", "账户"
    BUNDLE = "Bundle", "发布包"
    CAPITAL = "Capital base", "资金基数"
    CASH = "Cash", "现金"
    COMMIT = "Commit", "提交"
    DECISION = "Decision", "决策"
    DIVIDENDS = "Dividends received", "收到股息"
    EQUITY = "Equity", "净值"
    EVIDENCE = "Evidence", "证据链"
    INPUTS = "Inputs", "输入"
    MODE = "Mode", "模式"
    PROFILE = "Profile", "策略配置"
    RISK_FLAGS = "Risk flags", "风险标记"
    RUN = "Run", "运行编号"
    SESSION = "Session", "交易日"
    SNAPSHOT = "Snapshot", "特征快照"
    VERSIONS = "Versions", "版本"
    WHY = "Why", "原因"

    # Whether somebody has to act: the first line
    ACT_NOW = "Act now", "请立即处理"
    LOOK_TODAY = "Look at it today", "请于今日内查看"
    NOTHING_FOR_YOU = "You need not do anything.", "您无需处理。"

    # What became of a slot that is not finished, and what to do about it
    ASK_AGAIN = (
        "Reconnect the broker and run the slot again: it looks up every order, sends none twice.",
        "恢复与券商的连接后，重新运行本时段：系统会先查明每笔订单的结果，不会重复下单。",
    )
    NO_ORDER = "No order was sent.", "没有发送任何订单。"
    ORDERS_SO_FAR = "Orders of this slot so far", "本时段订单的现状"
    OUTDATED = (
        "Money and positions shown here are from before these orders.",
        "此处的资金与持仓为下单之前的数据。",
    )
    TO_DO = "What to do", "处理办法"

    # Headings
    FROZEN = "Frozen: nothing is traded here", "已冻结：以下部分不做任何交易"
    NOTES = "Notes", "备注"
    ORDERS = "Orders", "订单"
    POSITIONS = "Positions: shares, weight → target", "持仓：股数，权重 → 目标"
    SKIPPED = "Not traded, and why", "未交易及原因"

    # Parts of lines
    ATTEMPT = "attempt {number}", "第 {number} 次尝试"
    BROKER_NOT_ASKED = "broker not asked", "未连接券商"
    CODE_COUNT = "{code}: {count}", "{code}：{count}"
    DRY_RUN = "dry run, no order leaves", "演练，不下任何订单"
    MORE = "+{count} more", "另有 {count} 个"
    NONE = "none", "无"
    NOT_SENT = "not sent", "未发送"
    NOT_MANAGED = "not managed", "不由策略管理"
    PART = "({number}/{count})", "（{number}/{count}）"
    SLOT = "slot {slot}", "时段 {slot}"
    TRADED_SUMMARY = "Orders: {count}. Traded: {turnover}.", "订单 {count} 笔，成交额 {turnover}。"
    UNKNOWN = "unknown", "未知"
    USD = "{amount} USD", "{amount} 美元"

    # How a slot ended
    OUTCOME_TRADED = "TRADED", "已交易"
    OUTCOME_NO_ACTION = "NO ACTION", "无需操作"
    OUTCOME_BLOCKED = "BLOCKED", "已拦截"
    OUTCOME_FAILED = "FAILED", "失败"

    # What the connected broker says it is
    ENVIRONMENT_SIMULATED = "simulated broker", "模拟撮合"
    ENVIRONMENT_PAPER = "paper account", "券商模拟账户"
    ENVIRONMENT_LIVE = "LIVE account", "实盘账户"

    # What a strategy answered and what it read
    DECISIONOUTCOME_REBALANCE = "rebalance", "调仓"
    DECISIONOUTCOME_HOLD = "hold", "维持不动"
    DECISIONOUTCOME_BLOCKED = "blocked", "已拦截"
    INPUTMODE_DIRECT = "prices at run time", "运行时行情"
    INPUTMODE_SNAPSHOT = "published snapshot", "已发布的特征快照"

    # What became of orders, counted
    FATE_FILLED = "{count} filled", "成交 {count} 笔"
    FATE_PARTLY = "{count} partly filled", "部分成交 {count} 笔"
    FATE_UNFILLED = "{count} ended without a fill", "未成交即结束 {count} 笔"
    FATE_UNSENT = "{count} not sent", "未发送 {count} 笔"
    FATE_OPEN = "{count} whose end is not known yet", "结果尚不明确 {count} 笔"

    # Orders
    SIDE_BUY = "BUY", "买入"
    SIDE_SELL = "SELL", "卖出"
    STOP = "stop", "止损"
    TRAILING_STOP = "trailing stop", "移动止损"
    ORDERSTATUS_PENDING = "not sent yet", "尚未发送"
    ORDERSTATUS_SUBMITTING = "being sent", "发送中"
    ORDERSTATUS_SUBMITTED = "working", "已挂单"
    ORDERSTATUS_PARTIAL = "partly filled", "部分成交"
    ORDERSTATUS_FILLED = "filled", "已成交"
    ORDERSTATUS_CANCELLED = "cancelled", "已撤单"
    ORDERSTATUS_REJECTED = "rejected", "被拒绝"
    ORDERSTATUS_EXPIRED = "expired", "已过期"
    ORDERSTATUS_UNRESOLVED = "FATE UNKNOWN", "状态不明"

    @classmethod
    def of(cls, member: Enum) -> Message:
        """Return the message that names an enum member, such as ``OrderStatus.FILLED``."""
        return cls[f"{type(member).__name__.upper()}_{member.name}"]

    def text(self, language: str, **values: object) -> str:
        """Return the text in `language` with its placeholders filled."""
        check_language(language)
        template = self.en if language == "en" else self.zh
        return template.format(**values)
