"""What the decisions of a run leave behind, column by column."""

import json

from backtest.records import Records, votes_json, votes_text
from tests.support.runs import RandomRun, rules_of
from tests.trading.accounts import BTC, ETH, HOUR_MS, START_MS, Account, rules_with
from trading.events import CandlesClosed
from trading.journal import decode_entry, encode_entry
from trading.rules import PERCENT, Seat
from trading.signals import Side
from trading.vote import Vote

CROSS = Vote("cross", Side.BUY, 72_500_000, 1_500_000, START_MS, ("RSI 27.4 under 30", 'a "quote"'))
MOOD = Vote("mood", Side.HOLD, 0, 1_000_000, START_MS - 2 * HOUR_MS)


def recorded(account: Account) -> Records:
    records = Records()
    for entry in account.entries:
        if isinstance(entry.event, CandlesClosed):
            records.see(entry.event)
        records.take(entry.decisions)
    return records


def traded() -> Account:
    """A refused buy, a trade in BTC, and a position in ETH that stays open."""
    account = Account(rules_with((BTC, ETH), max_open_positions=1))
    account.hour({BTC: 1_000, ETH: 500}, BTC="BUY", ETH="BUY")
    account.hour({BTC: (1_000, 1_100, 1_000, 1_100), ETH: None}, BTC="SELL")
    account.hour({BTC: 1_100, ETH: 500}, ETH="BUY")
    account.hour({BTC: 1_100, ETH: (500, 510, 500, 510)})
    return account


def test_equity_has_one_row_an_open_time() -> None:
    records = recorded(traded())
    assert records.open_times_ms == [START_MS + hour * HOUR_MS for hour in range(4)]
    assert records.held == [False, True, False, True]
    assert records.equity == [1_000 * 10**8, 1_010 * 10**8, 1_010 * 10**8, 101_202 * 10**6]
    assert [cash <= equity for cash, equity in zip(records.cash, records.equity, strict=True)] == [True] * 4


def test_trades_and_open_positions_are_kept_apart() -> None:
    records = recorded(traded())
    assert [(trade.symbol, trade.realized_profit) for trade in records.trades] == [(BTC, 10 * 10**8)]
    assert [(symbol, held.amount) for symbol, held in records.open_positions.items()] == [(ETH, 202)]


def test_candles_leave_first_open_last_close_and_the_filled() -> None:
    records = recorded(traded())
    assert records.held_prices == {BTC: (1_000, 1_100), ETH: (500, 510)}
    assert records.candles_filled == 1


def test_outcomes_say_what_risk_said() -> None:
    columns = recorded(traded()).outcomes
    rows = list(zip(*(columns[name] for name in ("symbol", "outcome", "verdict", "refusal")), strict=True))
    assert rows[:4] == [
        (BTC, "BUY", "approved", ""),
        (ETH, "BUY", "refused", "max_open_positions"),
        (BTC, "SELL", "approved", ""),
        (ETH, "HOLD", "", ""),
    ]
    assert columns["order_id"][0] == f"{START_MS // 1000}-BTC-USDT-entry"
    assert columns["order_id"][2] == f"{START_MS // 1000 + 3600}-BTC-USDT-exit"
    assert {len(column) for column in columns.values()} == {8}


def test_votes_as_json_have_reasons_and_age_only_where_there_are_any() -> None:
    assert json.loads(votes_json(START_MS, (CROSS, MOOD))) == [
        {
            "strategy": "cross",
            "side": "BUY",
            "confidence": 72.5,
            "weight": 1.5,
            "reasons": ["RSI 27.4 under 30", 'a "quote"'],
        },
        {"strategy": "mood", "side": "HOLD", "confidence": 0.0, "weight": 1.0, "age_ms": 2 * HOUR_MS},
    ]
    assert json.loads(votes_json(START_MS, (MOOD,)))[0]["age_ms"] == 2 * HOUR_MS
    assert votes_json(START_MS, ()) == "[]"


def test_votes_in_words_name_strategy_side_and_confidence() -> None:
    assert votes_text((CROSS, MOOD)) == "cross BUY 72.5; mood HOLD 0"
    assert votes_text(()) == ""


def test_records_from_stored_entries_are_those_of_the_run() -> None:
    run = RandomRun(rules_of(), seed=5)
    live, stored = Records(), Records()
    for entry in run.entries(150):
        for records, each in ((live, entry), (stored, decode_entry(encode_entry(entry)))):
            if isinstance(each.event, CandlesClosed):
                records.see(each.event)
            records.take(each.decisions)
    assert live.trades and live.notices
    for name in ("open_times_ms", "equity", "cash", "held", "trades", "outcomes", "notices", "held_prices"):
        assert getattr(live, name) == getattr(stored, name)
    assert live.open_positions == stored.open_positions


def test_notices_are_kept_in_order() -> None:
    account = Account(rules_with(seats=(Seat("cross", PERCENT),)))
    account.pause()
    account.kill()
    assert [notice.code for notice in recorded(account).notices] == ["Pause", "kill_switch"]
