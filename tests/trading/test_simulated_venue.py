"""Simulated fills (rulebook 5): the order of the steps, cut buys, stops, targets, filled candles."""

from collections.abc import Mapping, Sequence

import pytest

from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, USUAL, candle, fill, rules_with
from trading.candles import Candle, filled_candle
from trading.ledger import Position, opened
from trading.orders import Ending, Fill, Order, OrderState, Reason
from trading.rules import PERCENT, Rules
from trading.signals import Side
from trading.simulated_venue import Executions, Moment, Working, can_execute, execute

RULES = rules_with((BTC, ETH))
MARKET = RULES.markets[0]
QUOTE = 10**8


def entry(symbol: str = BTC, lots: int = 100) -> Order:
    return Order(f"{symbol}-entry", symbol, Side.BUY, lots, Reason.SIGNAL, START_MS)


def leaving(symbol: str = BTC, lots: int = 100) -> Order:
    return Order(f"{symbol}-exit", symbol, Side.SELL, lots, Reason.SIGNAL, START_MS)


def position(symbol: str = BTC, stop: int = 0, target: int = 0, lots: int = 100) -> Position:
    held = opened(fill(Side.BUY, lots, 1_000, symbol=symbol), MARKET, RULES.limits, ())
    held.stop, held.target = stop, target
    return held


def run(
    book: Sequence[Working], candles: Mapping[str, Candle], cash: int = 10**12, rules: Rules = RULES
) -> Executions:
    moments = {symbol: (Moment(START_MS, each),) for symbol, each in candles.items()}
    return execute(book, cash, moments, rules)


def sold(position: Position, *prices: int, rules: Rules = RULES) -> list[tuple[Reason, int]]:
    """Reason and price of what leaves a position inside one candle."""
    done = run([Working(BTC, position=position)], {BTC: candle(BTC, *prices)}, rules=rules)
    assert can_execute(Working(BTC, position=position), candle(BTC, *prices)) == bool(done.fills)
    return [(each.reason, each.price) for each in done.fills]


def test_open_time_sells_then_buys_then_protects_in_the_order_of_the_settings() -> None:
    names = ("A/Q", "B/Q", "C/Q", "D/Q")
    rules = rules_with(names, stop_loss_percent=5 * PERCENT)
    book = [
        Working("A/Q", position=position("A/Q", stop=950)),
        Working("B/Q", entry=entry("B/Q")),
        Working("C/Q", exit=leaving("C/Q"), position=position("C/Q")),
        Working("D/Q", exit=leaving("D/Q"), position=position("D/Q")),
    ]
    done = run(book, {name: candle(name, 1_000, 1_000, 900, 1_000) for name in names}, rules=rules)
    facts = [(each.symbol, each.side, each.reason) for each in done.fills]
    assert facts == [
        ("C/Q", Side.SELL, Reason.SIGNAL),
        ("D/Q", Side.SELL, Reason.SIGNAL),
        ("B/Q", Side.BUY, Reason.SIGNAL),
        ("A/Q", Side.SELL, Reason.STOP),
        ("B/Q", Side.SELL, Reason.STOP),  # opened at this open, left inside the same candle
    ]


def test_fills_at_the_open_pay_slippage_and_fee_against_us() -> None:
    book = [
        Working(BTC, entry=entry()),
        Working(ETH, exit=leaving(ETH), position=position(ETH)),
    ]
    candles = {BTC: candle(BTC, 2_001), ETH: candle(ETH, 2_001)}
    sale, buy = run(book, candles, rules=rules_with((BTC, ETH), USUAL)).fills
    assert (sale.price, buy.price) == (1_999, 2_003)
    assert (sale.fee, buy.fee) == (1_999 * QUOTE // 10_000, 2_003 * QUOTE // 10_000)
    assert (buy.id, buy.time_ms) == (f"{BTC}-entry@{START_MS // 1000}", START_MS)


def test_sale_at_the_same_open_pays_for_the_buy() -> None:
    book = [
        Working(BTC, entry=entry()),
        Working(ETH, exit=leaving(ETH), position=position(ETH)),
    ]
    done = run(book, {BTC: candle(BTC, 1_000), ETH: candle(ETH, 1_000)}, cash=0)
    assert [(each.side, each.amount) for each in done.fills] == [(Side.SELL, 100), (Side.BUY, 100)]


@pytest.mark.parametrize(
    ("cash", "bought"),
    [(100 * QUOTE, 100), (100 * QUOTE - 1, 99), (50 * QUOTE, 50), (20 * QUOTE, 20), (19 * QUOTE, 0), (0, 0)],
)
def test_buy_beyond_the_cash_is_cut_and_refused_under_the_minimum(cash: int, bought: int) -> None:
    rules = rules_with((BTC, ETH), min_order_notional=20 * QUOTE)
    done = run([Working(BTC, entry=entry())], {BTC: candle(BTC, 1_000)}, cash, rules)
    assert [each.amount for each in done.fills] == [bought] * (bought > 0)
    refused = Ending(f"{BTC}-entry", BTC, OrderState.REFUSED, "insufficient_cash")
    assert done.endings == (() if bought else (refused,))


def test_whole_buy_under_the_minimum_at_its_fill_price_fills() -> None:
    rules = rules_with((BTC, ETH), min_order_notional=20 * QUOTE)
    (buy,) = run([Working(BTC, entry=entry())], {BTC: candle(BTC, 100)}, rules=rules).fills
    assert buy.amount == 100


@pytest.mark.parametrize(
    ("prices", "reason", "price"),
    [
        ((1_000, 1_020, 951, 1_000), None, 0),
        ((1_000, 1_020, 950, 1_000), Reason.STOP, 950),
        ((940, 1_020, 930, 1_000), Reason.STOP, 940),  # gapped through the stop
        ((950, 1_000, 940, 1_000), Reason.STOP, 950),
        ((1_000, 1_050, 960, 1_000), Reason.TAKE_PROFIT, 1_050),
        ((1_000, 1_049, 960, 1_000), None, 0),
        ((1_070, 1_080, 1_060, 1_070), Reason.TAKE_PROFIT, 1_070),  # gapped over the target
        ((1_000, 1_060, 940, 1_000), Reason.STOP, 950),  # both touch: the stop was first
        ((1_070, 1_080, 940, 1_000), Reason.STOP, 950),
    ],
)
def test_protection_inside_a_candle_fires_at_its_price(
    prices: tuple[int, ...], reason: Reason | None, price: int
) -> None:
    assert sold(position(stop=950, target=1_050), *prices) == ([(reason, price)] if reason else [])


def test_slippage_applies_to_a_stop_and_not_to_a_target() -> None:
    rules = rules_with((BTC, ETH), USUAL)
    assert sold(position(stop=950), 1_000, 1_000, 900, 900, rules=rules) == [(Reason.STOP, 949)]
    assert sold(position(target=1_050), 1_000, 1_060, 1_000, 1_000, rules=rules) == [
        (Reason.TAKE_PROFIT, 1_050)
    ]


def test_position_with_a_waiting_exit_leaves_at_the_open_only() -> None:
    book = [Working(BTC, exit=leaving(), position=position(stop=950, target=1_050))]
    (sale,) = run(book, {BTC: candle(BTC, 1_000, 1_100, 900, 1_000)}).fills
    assert (sale.reason, sale.price) == (Reason.SIGNAL, 1_000)


@pytest.mark.parametrize("candles", [{}, {BTC: filled_candle(BTC, 900)}], ids=["absent", "filled"])
def test_open_time_without_trading_cancels_the_buy_and_fills_nothing(candles: dict[str, Candle]) -> None:
    (ending,) = run([Working(BTC, entry=entry())], candles).endings
    assert (ending.state, ending.why) == (OrderState.CANCELLED, "stale")
    held = position(stop=950, target=800)
    assert run([Working(BTC, position=held)], candles) == Executions()
    assert run([Working(BTC, exit=leaving(), position=held)], candles) == Executions()
    assert can_execute(Working(BTC, entry=entry()), candles.get(BTC))
    assert not can_execute(Working(BTC, exit=leaving(), position=held), candles.get(BTC))


def test_finer_candles_use_the_first_open_and_then_run_in_order() -> None:
    quarter = HOUR_MS // 4
    prices = [(1_000, 1_010, 990, 1_000), (1_000, 1_060, 1_000, 1_000), (1_000, 1_000, 900, 900)]
    moments = [Moment(START_MS + n * quarter, candle(BTC, *each)) for n, each in enumerate(prices)]
    rules = rules_with(stop_loss_percent=5 * PERCENT, take_profit_percent=5 * PERCENT)
    done = execute([Working(BTC, entry=entry())], 10**12, {BTC: moments}, rules)
    facts: list[Fill] = list(done.fills)
    assert [(each.reason, each.price, each.time_ms) for each in facts] == [
        (Reason.SIGNAL, 1_000, START_MS),
        (Reason.TAKE_PROFIT, 1_050, START_MS + quarter),
    ]
