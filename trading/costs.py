"""Fee and slippage of simulated fills (rulebook 2): always rounded against us, exact in integers."""

from trading.rules import WHOLE


def fee(notional: int, fee_percent: int, fee_step: int) -> int:
    """The fee of a notional, both in quote units, rounded up to the market's fee step."""
    return -(-notional * fee_percent // (WHOLE * fee_step)) * fee_step


def bought_at(price_ticks: int, slippage_percent: int, step: int = 1) -> int:
    """What a market buy pays, in ticks: the price plus slippage, rounded up to the market's step."""
    return -(-price_ticks * (WHOLE + slippage_percent) // (WHOLE * step)) * step


def sold_at(price_ticks: int, slippage_percent: int, step: int = 1) -> int:
    """What a market sell gets, in ticks: the price less slippage, rounded down to the market's step."""
    return price_ticks * (WHOLE - slippage_percent) // (WHOLE * step) * step


def affordable_lots(cash: int, lot_cost: int, fee_percent: int, fee_step: int) -> int:
    """The most lots whose cost plus fee is within the cash; `lot_cost` is one lot's notional."""
    if cash <= 0:
        return 0
    lots = cash * WHOLE // (lot_cost * (WHOLE + fee_percent))
    while lots and lots * lot_cost + fee(lots * lot_cost, fee_percent, fee_step) > cash:
        lots -= 1
    return lots
