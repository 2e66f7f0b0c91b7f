"""The ledger identity under any sequence of fills (rulebook 8), in exact integers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, candle, fill, of_kind, rules_with, units_of
from trading.decisions import EquityMarked, PositionOpened, TradeClosed
from trading.engine import Engine
from trading.events import CandlesClosed, RunStarted, VenueReported
from trading.ledger import Position, closed, opened, raise_stop, take_sold
from trading.rules import PERCENT
from trading.signals import Side

PRICES = st.integers(1, 10**6)
MOVES = st.lists(
    st.tuples(
        st.sampled_from([BTC, ETH]),
        st.booleans(),
        st.integers(1, 10**6),
        PRICES,
        st.integers(0, 10**9),
        PRICES,
    ),
    max_size=30,
)


@given(MOVES)
def test_equity_after_any_fills_is_cash_and_marks_and_is_capital_and_profits(moves: list[Any]) -> None:
    rules = rules_with((BTC, ETH), take_profit_percent=PERCENT)
    markets = {market.symbol: market for market in rules.markets}
    engine = Engine.start(RunStarted(rules, START_MS, START_MS))
    state = engine.state
    realized, marks = 0, {BTC: 1, ETH: 1}
    for hour, (symbol, trades, amount, price, fee, mark) in enumerate(moves):
        time_ms = START_MS + hour * HOUR_MS
        held = state.symbols[symbol].position
        if trades:
            side = Side.SELL if held else Side.BUY
            lots = held.amount if held else amount
            filled = fill(side, lots, price, fee, symbol, time_ms)
            decisions = engine.handle(VenueReported(time_ms, (filled,)))
            realized += sum(each.trade.realized_profit for each in of_kind(decisions, TradeClosed))
        marks[symbol] = mark
        candles = tuple(candle(name, at) for name, at in marks.items())
        (marked,) = of_kind(engine.handle(CandlesClosed(time_ms, candles)), EquityMarked)
        positions = list(state.positions())
        worth = [markets[each.symbol].notional(marks[each.symbol], each.amount) for each in positions]
        unrealized = sum(worth) - sum(each.entry_notional for each in positions)
        fees = sum(each.entry_fee for each in positions)
        assert (
            marked.equity == state.cash + sum(worth) == rules.initial_capital + realized + unrealized - fees
        )
        assert (marked.cash, marked.held) == (state.cash, bool(positions))


@given(st.integers(1, 10**6), PRICES, PRICES, st.integers(0, 10**9), st.integers(0, 10**9))
def test_trade_of_any_fills_keeps_the_facts_of_both(
    amount: int, bought: int, sold: int, entry_fee: int, exit_fee: int
) -> None:
    market, rules = units_of(), rules_with(stop_loss_percent=5 * PERCENT)
    entry = fill(Side.BUY, amount, bought, entry_fee)
    leaving = fill(Side.SELL, amount, sold, exit_fee, time_ms=START_MS + HOUR_MS)
    held = opened(entry, market, rules.limits, ())
    take_sold(held, leaving, market)
    trade = closed(held, market)
    assert trade.realized_profit == (sold - bought) * amount * market.tick_lot - entry_fee - exit_fee
    assert (trade.entry_price, trade.exit_price, trade.amount) == (bought, sold, amount)
    assert (trade.entry_time_ms, trade.exit_time_ms) == (START_MS, START_MS + HOUR_MS)
    assert (trade.entry_order_id, trade.exit_order_id) == (entry.order_id, leaving.order_id)


def position(stop: int = 0) -> Position:
    made = opened(fill(Side.BUY, 10, 1_000), units_of(), rules_with().limits, ())
    made.stop = stop
    return made


@given(
    st.lists(PRICES, min_size=1, max_size=20),
    st.integers(0, 2_000),
    st.sampled_from([0, PERCENT, 7 * PERCENT]),
)
def test_stop_after_any_closes_is_under_the_highest_and_never_falls(
    closes: list[int], first_stop: int, percent: int
) -> None:
    held = position(first_stop)
    for place, close in enumerate(closes):
        before = held.stop
        raise_stop(held, close, percent)
        highest = max(closes[: place + 1])
        trailing = highest * (100 * PERCENT - percent) // (100 * PERCENT) if percent else 0
        assert held.highest_close == highest
        assert held.stop == max(first_stop, trailing) >= before


def test_position_with_protection_has_stop_and_target_of_its_entry_price() -> None:
    limits = rules_with(stop_loss_percent=5 * PERCENT, take_profit_percent=3 * PERCENT).limits
    engine = Engine.start(RunStarted(rules_with(), START_MS, START_MS))
    assert opened(fill(Side.BUY, 7, 1_001), units_of(), limits, ()).stop == 950
    assert opened(fill(Side.BUY, 7, 1_001), units_of(), limits, ()).target == 1_032
    (seen,) = of_kind(engine.handle(VenueReported(START_MS, (fill(Side.BUY, 7, 1_001),))), PositionOpened)
    assert (seen.position.stop, seen.position.target) == (0, 0)
