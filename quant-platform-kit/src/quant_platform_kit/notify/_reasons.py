"""Reason codes in Chinese; the English meaning stands beside each code in `errors.ReasonCode`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quant_platform_kit.errors import ReasonCode
from quant_platform_kit.notify._messages import check_language

_ZH: Mapping[ReasonCode, str] = MappingProxyType(
    {
        # The slot
        ReasonCode.CALENDAR_UNREADABLE: "交易日历无法给出当天的信息。",
        ReasonCode.LEASE_HELD: "该账户的另一次运行正在进行。",
        ReasonCode.MARKET_CLOSED: "交易所当日休市。",
        ReasonCode.OUTSIDE_WINDOW: "不在该时段的执行窗口内，或当日交易已结束。",
        ReasonCode.SESSION_MISMATCH: "请求的交易日与时钟所在的交易日不一致。",
        ReasonCode.GATE_CLOSED: "交易已被操作员或限额暂停。",
        ReasonCode.NOTHING_TO_DO: "持仓已与目标一致。",
        ReasonCode.HOLD: "策略维持现有持仓，属正常情况。",
        ReasonCode.LIVE_NEEDS_BROKER: "实盘模式拒绝使用模拟连接或模拟账户。",
        # Inputs
        ReasonCode.BAR_INVALID: "某根K线的价格无效、非正数或顺序错误。",
        ReasonCode.HISTORY_MISSING: "缺少必需标的的历史价格。",
        ReasonCode.HISTORY_SHORT: "必需的历史价格少于声明的交易日数。",
        ReasonCode.HISTORY_STALE: "必需的历史价格没有更新到最近一个交易日。",
        ReasonCode.INDICATOR_UNDEFINED: "必需的指标无法计算。",
        ReasonCode.SNAPSHOT_COLUMNS: "特征快照缺少策略读取的列。",
        ReasonCode.SNAPSHOT_CONFIG: "特征快照对应的是另一套策略参数。",
        ReasonCode.SNAPSHOT_CONFLICT: "另一个发布者同时把另一个版本设为当前版本，或移除了此版本。",
        ReasonCode.SNAPSHOT_CONTRACT: "特征快照的格式版本不符。",
        ReasonCode.SNAPSHOT_DATES: "特征快照的日期不是交易日，或其中的价格早于快照日期。",
        ReasonCode.SNAPSHOT_FUTURE: "特征快照的日期晚于本交易日。",
        ReasonCode.SNAPSHOT_HASH: "特征快照与其清单记录的文件不一致。",
        ReasonCode.SNAPSHOT_MANIFEST: "特征快照的行、列或文件与其清单所述不符。",
        ReasonCode.SNAPSHOT_MISSING: "需要特征快照，但没有找到。",
        ReasonCode.SNAPSHOT_PROFILE: "特征快照属于另一个策略。",
        ReasonCode.SNAPSHOT_ROW_MISSING: "特征快照缺少必需的数据行。",
        ReasonCode.SNAPSHOT_STALE: "特征快照的日期超出策略允许的范围。",
        ReasonCode.SNAPSHOT_UNAVAILABLE: "特征快照的存储没有响应，或拒绝访问。",
        ReasonCode.SNAPSHOT_UNREADABLE: "特征快照或其清单无法解析。",
        # Strategies
        ReasonCode.PROFILE_UNKNOWN: "已安装的软件包中没有该策略，或本账户不运行它。",
        ReasonCode.PROFILE_BROKEN: "该策略无法加载。",
        ReasonCode.PROFILE_NOT_ENABLED: "该策略的状态不允许使用此模式。",
        ReasonCode.PROFILE_NOT_ROLLED_OUT: "该平台未启用此策略，或不具备其所需的条件。",
        ReasonCode.CONFIG_INVALID: "策略参数文件不符合其参数模型。",
        ReasonCode.STRATEGY_FAILED: "策略运行出错，或返回了不合规的结果。",
        ReasonCode.STRATEGY_TIMEOUT: "策略没有在限定时间内给出结果。",
        ReasonCode.WHITELIST_EMPTY: "要运行的策略列表为空。",
        ReasonCode.SLEEVE_FROZEN: "未被选中、缺失或被拦截，其持仓保持不变。",
        ReasonCode.UNMANAGED_TARGET: "目标标的不在策略声明的管理范围内。",
        # Planning
        ReasonCode.AT_TARGET: "持有的整股数已等于目标。",
        ReasonCode.BELOW_LOT: "差额不足一个最小交易单位。",
        ReasonCode.BELOW_MINIMUM: "差额低于最小交易金额。",
        ReasonCode.CAPITAL_ZERO: "没有可分配的资金，未做任何交易。",
        ReasonCode.BUY_ONLY: "该策略从不卖出，超出目标的持仓予以保留。",
        ReasonCode.CASH_SHORT: "已确认的现金不足以支付全部买入。",
        ReasonCode.FEES: "计划自身的费用已从各目标中扣除。",
        ReasonCode.FOREIGN_ORDER: "存在非本系统的挂单，该标的暂停交易。",
        ReasonCode.ORDER_WORKING: "本系统在该标的上有方向相反的挂单。",
        ReasonCode.PRICE_MISSING: "某标的没有可用价格，整个计划作废。",
        ReasonCode.PRICE_STALE: "某标的的价格过旧，整个计划作废。",
        ReasonCode.WITHIN_BAND: "差额在不交易区间之内。",
        # Risk and state
        ReasonCode.RISK_REJECTED: "盘前风控检查拒绝了该订单。",
        ReasonCode.STRATEGY_PAUSED: "操作员暂停了该策略，其持仓保持不变。",
        ReasonCode.POSITION_LIMIT: "单一标的限额或持仓数量限额已达到。",
        ReasonCode.PORTFOLIO_LIMIT: "总敞口限额或行业集中度限额已达到。",
        ReasonCode.LOSS_LIMIT: "亏损限额已达到，只发送卖单。",
        ReasonCode.BIAS_UNUSABLE: "没有可用的偏置值，所有限额减半。",
        ReasonCode.EQUITY_ZERO: "券商报告净值为零，未做任何交易。",
        ReasonCode.POSITIONS_VANISHED: "券商显示空仓，而本系统账本仍有持仓。",
        ReasonCode.QUANTITY_MISMATCH: "券商与本系统账本的持仓数量不一致。",
        ReasonCode.ORDER_UNRESOLVED: "之前某笔订单的结果尚不明确。",
        # Orders
        ReasonCode.NEVER_SENT: "券商确认从未收到该订单，订单作废。",
        ReasonCode.ORDER_REJECTED: "券商拒绝了该订单。",
        ReasonCode.SELLS_UNFILLED: "卖单未能及时成交，买入按可用现金缩减。",
        ReasonCode.NOT_FILLED: "订单在截止时间前未成交。",
        ReasonCode.OPERATOR_CANCEL: "操作员已撤销挂单。",
        ReasonCode.STOP_FILLED: "保护性止损单已卖出全部或部分持仓。",
        ReasonCode.BROKER_NOTICE: "与券商的连接需要尽快查看。",
        ReasonCode.STOP_MISSING: "该持仓缺少策略要求的止损单。",
        ReasonCode.STOP_REMOVED: "保护性止损单在触发前被撤销。",
        # Brokers and edges
        ReasonCode.BROKER_ANSWER: "券商的答复不可信，不据此做任何推断。",
        ReasonCode.BROKER_UNAVAILABLE: "无法连接券商，未再发送任何订单。",
        ReasonCode.STORE_NEWER: "存储由本系统的更新版本写入。",
        ReasonCode.STORE_UNAVAILABLE: "无法使用本系统自己的存储。",
        ReasonCode.SECRET_UNUSABLE: "无法从变量所指的位置取得密钥。",
        ReasonCode.SETTING_INVALID: "某项设置未知、无法解析或互相矛盾。",
        ReasonCode.VARIABLE_STALE: "设置了该策略或平台不会读取的变量。",
        ReasonCode.BUNDLE_MISMATCH: "已安装的内容与发布包清单不一致。",
        ReasonCode.BUNDLE_UNREADABLE: "发布包清单文件缺失或无法读取。",
        ReasonCode.VALUE_MALFORMED: "某个数值在入口处不符合约定。",
        # Releases
        ReasonCode.RELEASE_LAYOUT: "release.toml 与磁盘上的内容不符。",
        ReasonCode.RELEASE_TREE: "代码仓库有未提交的改动，或不在分支上。",
        ReasonCode.RELEASE_VERSION: "版本号格式错误，或不高于上一个版本。",
        ReasonCode.RELEASE_CHANGELOG: "更新日志中没有该版本的内容。",
        ReasonCode.RELEASE_WHITESPACE: "待发布的内容含有多余的空白字符。",
        ReasonCode.RELEASE_REVIEW: "没有人确认这些提交已经过审阅。",
        ReasonCode.RELEASE_CHECKS: "待打标签的提交未通过检查。",
        ReasonCode.RELEASE_TOOL: "发布所需的工具出错退出。",
        ReasonCode.TAG_EXISTS: "该版本已有标签；标签永不重复使用。",
        ReasonCode.TAG_MISSING: "所需的标签不存在，或尚未推送。",
        ReasonCode.TAG_MOVED: "标签指向的提交已改变。",
        ReasonCode.PIN_MISSING: "平台没有固定版本，或只固定了一部分。",
        ReasonCode.PIN_RANGE: "固定的版本超出另一个包声明的范围。",
        ReasonCode.PIN_EDITED: "固定版本的文件与发布包清单不符；不应手工修改。",
        ReasonCode.PIN_UNTRIED: "尚无人用这些固定的版本构建并启动过服务。",
        ReasonCode.PIN_UNBOOTABLE: "服务无法从其固定的版本启动。",
        ReasonCode.DEPLOY_UNPUBLISHED: "待部署的提交旁有未提交的改动，或尚未推送。",
        ReasonCode.DEPLOY_MISMATCH: "服务运行的并非所固定的版本。",
        ReasonCode.SWITCH_PROFILE: "该服务不得运行所要求的策略配置。",
        ReasonCode.SWITCH_VARIABLE: "策略配置所需的变量缺失或相互矛盾。",
        ReasonCode.SHADOW_MISSING: "尚无人将新的策略配置与现行的作过对比。",
        ReasonCode.SERVICE_CHANGED: "服务的现状与其记录或计划不符。",
        ReasonCode.RECORD_MISSING: "没有可供撤回的记录。",
        # Anything else
        ReasonCode.UNEXPECTED: "程序缺陷：出现了规则未预见的错误。",
    }
)


def meaning(code: ReasonCode, language: str) -> str:
    """Return what `code` means for an operator, in `language`."""
    check_language(language)
    return code.meaning if language == "en" else _ZH[code]
