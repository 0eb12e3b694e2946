"""Numbers of messages and the layouts of the long ones.

Names are those of the broker's own reference. Only stock orders are laid out: a place whose value
would announce further fields (a combination's legs, conditions, an algorithm) is always empty.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from quant_platform_kit.simulators.tws._codec import Layout

OLDEST: Final = 157
NEWEST: Final = 178


class Ask(IntEnum):
    """What clients send."""

    MARKET_DATA = 1
    CANCEL_MARKET_DATA = 2
    PLACE_ORDER = 3
    CANCEL_ORDER = 4
    OPEN_ORDERS = 5
    ACCOUNT_UPDATES = 6
    EXECUTIONS = 7
    IDS = 8
    CONTRACT = 9
    AUTO_OPEN_ORDERS = 15
    ALL_OPEN_ORDERS = 16
    MANAGED_ACCOUNTS = 17
    HISTORY = 20
    CANCEL_HISTORY = 25
    TIME = 49
    MARKET_DATA_TYPE = 59
    POSITIONS = 61
    ACCOUNT_SUMMARY = 62
    CANCEL_ACCOUNT_SUMMARY = 63
    CANCEL_POSITIONS = 64
    START = 71
    ACCOUNT_UPDATES_MULTI = 76
    CANCEL_ACCOUNT_UPDATES_MULTI = 77
    COMPLETED_ORDERS = 99


class Tell(IntEnum):
    """What the server sends."""

    TICK_PRICE = 1
    ORDER_STATUS = 3
    ERROR = 4
    OPEN_ORDER = 5
    ACCOUNT_VALUE = 6
    PORTFOLIO_VALUE = 7
    ACCOUNT_TIME = 8
    NEXT_ID = 9
    CONTRACT = 10
    EXECUTION = 11
    MANAGED_ACCOUNTS = 15
    HISTORY = 17
    TICK_STRING = 46
    TIME = 49
    CONTRACT_END = 52
    OPEN_ORDERS_END = 53
    ACCOUNT_END = 54
    EXECUTIONS_END = 55
    SNAPSHOT_END = 57
    MARKET_DATA_TYPE = 58
    COMMISSION = 59
    POSITION = 61
    POSITIONS_END = 62
    ACCOUNT_SUMMARY = 63
    ACCOUNT_SUMMARY_END = 64
    ACCOUNT_MULTI = 73
    ACCOUNT_MULTI_END = 74
    TICK_PARAMETERS = 81
    COMPLETED_ORDER = 101
    COMPLETED_ORDERS_END = 102


ASKED_CONTRACT: Final = (
    "conId symbol secType expiry strike right multiplier exchange primaryExchange currency "
    "localSymbol tradingClass "
)
_CONTRACT = (
    "conId symbol secType=STK expiry strike=0 right multiplier exchange=SMART currency=USD "
    "localSymbol tradingClass "
)
_PEGGED = (
    "minTradeQty@170 minCompeteSize@170 competeAgainstBestOffset@170 midOffsetAtWhole@170 "
    "midOffsetAtHalf@170 "
)

PLACE_ORDER: Final = Layout(
    "orderId "
    + ASKED_CONTRACT
    + """
    secIdType secId action totalQuantity orderType lmtPrice auxPrice tif ocaGroup account openClose
    origin orderRef transmit parentId blockOrder sweepToFill displaySize triggerMethod outsideRth
    hidden sharesAllocation discretionaryAmt goodAfterTime goodTillDate faGroup faMethod
    faPercentage faProfile@-177 modelCode shortSaleSlot designatedLocation exemptCode ocaType
    rule80A settlingFirm allOrNone minQty percentOffset eTradeOnly firmQuoteOnly nbboPriceCap
    auctionStrategy startingPrice stockRefPrice delta stockRangeLower stockRangeUpper
    overridePercentageConstraints volatility volatilityType deltaNeutralOrderType
    deltaNeutralAuxPrice continuousUpdate referencePriceType trailStopPrice trailingPercent
    scaleInitLevelSize scaleSubsLevelSize scalePriceIncrement scaleTable activeStartTime
    activeStopTime hedgeType optOutSmartRouting clearingAccount clearingIntent notHeld
    deltaNeutralContract algoStrategy algoId whatIf orderMiscOptions solicited randomizeSize
    randomizePrice conditions adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice
    adjustedStopLimitPrice adjustedTrailingAmount adjustableTrailingUnit extOperator softTierName
    softTierValue cashQty mifid2DecisionMaker mifid2DecisionAlgo mifid2ExecutionTrader
    mifid2ExecutionAlgo dontUseAutoPriceForHedge isOmsContainer discretionaryUpToLimitPrice
    usePriceMgmtAlgo duration@158 postToAts@160 autoCancelParent@162 advancedErrorOverride@166
    manualOrderTime@169
    """
)

OPEN_ORDER: Final = Layout(
    "orderId "
    + _CONTRACT
    + """
    action totalQuantity orderType lmtPrice auxPrice tif=DAY ocaGroup account openClose=O origin=0
    orderRef clientId permId outsideRth=0 hidden=0 discretionaryAmt=0 goodAfterTime
    sharesAllocation faGroup faMethod faPercentage faProfile@-177 modelCode goodTillDate rule80A
    percentOffset settlingFirm shortSaleSlot=0 designatedLocation exemptCode=-1 auctionStrategy=0
    startingPrice stockRefPrice delta stockRangeLower stockRangeUpper displaySize blockOrder=0
    sweepToFill=0 allOrNone=0 minQty ocaType=3 eTradeOnly=0 firmQuoteOnly=0 nbboPriceCap parentId=0
    triggerMethod=0 volatility volatilityType=0 deltaNeutralOrderType deltaNeutralAuxPrice
    continuousUpdate=0 referencePriceType=0 trailStopPrice trailingPercent basisPoints
    basisPointsType comboLegsDescrip legs=0 orderLegs=0 smartParams=0 scaleInitLevelSize
    scaleSubsLevelSize scalePriceIncrement hedgeType optOutSmartRouting=0 clearingAccount
    clearingIntent=IB notHeld=0 deltaNeutralContract=0 algoStrategy solicited=0 whatIf=0 status
    initMarginBefore maintMarginBefore equityWithLoanBefore initMarginChange maintMarginChange
    equityWithLoanChange initMarginAfter maintMarginAfter equityWithLoanAfter commission
    minCommission maxCommission commissionCurrency warningText randomizeSize=0 randomizePrice=0
    conditions=0 adjustedOrderType=None triggerPrice lastTrailStopPrice lmtPriceOffset
    adjustedStopPrice adjustedStopLimitPrice adjustedTrailingAmount adjustableTrailingUnit=0
    softTierName softTierValue softTierShown cashQty=0 dontUseAutoPriceForHedge=0 isOmsContainer=0
    discretionaryUpToLimitPrice=0 usePriceMgmtAlgo=0 duration@159 postToAts@160
    autoCancelParent=0@162
    """
    + _PEGGED
)

COMPLETED_ORDER: Final = Layout(
    _CONTRACT
    + """
    action totalQuantity orderType lmtPrice auxPrice tif=DAY ocaGroup account openClose=O origin=0
    orderRef permId outsideRth=0 hidden=0 discretionaryAmt=0 goodAfterTime faGroup faMethod
    faPercentage faProfile@-177 modelCode goodTillDate rule80A percentOffset settlingFirm
    shortSaleSlot=0 designatedLocation exemptCode=-1 startingPrice stockRefPrice delta
    stockRangeLower stockRangeUpper displaySize sweepToFill=0 allOrNone=0 minQty ocaType=3
    triggerMethod=0 volatility volatilityType=0 deltaNeutralOrderType deltaNeutralAuxPrice
    continuousUpdate=0 referencePriceType=0 trailStopPrice trailingPercent comboLegsDescrip legs=0
    orderLegs=0 smartParams=0 scaleInitLevelSize scaleSubsLevelSize scalePriceIncrement hedgeType
    clearingAccount clearingIntent=IB notHeld=0 deltaNeutralContract=0 algoStrategy solicited=0
    status randomizeSize=0 randomizePrice=0 conditions=0 lastTrailStopPrice lmtPriceOffset cashQty=0
    dontUseAutoPriceForHedge=0 isOmsContainer=0 autoCancelDate filledQuantity refFuturesConId
    autoCancelParent=0 shareholder imbalanceOnly=0 routeMarketableToBbo=0 parentPermId
    completedTime completedStatus
    """
    + _PEGGED
)

CONTRACT: Final = Layout(
    """
    version=8@-164 reqId symbol secType=STK expiry strike=0 right exchange=SMART currency=USD
    localSymbol marketName tradingClass conId minTick sizeMultiplier=1@-164 multiplier orderTypes
    validExchanges=SMART priceMagnifier=1 underConId=0 longName primaryExchange contractMonth
    industry category subcategory timeZoneId=US/Eastern tradingHours liquidHours evRule
    evMultiplier=0 secIds=0 aggGroup=1 underSymbol underSecType marketRuleIds=26
    realExpirationDate stockType=COMMON suggestedSize=1@163-164 minSize=1@164 sizeIncrement=1@164
    suggestedSizeIncrement=100@164
    """
)

EXECUTION: Final = Layout(
    "reqId=-1 orderId "
    + _CONTRACT
    + """
    execId time account executedOn=ISLAND side shares price permId clientId liquidation=0 cumQty
    avgPrice orderRef evRule evMultiplier modelCode lastLiquidity=2 pendingPriceRevision=0@178
    """
)

ORDER_STATUS: Final = Layout(
    "orderId status filled remaining avgFillPrice=0 permId parentId=0 lastFillPrice=0 clientId "
    "whyHeld mktCapPrice=0"
)

POSITION: Final = Layout("account " + _CONTRACT + "position avgCost")

ASKED_HISTORY: Final = Layout(
    "reqId "
    + ASKED_CONTRACT
    + "includeExpired endDateTime barSize duration useRTH whatToShow formatDate keepUpToDate "
    + "options"
)

ASKED_MARKET_DATA: Final = Layout(
    "version reqId "
    + ASKED_CONTRACT
    + "deltaNeutralContract genericTicks snapshot regulatorySnapshot options"
)

ASKED_CONTRACT_DETAILS: Final = Layout(
    "version reqId " + ASKED_CONTRACT + "includeExpired secIdType secId issuerId@176"
)

ASKED_EXECUTIONS: Final = Layout("version reqId clientId account time symbol secType exchange side")
