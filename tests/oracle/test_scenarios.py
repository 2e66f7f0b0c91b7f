"""The oracle against runs that were computed by hand: rulebook 1, 4, 5 and 6."""

from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle.scenario import HOUR_MS, MIDNIGHT_MS, flat, play, refusals

BUY_THEN_HOLD = {0: "BUY"}


def test_entry_and_exit_with_costs_give_the_hand_computed_profit() -> None:
    prices = [*flat(100), (100, 104, 99, 103), (110, 111, 109, 110)]
    costs: dict[str, Any] = {"fee_percent": D("0.1"), "slippage_percent": D(1), "position_size_percent": D(5)}
    result = play(prices, {0: "BUY", 1: "SELL"}, **costs)
    # Sizing: 100 x 1.01 = 101; 5 % of 1000 = 50; 50 / 101 = 0.495, on the lot 0.4.
    # Entry: 101 x 0.4 = 40.4, fee 0.0404. Exit: 110 x 0.99 = 108.9, down to 108; 43.2, fee 0.0432.
    trade = result.trades[0]
    assert (trade["entry_price"], trade["amount"], trade["entry_fee"]) == (D(101), D("0.4"), D("0.0404"))
    assert (trade["exit_price"], trade["exit_fee"], trade["exit_reason"]) == (D(108), D("0.0432"), "signal")
    # 43.2 - 40.4 - 0.0404 - 0.0432
    assert trade["realized_profit"] == D("2.7164")
    assert trade["profit_percent"] == Fraction(27164, 404000) * 100
    # At the close of candle 1: 1000 - 40.4 - 0.0404 + 0.4 x 103
    assert result.equity[1]["equity"] == D("1000.7596")


def test_fee_is_rounded_up_to_the_quote_unit() -> None:
    markets = {"A": (D("0.001"), D("0.00001"), D("0.000001"))}
    small: dict[str, Any] = {
        "markets": markets,
        "min_order_notional_quote": D("0.000001"),
        "fee_percent": D("0.1"),
    }
    result = play([*flat("0.333", 3)], BUY_THEN_HOLD, **small, position_size_percent=D("0.001"))
    # 0.01 / 0.333 = 0.03003; 0.333 x 0.03003 = 0.00999999; 0.1 % = 0.00000999999, up to 8 decimals 0.00001
    assert result.trades[0]["amount"] == D("0.03003")
    assert result.trades[0]["entry_fee"] == D("0.00001")


@pytest.mark.parametrize(
    ("candle", "price"),
    [
        ((100, 100, 94, 96), 94),  # stop 95, less 1 %: 94.05, down to 94
        ((100, 100, 95, 96), 94),  # a low that touches the stop is enough
        ((90, 99, 90, 99), 89),  # opened under the stop: 90 less 1 %: 89.1, down to 89
        ((95, 99, 95, 99), 94),  # opened at the stop
    ],
)
def test_stop_that_is_touched_fills_at_the_stop_or_the_open_less_slippage(
    candle: tuple[int, int, int, int], price: int
) -> None:
    # Entry: 99 x 1.01 = 99.99, up to 100; stop 95.
    result = play([*flat(99, 2), candle], BUY_THEN_HOLD, slippage_percent=D(1))
    assert result.trades[0]["entry_price"] == 100
    assert (result.trades[0]["exit_reason"], result.trades[0]["exit_price"]) == ("stop", price)
    assert result.trades[0]["exit_time"] == MIDNIGHT_MS + 2 * HOUR_MS


@pytest.mark.parametrize(
    ("candle", "reason", "price"),
    [
        ((100, 110, 96, 100), "take_profit", 110),  # target 110 touched: no slippage
        ((112, 113, 96, 100), "take_profit", 112),  # opened over it
        ((112, 113, 95, 100), "stop", 94),  # both: the stop was first, 95 less 1 %
    ],
)
def test_target_that_is_touched_fills_at_the_target_or_the_open(
    candle: tuple[int, int, int, int], reason: str, price: int
) -> None:
    result = play([*flat(99, 2), candle], BUY_THEN_HOLD, slippage_percent=D(1), take_profit_percent=D(10))
    assert (result.trades[0]["exit_reason"], result.trades[0]["exit_price"]) == (reason, price)


def test_position_opened_at_this_open_can_leave_inside_the_same_candle() -> None:
    result = play([*flat(100), (100, 100, 90, 97)], BUY_THEN_HOLD)
    assert result.trades[0]["entry_time"] == result.trades[0]["exit_time"] == MIDNIGHT_MS + HOUR_MS
    # 500 / 100 = 5 units; 5 x (95 - 100)
    assert result.trades[0]["realized_profit"] == -25


def test_trailing_stop_follows_the_highest_close_and_never_falls() -> None:
    prices = [*flat(100, 2), (100, 120, 100, 119), (119, 119, 110, 110), (110, 110, 106, 109)]
    result = play(prices, BUY_THEN_HOLD, trailing_stop_percent=D(10))
    # Stop 95; at the close of candle 2 it rises to 119 x 0.9 = 107.1, down to 107; 110 x 0.9 = 99 is lower.
    assert [row["positions"][0]["stop"] for row in result.equity[1:4]] == [95, 107, 107]
    assert (result.trades[0]["exit_price"], result.trades[0]["exit_reason"]) == (107, "stop")


def test_trailing_stop_without_a_stop_loss_begins_after_the_first_close() -> None:
    prices = [*flat(100), (100, 100, 50, 100), (100, 100, 89, 95)]
    result = play(prices, BUY_THEN_HOLD, stop_loss_percent=D(0), trailing_stop_percent=D(10))
    assert (result.trades[0]["exit_time"], result.trades[0]["exit_price"]) == (MIDNIGHT_MS + 2 * HOUR_MS, 90)


def test_cooldown_of_two_refuses_at_the_candle_of_the_stop_and_the_next() -> None:
    prices = [*flat(100), (100, 100, 90, 100), *flat(100, 4)]
    result = play(prices, dict.fromkeys(range(6), "BUY"), cooldown_candles_after_stop=2)
    assert refusals(result) == {1: "cooldown", 2: "cooldown"}
    assert [t["entry_time"] for t in result.trades] == [MIDNIGHT_MS + HOUR_MS, MIDNIGHT_MS + 4 * HOUR_MS]


def test_buy_that_costs_more_than_the_cash_is_cut_to_the_lot() -> None:
    result = play([*flat(100), *flat(130)], BUY_THEN_HOLD, position_size_percent=D(100))
    # Decided: 1000 / 100 = 10. At 130 they cost 1300; 1000 / 130 = 7.69, on the lot 7.6: 988.
    assert result.orders[0].amount == 10
    assert result.trades[0]["amount"] == D("7.6")
    assert result.equity[-1]["cash"] == 12


def test_buy_that_is_cut_under_the_minimum_is_refused_at_its_fill() -> None:
    market = {"A": (D(1), D(10), D(1))}
    result = play([*flat(100), *flat(101)], BUY_THEN_HOLD, position_size_percent=D(100), markets=market)
    assert result.orders[0].amount == 10
    assert result.orders[0].status == "refused"
    assert result.orders[0].status_reason == "min_notional"
    assert result.fills == []


def test_minimum_is_tested_at_the_stop_price_too() -> None:
    # 0.1 x 100 = 10 is at the minimum, its stop 0.1 x 95 = 9.5 is under it.
    tight: dict[str, Any] = {"position_size_percent": D(1), "min_order_notional_quote": D(10)}
    assert refusals(play(flat(100, 2), BUY_THEN_HOLD, **tight)) == {0: "min_notional"}
    assert refusals(play(flat(100, 2), BUY_THEN_HOLD, **tight, stop_loss_percent=D(0))) == {}


def test_waiting_orders_on_a_filled_candle_buy_is_cancelled_and_sell_waits() -> None:
    bought = play([*flat(100), None, *flat(100)], BUY_THEN_HOLD)
    assert (bought.orders[0].status, bought.orders[0].status_reason) == ("cancelled", "stale")
    sold = play([*flat(100, 2), None, None, *flat(90)], {0: "BUY", 1: "SELL", 2: "SELL"})
    # One waiting exit: the second SELL changes nothing; it fills at the next real open, before the stop.
    assert [o["verdict"] for o in sold.outcomes] == ["approved", "approved", "none", "none", "none"]
    assert (sold.trades[0]["exit_reason"], sold.trades[0]["exit_price"]) == ("signal", 90)
    assert sold.trades[0]["exit_time"] == MIDNIGHT_MS + 4 * HOUR_MS


@pytest.mark.parametrize(("hole", "refused"), [(2, []), (3, [4, 5])])
def test_hole_longer_than_allowed_refuses_until_the_warmup_has_closed(hole: int, refused: list[int]) -> None:
    prices = [*flat(100), *[None] * hole, *flat(100, 5)]
    says = dict.fromkeys(range(1, 9), "BUY")
    result = play(prices, says, max_gap_candles=2, warmup_candles=3, position_size_percent=D(1))
    # Warm-up 3: the strategy is absent until candle index 2. Real candles after a hole of 3: 4, 5, 6.
    holes = {i: "stale" for i in range(2, hole + 1)}
    assert refusals(result) == holes | dict.fromkeys(refused, "stale")
    entered = 6 if refused else hole + 1
    assert result.orders[0].decided_close_ms == MIDNIGHT_MS + (entered + 1) * HOUR_MS


def test_daily_loss_blocks_until_the_close_at_midnight() -> None:
    # Half of 1000 in 5 units. At 75 equity is 875: a loss of 12.5 %. Back at 100 it is still blocked.
    prices = [*flat(100, 2), *flat(75), *flat(100, 4)]
    says = {0: "BUY", 3: "SELL", 4: "BUY", 5: "BUY"}
    limits: dict[str, Any] = {"daily_loss_limit_percent": D("12.5"), "stop_loss_percent": D(0)}
    result = play(prices, says, first_ms=MIDNIGHT_MS - 6 * HOUR_MS, **limits)
    assert [row["blocked"] for row in result.equity] == [False, False, True, True, True, False, False]
    assert [o["verdict"] for o in result.outcomes][3:] == ["approved", "refused", "approved", "none"]


def test_kill_switch_sells_everything_and_only_the_reset_lets_entries_through() -> None:
    prices = [*flat(100, 2), *flat(60), *flat(50, 6)]
    says = dict.fromkeys(range(9), "BUY")
    off: dict[str, Any] = {
        "stop_loss_percent": D(0),
        "daily_loss_limit_percent": D(100),
        "kill_switch_percent": D(20),
    }
    result = play(prices, says, commands={5: ["reset_kill"]}, **off)
    # At 60: 500 + 5 x 60 = 800, a loss of exactly 20 %. Sold at 50: 750 is the new reference.
    assert [row["killed"] for row in result.equity[:7]] == [False, False, True, True, True, False, False]
    assert (result.trades[0]["exit_reason"], result.trades[0]["exit_price"]) == ("kill_switch", 50)
    assert refusals(result) == {3: "killed", 4: "killed", 5: "killed"}
    assert result.equity[5]["reference"] == result.equity[5]["peak"] == 750


def test_drawdown_from_the_peak_trips_the_kill_switch() -> None:
    prices = [*flat(100, 2), *flat(140), *flat(116), *flat(116)]
    result = play(prices, BUY_THEN_HOLD, max_drawdown_percent=D(10), stop_loss_percent=D(0))
    # Peak 500 + 5 x 140 = 1200; at 116: 1080, which is 10 % under it.
    assert result.trades[0]["exit_reason"] == "kill_switch"


def test_operator_commands_pause_close_all_and_close() -> None:
    says = {0: "BUY", 2: "BUY", 4: "BUY"}
    paused = play(flat(100, 7), says, commands={0: ["pause"], 1: ["close_all"], 3: ["resume"]})
    # The buy of candle 0 was sent before the pause; the exit goes on while paused.
    assert paused.trades[0]["exit_reason"] == "close_all"
    assert refusals(paused) == {2: "paused"}
    assert [t["entry_time"] for t in paused.trades] == [MIDNIGHT_MS + HOUR_MS, MIDNIGHT_MS + 5 * HOUR_MS]
    closed = play(flat(100, 3), {0: "BUY"}, commands={0: [("close", "A")]})
    assert (closed.orders[0].status, closed.fills) == ("cancelled", [])


def test_waiting_exit_takes_the_reason_that_ranks_first() -> None:
    result = play([*flat(100, 2), None, *flat(100)], {0: "BUY", 1: "SELL"}, commands={2: ["kill"]})
    assert result.trades[0]["exit_reason"] == "kill_switch"
    assert len(result.orders) == 2


def test_symbols_at_one_close_are_sized_in_order_from_the_free_cash() -> None:
    prices = {"A": flat(100, 2), "B": flat(100, 2), "C": flat(100, 2)}
    says = {s: BUY_THEN_HOLD for s in prices}
    result = play(prices, says, position_size_percent=D(60), fee_percent=D(1))
    # A: 600 + 6. Free: 394; B: 3.9 x 100 + 3.9 = 393.9. Free: 0.1; C: 0, under the minimum.
    assert [(o.symbol, o.amount) for o in result.orders] == [("A", 6), ("B", Fraction("3.9"))]
    assert result.outcomes[2]["reason"] == "min_notional"
    assert result.equity[1]["cash"] == D("0.1")


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"max_open_positions": 1}, "max_open_positions"),
        ({"max_exposure_percent": D("79.9")}, "max_exposure"),
        ({"max_exposure_percent": D(80)}, ""),
        ({"max_orders_per_minute": 1}, "max_orders_per_minute"),
    ],
)
def test_limits_count_what_was_decided_at_the_same_close(limit: dict[str, Any], reason: str) -> None:
    prices = {"A": flat(100, 2), "B": flat(100, 2)}
    settings: dict[str, Any] = {"position_size_percent": D(40)} | limit
    result = play(prices, {s: BUY_THEN_HOLD for s in prices}, **settings)
    assert [o["reason"] for o in result.outcomes[:2]] == ["", reason]


def test_waiting_sells_bring_cash_to_the_buys_of_the_same_open() -> None:
    prices = {"A": [*flat(100, 2), *flat(100)], "B": [*flat(100, 2), *flat(105)]}
    says = {"A": {0: "BUY", 1: "SELL"}, "B": {1: "BUY"}}
    result = play(prices, says, position_size_percent=D(60))
    # A holds 6, cash 400. B is sized to 4 from the free cash; at 105 they cost 420: A's 600 pay for it.
    assert [(t["symbol"], t["amount"]) for t in result.trades] == [("A", 6), ("B", 4)]
    assert result.equity[2]["cash"] == 580


def test_symbol_that_ended_keeps_its_position_at_its_last_close() -> None:
    prices = {"A": flat(100, 2), "B": flat(50, 4)}
    result = play(prices, {"A": {0: "BUY", 1: "SELL"}, "B": {}})
    assert [row["equity"] for row in result.equity] == [1000] * 4
    assert result.trades[0]["exit_reason"] == "open"
    assert result.orders[-1].status == "waiting"
