"""The rules of a run as 64-bit integers, and whether everything that can come of them fits (rulebook 2)."""

from typing import NamedTuple

import numpy as np

from backtest.fast.arrays import AccountRules, Ints
from backtest.fast.candles import CandleArrays
from trading.rules import WHOLE, Rules
from trading.signals import FULL_CONFIDENCE

# Cash up to MOST_MONEY and positions up to twice that add up to less than 2^62.
MOST_MONEY = 2**60
_LARGEST = 2**62
# (a % WHOLE) x percent must fit.
_MOST_PERCENT = 2**63 // WHOLE


class TooLarge(Exception):
    """Numbers of this run do not fit into 64 bits; the reference engine has no such limit."""


class VoteRulesArrays(NamedTuple):
    """Weights (millionths) and valid closes of the enabled strategies, threshold and quorum."""

    weights: Ints
    valid_candles: Ints
    threshold: int
    quorum: int


def account_rules(rules: Rules) -> AccountRules:
    """The account's rules; raises TooLarge when one does not fit."""
    limits = rules.limits
    warmups = [seat.warmup_candles for seat in rules.seats if seat.enabled]
    made = AccountRules(
        capital=rules.initial_capital,
        most_money=MOST_MONEY,
        timeframe_ms=rules.timeframe_ms,
        fee_percent=rules.costs.fee_percent,
        slippage_percent=rules.costs.slippage_percent,
        position_size_percent=limits.position_size_percent,
        stop_loss_percent=limits.stop_loss_percent,
        trailing_stop_percent=limits.trailing_stop_percent,
        take_profit_percent=limits.take_profit_percent,
        daily_loss_limit_percent=limits.daily_loss_limit_percent,
        kill_switch_percent=limits.kill_switch_percent,
        max_drawdown_percent=limits.max_drawdown_percent,
        max_exposure_percent=limits.max_exposure_percent,
        max_open_positions=limits.max_open_positions,
        max_orders_per_minute=limits.max_orders_per_minute,
        cooldown_candles=limits.cooldown_candles_after_stop,
        warmup_candles=max(warmups, default=0),
    )
    if rules.initial_capital > MOST_MONEY or WHOLE + limits.take_profit_percent > _MOST_PERCENT:
        raise TooLarge
    return made


def market_arrays(rules: Rules, candles: CandleArrays) -> Ints:
    """The symbols' units, (MARKET_ROWS, symbols); raises TooLarge when a lot at the highest price, a target
    or a minimum does not fit."""
    highest = candles.highest_tick * (WHOLE + rules.costs.slippage_percent) // WHOLE + 1
    target = highest * (WHOLE + rules.limits.take_profit_percent) // WHOLE + 1
    columns = []
    for market in rules.markets:
        minimum = max(market.min_notional, rules.limits.min_order_notional)
        most_worth = 2 * MOST_MONEY // len(rules.markets) // highest
        if max(market.tick_lot, market.fee_step) > most_worth or max(minimum, target) > _LARGEST:
            raise TooLarge
        columns.append((market.tick_lot, market.fee_step, minimum, most_worth))
    return np.ascontiguousarray(np.array(columns, np.int64).T)


def vote_rules(rules: Rules) -> VoteRulesArrays:
    """The vote's rules over the enabled strategies; raises TooLarge when their weights add up too high."""
    seats = [seat for seat in rules.seats if seat.enabled]
    if sum(seat.weight for seat in seats) * FULL_CONFIDENCE > _LARGEST:
        raise TooLarge
    return VoteRulesArrays(
        np.array([seat.weight for seat in seats], np.int64),
        np.array([seat.valid_candles for seat in seats], np.int64),
        rules.vote.confidence_threshold,
        rules.vote.quorum,
    )
