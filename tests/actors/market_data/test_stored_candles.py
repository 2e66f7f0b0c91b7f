"""What a run stored stays as it was decided on; the rest comes from the exchange."""

import time
from decimal import Decimal

from actors.market_data.exchange.market import ExchangeMarket
from actors.market_data.exchange.stored import StoredCandles
from actors.persistence.runs import Mode, RunSetup
from actors.persistence.store import Store
from tests.actors.market_data.feeds import BTC, ETH, HISTORY, MINUTE, TICK, Follower, spec
from tests.support.exchange import LocalExchange
from tests.support.runs import rules_of
from trading.candles import Candle, filled_candle
from trading.engine import Engine
from trading.events import CandlesClosed, RunStarted
from trading.journal import Entry

STORED = 15


def store_candles(url: str, anchor_ms: int, first_open_ms: int) -> tuple[int, list[CandlesClosed]]:
    """A run with candles that the exchange has otherwise; the last one's ETH is filled."""
    store = Store.open(url, lambda: 1)
    started = RunStarted(rules_of(timeframe_ms=MINUTE), anchor_ms, first_open_ms)
    run = store.begin(RunSetup(Mode.PAPER), started)
    engine, closed = Engine.start(started), []
    for minute in range(STORED):
        btc = Candle(BTC, 5_000_000, 5_000_010, 4_999_990, 5_000_000 + minute % 10, 1.25)
        eth = filled_candle(ETH, 250_000) if minute else Candle(ETH, 1, 250_000, 1, 250_000, 0.1)
        event = CandlesClosed(first_open_ms + minute * MINUTE, (btc, eth))
        decisions = tuple(engine.handle(event))
        store.append(run.id, [Entry(engine.state.sequence, event, decisions)])
        closed.append(event)
    store.close()
    return run.id, closed


async def test_feed_of_a_run_that_goes_on_begins_with_what_it_stored(database_url: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    async with LocalExchange(now_ms=now_ms - now_ms % MINUTE + 1_000) as exchange:
        exchange.add_history(HISTORY + 5)
        feed = spec(exchange)
        first_open_ms = feed.anchor_ms + 10 * MINUTE
        run_id, stored = store_candles(database_url, feed.anchor_ms, first_open_ms)
        feed = spec(exchange, first_open_ms=first_open_ms, database_url=database_url, run_id=run_id)
        market = ExchangeMarket(feed, seed=1)
        follower = Follower(market, feed.anchor_ms - MINUTE)
        found: dict[int, dict[str, Candle]] = {}
        while len(found) < HISTORY:
            found |= await follower.next()
        again = await market.candles_after(first_open_ms, 4)
        await market.close()
    known = {each.open_time_ms: {one.symbol: one for one in each.candles} for each in stored}
    for time_ms, candles in found.items():
        told = exchange.tapes[BTC].candles[time_ms]
        expected = known[time_ms][BTC].close if time_ms in known else int(told.close * 100)
        assert candles[BTC].close == expected
        assert time_ms not in known or candles == known[time_ms]
    assert list(again.closed) == stored[1:5]


def test_database_without_the_run_has_no_candles(sqlite_url: str) -> None:
    ticks = {BTC: TICK, ETH: Decimal("0.01")}
    assert StoredCandles(sqlite_url, 1, ticks).last() is None
    store_candles(sqlite_url, 0, 0)
    assert StoredCandles(sqlite_url, 7, ticks).last() is None
    assert StoredCandles(sqlite_url, 7, ticks).closed(0, 10**12) == []
