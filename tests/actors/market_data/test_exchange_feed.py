"""The live feed on a local exchange: history, candles and quotes, by sockets and without, and faults."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from actors.market_data.exchange.market import ExchangeMarket
from actors.market_data.exchange.warmup import LEAST_CANDLES, warmup
from tests.actors.market_data.feeds import (
    BTC,
    ETH,
    HISTORY,
    MINUTE,
    Follower,
    connected,
    following,
    spec,
)
from tests.support.exchange import LocalExchange
from trading.candles import Candle
from trading.errors import InputError, OperationError
from trading.events import CandlesClosed
from trading.exchange_orders import Quote


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    now_ms = time.time_ns() // 1_000_000
    async with LocalExchange(now_ms=now_ms - now_ms % MINUTE + 1_000) as exchange:
        exchange.add_history(HISTORY + 5)
        yield exchange


@pytest.fixture
async def live(exchange: LocalExchange) -> AsyncIterator[Follower]:
    """A feed with its history read and its sockets connected."""
    async with following(exchange) as follower:
        assert len(await follower.next()) == HISTORY
        await follower.facts(connected)
        yield follower


# History and live.


async def test_history_reaches_from_the_anchor_to_the_newest_closed_candle(exchange: LocalExchange) -> None:
    async with following(exchange) as follower:
        history = await follower.next()
    assert len(history) == HISTORY
    for time_ms, found in history.items():
        told = exchange.tapes[BTC].candles[time_ms]
        candle = found[BTC]
        ticks = [int(100 * each) for each in (told.open, told.high, told.low, told.close)]
        assert [candle.open, candle.high, candle.low, candle.close] == ticks
        assert (candle.volume, candle.filled) == (7.0, False)


async def test_candle_that_closes_comes_at_once_with_all_its_trades(
    exchange: LocalExchange, live: Follower
) -> None:
    for price in ("60100", "59900.01", "60050"):
        exchange.set_price(BTC, price)
    exchange.close_candle({ETH: "3001"})
    found = await live.one(1.0)
    candle = found[BTC]
    assert (candle.open, candle.high, candle.low, candle.close) == (
        6_000_000,
        6_010_000,
        5_990_001,
        6_005_000,
    )
    assert found[ETH].close == 300_100


async def test_limit_is_kept_and_the_same_question_has_the_same_answer(live: Follower) -> None:
    after_ms = live.after_ms - 10 * MINUTE
    first = await live.market.candles_after(after_ms, 4)
    assert len(first.closed) == 4 and not first.ended
    assert first == await live.market.candles_after(after_ms, 4)


async def test_open_times_that_left_memory_are_answered_from_the_exchange(
    exchange: LocalExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(exchange) as follower:
        whole = await follower.market.candles_after(follower.after_ms, 1_000)
    monkeypatch.setattr("actors.market_data.exchange.market.HELD", 5)
    async with following(exchange) as follower:
        found: list[CandlesClosed] = []
        while len(found) < HISTORY:
            batch = await follower.market.candles_after(follower.after_ms, 7)
            found += batch.closed
            follower.after_ms = found[-1].open_time_ms
    assert tuple(found) == whole.closed


async def test_quotes_come_by_the_socket_with_the_time_of_the_exchange(
    exchange: LocalExchange, live: Follower
) -> None:
    exchange.step(3_600_000)
    exchange.set_price(BTC, "60123.45", bid="60123.40", ask="60123.50")

    def fits(quote: Quote) -> bool:
        return quote.symbol == BTC and abs(quote.time_ms - exchange.clock.now_ms()) < 1_000

    async with asyncio.timeout(10):
        while not (found := [quote for quote in (await live.quotes()) if fits(quote)]):
            pass
    assert (found[0].bid, found[0].ask) == (Decimal("60123.4"), Decimal("60123.5"))


async def test_cursor_of_another_process_is_none(live: Follower) -> None:
    await live.bid(BTC)
    cursor, quotes = await live.market.quotes(10**18)
    assert {quote.symbol for quote in quotes} == {BTC, ETH} and cursor < 10**18


# Sockets that fail.


async def test_silent_sockets_are_replaced_by_questions_and_opened_anew(
    exchange: LocalExchange, live: Follower
) -> None:
    exchange.set(sockets_silent=True)
    exchange.set_price(BTC, "61000")
    assert await live.bid(BTC, 6.0) < 61_000
    exchange.close_candle({ETH: "3005"})
    found = await live.one(15.0)
    assert (found[BTC].close, found[ETH].close) == (6_100_000, 300_500)
    await live.facts(lambda facts: facts["reconnects"] >= 2, 15.0)
    exchange.set(sockets_silent=False)
    await live.facts(connected)
    exchange.close_candle({BTC: "62000"})
    assert (await live.one(2.0))[BTC].close == 6_200_000


async def test_dropped_sockets_come_back(exchange: LocalExchange, live: Follower) -> None:
    exchange.drop_sockets()
    await live.facts(lambda facts: facts["reconnects"] >= 2)
    await live.facts(connected)
    exchange.close_candle({BTC: "60500"})
    assert (await live.one(2.0))[BTC].close == 6_050_000


async def test_exchange_without_sockets_is_asked(exchange: LocalExchange) -> None:
    exchange.set(sockets_refused=True)
    async with following(exchange) as follower:
        await follower.next()
        for price in ("60100", "60200"):
            exchange.close_candle({BTC: price})
            assert (await follower.one(10.0))[BTC].close == int(price) * 100
        exchange.set_price(BTC, "60300")
        while await follower.bid(BTC) < 60_299:
            pass
        assert not any((await follower.market.health()).facts["sockets"].values())


@pytest.mark.parametrize("fault", ["sockets_duplicate", "sockets_reorder"])
async def test_messages_twice_or_out_of_order_give_the_same_candles(
    exchange: LocalExchange, live: Follower, fault: str
) -> None:
    exchange.set(**{fault: True})
    for minute in range(3):
        for step in range(4):
            exchange.set_price(BTC, str(60_000 + 100 * minute + step))
            await asyncio.sleep(0.02)
        exchange.close_candle({ETH: str(3_000 + minute)})
        candle = (await live.one())[BTC]
        told = exchange.tapes[BTC].candles[live.after_ms]
        assert (candle.high, candle.low, candle.close) == tuple(
            int(100 * each) for each in (told.high, told.low, told.close)
        )
        assert candle.volume == float(told.volume)


# Holes and bad candles.


async def test_symbol_without_a_candle_gets_a_filled_one(exchange: LocalExchange, live: Follower) -> None:
    open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    exchange.tapes[ETH].missing.add(open_ms + MINUTE)
    exchange.close_candle({ETH: "3001"})
    await live.next()
    exchange.close_candle({BTC: "60100"})
    found = await live.one(10.0)
    assert (found[BTC].filled, found[BTC].close) == (False, 6_010_000)
    assert (found[ETH].filled, found[ETH].close, found[ETH].volume) == (True, 300_100, 0.0)


async def test_symbol_that_trades_no_more_holds_the_others_for_five_seconds(
    exchange: LocalExchange, live: Follower
) -> None:
    open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    exchange.tapes[ETH].missing.update(range(open_ms + MINUTE, open_ms + 10 * MINUTE, MINUTE))
    exchange.close_candle({ETH: "3001"})
    await live.next()
    begun = time.monotonic()
    exchange.close_candle({BTC: "60100"})
    found = await live.one(8.0)
    assert 3.0 < time.monotonic() - begun < 7.0
    assert (found[ETH].filled, found[ETH].close) == (True, 300_100)


async def test_hole_in_one_answer_is_no_hole(exchange: LocalExchange) -> None:
    open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    lines = [
        [time_ms, "60000", "60000", "60000", "60000", "1", time_ms + MINUTE - 1, "1", 1, "1", "1", "0"]
        for time_ms in range(open_ms - HISTORY * MINUTE, open_ms + 1, MINUTE)
        if time_ms != open_ms - 7 * MINUTE
    ]
    exchange.fault(path="/klines", params={"symbol": "BTCUSDT"}, body=str(lines).replace("'", '"'))
    async with following(exchange) as follower:
        found: dict[int, dict[str, Candle]] = {}
        while len(found) < HISTORY:
            found |= await follower.next()
    assert not any(candle.filled for each in found.values() for candle in each.values())


async def test_bad_candles_are_dropped_and_counted(exchange: LocalExchange, live: Follower) -> None:
    open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    exchange.put_candle(BTC, open_ms, "NaN", "60000", "60000", "60000")
    exchange.put_candle(BTC, open_ms, "60000", "59000", "60000", "60000")
    exchange.put_candle(BTC, open_ms, "60000", "60000", "60000", "60000", "-1")
    exchange.put_candle(BTC, open_ms + 3_600_000, "60000", "60000", "60000", "60000")
    await live.facts(lambda facts: facts["dropped_candles"] >= 3)
    exchange.tapes[BTC].candles.pop(open_ms + 3_600_000)
    exchange.put_candle(BTC, open_ms, "60000", "60200", "60000", "60100", "3")
    exchange.close_candle()
    candle = (await live.one(5.0))[BTC]
    assert (candle.high, candle.close, candle.volume) == (6_020_000, 6_010_000, 3.0)


async def test_revision_of_a_closed_candle_changes_nothing(exchange: LocalExchange, live: Follower) -> None:
    exchange.close_candle({BTC: "60100"})
    await live.next()
    exchange.put_candle(BTC, live.after_ms, "60000", "99999", "60000", "99999", "50")
    await live.facts(lambda facts: facts["revised_candles"] == 1)
    exchange.close_candle()
    await live.next()
    batch = await live.market.candles_after(live.after_ms - 2 * MINUTE, 1)
    assert batch.closed[0].candles[0].close == 6_010_000


async def test_bad_prices_are_dropped(exchange: LocalExchange, live: Follower) -> None:
    exchange.set_price(BTC, "60000", bid="60001", ask="60000")
    await live.facts(lambda facts: facts["dropped_quotes"] >= 1)
    exchange.set_price(BTC, "60010", bid="60009", ask="60011")
    while await live.bid(BTC) != 60_009:
        pass


# An exchange that does not answer as it should.


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "body": "<html>"},
        {"reset": True},
        {"cut": True},
        {"body": "{}"},
        {"body": "[]"},
        {"body": '[["x"]]'},
        {"body": "[null]"},
        {"body": ""},
    ],
    ids=str,
)
async def test_faulty_answers_are_asked_for_again(exchange: LocalExchange, fault: dict[str, object]) -> None:
    exchange.fault(path="/klines", count=3, **fault)
    async with following(exchange) as follower:
        found: dict[int, object] = {}
        while len(found) < HISTORY:
            found |= await follower.next()
        exchange.close_candle({BTC: "60100"})
        assert (await follower.one(10.0))[BTC].close == 6_010_000


async def test_after_429_nothing_is_asked_until_the_named_time(
    exchange: LocalExchange, live: Follower
) -> None:
    exchange.set(sockets_silent=True)
    exchange.fault(status=429, code=-1003, headers={"Retry-After": "4"})
    await live.facts(lambda facts: facts["silent_seconds"] > 3.0)
    asked = len(exchange.truth().requests)
    await asyncio.sleep(2.5)
    assert len(exchange.truth().requests) == asked
    exchange.close_candle({BTC: "60100"})
    assert (await live.one(15.0))[BTC].close == 6_010_000


async def test_ban_is_waited_out_in_silence_while_sockets_go_on(
    exchange: LocalExchange, live: Follower
) -> None:
    exchange.set(sockets_silent=True)
    exchange.ban(6)
    await live.facts(lambda facts: facts["silent_seconds"] > 2.0)
    asked = len(exchange.truth().requests)
    exchange.set(sockets_silent=False)
    exchange.close_candle({BTC: "60100"})
    assert (await live.one(4.0))[BTC].close == 6_010_000
    assert len(exchange.truth().requests) == asked


async def test_weight_that_others_use_makes_it_pause(exchange: LocalExchange) -> None:
    async with following(exchange, options={**exchange.ccxt_options(), "rateLimit": 50}) as follower:
        await follower.next()
        exchange.set(sockets_silent=True)
        exchange.use_weight(1_000)
        facts = await follower.facts(lambda facts: facts["silent_seconds"] > 0)
    assert facts["weight_used"] > 840 and "weight" in facts["last_error"]


async def test_exchange_that_is_down_at_the_start_is_waited_for(exchange: LocalExchange) -> None:
    port = exchange.port
    feed = spec(exchange)
    await exchange.stop()
    market = ExchangeMarket(feed, seed=1)
    asking = asyncio.ensure_future(market.candles_after(feed.anchor_ms - MINUTE, 1_000))
    cursor, quotes = await market.quotes(0)
    assert (await market.health()).facts["failure"] == "" and quotes == () and cursor > 0
    await exchange.start(port)
    async with asyncio.timeout(20):
        assert len((await asking).closed) == HISTORY
    await market.close()


async def test_clock_that_is_set_forth_and_back_closes_nothing_early(
    exchange: LocalExchange, live: Follower
) -> None:
    open_ms = exchange.clock.now_ms() // MINUTE * MINUTE
    exchange.set(sockets_silent=True)
    await live.facts(lambda facts: not any(facts["sockets"].values()), 15.0)
    exchange.fault(path="/time", count=-1, body=f'{{"serverTime": {open_ms + MINUTE + 20_000}}}')
    async with asyncio.timeout(10):
        while live.market.exchange_now_ms() < open_ms + MINUTE:
            await asyncio.sleep(0.05)
    with pytest.raises(TimeoutError):
        await live.one(3.0)
    exchange.clear()
    exchange.fault(path="/time", count=-1, body=f'{{"serverTime": {open_ms - 30_000}}}')
    exchange.close_candle({BTC: "60100"})
    assert (await live.one(15.0))[BTC].close == 6_010_000


# What the user must mend.


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"exchange_id": "binnance"}, "exchange.id"),
        ({"ticks": (("FOO/USDT", 1),)}, "FOO/USDT"),
        ({"timeframe_ms": 7 * MINUTE}, "engine.timeframe"),
        ({"options": {"urls": 7}}, "exchange.options"),
    ],
)
async def test_feed_that_cannot_be_says_why(
    exchange: LocalExchange, changed: dict[str, object], words: str
) -> None:
    async with following(exchange, **changed) as follower:
        with pytest.raises(InputError, match=words):
            await follower.next()
        with pytest.raises(InputError, match=words):
            await follower.market.quotes(0)
        assert words in (await follower.market.health()).facts["failure"]


async def test_warmup_ends_with_the_candle_that_is_open(exchange: LocalExchange) -> None:
    options = exchange.ccxt_options()
    found = await warmup("binanceus", options, [BTC, ETH], MINUTE, 1_000)
    assert found.first_open_ms == exchange.clock.now_ms() // MINUTE * MINUTE
    assert found.anchor_ms == found.first_open_ms - 1_000 * MINUTE
    found = await warmup("binanceus", options, [BTC], MINUTE, 5)
    assert found.first_open_ms - found.anchor_ms == LEAST_CANDLES * MINUTE


async def test_warmup_on_an_exchange_that_does_not_answer_says_so(exchange: LocalExchange) -> None:
    exchange.fault(count=-1, status=503)
    with pytest.raises(OperationError, match="binanceus"):
        await warmup("binanceus", exchange.ccxt_options(), [BTC], MINUTE, 5)
