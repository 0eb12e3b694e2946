"""Target portfolio, holdings, quotes and broker rules become an ordered, explained plan. Pure."""

from __future__ import annotations

from quant_platform_kit.planner._capital import CapitalPolicy, capital_base
from quant_platform_kit.planner._funding import fund_buys
from quant_platform_kit.planner._plan import plan_orders

__all__ = ["CapitalPolicy", "capital_base", "fund_buys", "plan_orders"]
