"""The local exchange does to the real ccxt what an exchange does, right and wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from actors.exchange_client import ccxt_errors, make_client
from tests.support.exchange import API_KEY, API_SECRET, ExchangeProcess, LocalExchange, Market

BTC = "BTC/USDT"
ORDER = {"method": "POST", "path": "/order"}
NOW_MS = 1_700_000_030_000
MINUTE_MS = 60_000


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    async with LocalExchange() as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: LocalExchange) -> AsyncIterator[Any]:
    client = make_client("binanceus", exchange.ccxt_options(), API_KEY, API_SECRET)
    client.number = str
    await client.load_markets()
    yield client
    await client.close()


def raises(error: str, told: str | None = None) -> Any:
    """That ccxt raises an error of this name."""
    return pytest.raises(getattr(ccxt_errors(), error), match=told)


async def buy(client: Any, client_id: str, amount: str = "0.01") -> Any:
    return await client.create_order(BTC, "market", "buy", amount, None, {"newClientOrderId": client_id})


async def stop(client: Any, client_id: str, trigger: str, limit: str, amount: str = "0.00999") -> Any:
    named = {"stopPrice": trigger, "newClientOrderId": client_id}
    return await client.create_order(BTC, "STOP_LOSS_LIMIT", "sell", amount, limit, named)


async def asked(client: Any, client_id: str) -> Any:
    return await client.fetch_order(None, BTC, {"origClientOrderId": client_id})


async def test_market_order_fills_at_the_best_price_and_pays_its_fee_in_what_is_received(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.set(fill_parts=2)
    order = await buy(client, "a")
    trades = await client.fetch_my_trades(BTC)
    assert (order["status"], order["filled"]) == ("closed", "0.01000000")
    assert [(each["price"], each["amount"]) for each in trades] == [("60000.00000000", "0.00500000")] * 2
    assert [each["fee"] for each in trades] == [{"cost": "0.00000500", "currency": "BTC"}] * 2
    truth = exchange.truth()
    assert {name: each.free for name, each in truth.balances.items() if each.free} == {
        "BTC": Decimal("0.00999"),
        "USDT": Decimal("9400"),
    }
    assert truth.problems == []


async def test_stop_limit_under_a_gap_stays_open_until_the_price_returns(
    exchange: LocalExchange, client: Any
) -> None:
    await buy(client, "a")
    await stop(client, "s", "59000", "58900")
    assert exchange.truth().balances["BTC"].locked == Decimal("0.00999")
    exchange.set_price(BTC, "57000")
    gapped = await asked(client, "s")
    assert (gapped["status"], gapped["filled"], gapped["info"]["isWorking"]) == ("open", "0.00000000", True)
    exchange.set_price(BTC, "58950")
    (fill,) = exchange.truth().fills_of("s")
    assert (fill.price, fill.maker, fill.fee_currency) == (Decimal("58900"), True, "USDT")
    assert exchange.truth().problems == []


async def test_stop_market_when_it_is_offered_fills_through_a_gap(
    exchange: LocalExchange, client: Any
) -> None:
    await buy(client, "a")
    stop_market = {"stopPrice": "59000", "newClientOrderId": "s"}
    with raises("InvalidOrder"):
        await client.create_order(BTC, "STOP_LOSS", "sell", "0.00999", None, stop_market)
    exchange.set(stop_market=True)
    await client.load_markets(True)
    await client.create_order(BTC, "STOP_LOSS", "sell", "0.00999", None, stop_market)
    exchange.set_price(BTC, "57000")
    (fill,) = exchange.truth().fills_of("s")
    assert fill.price == Decimal("56999.99")


async def test_short_liquidity_fills_a_part_and_a_cancel_frees_the_rest(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.set(liquidity={BTC: "0.004"})
    market = await buy(client, "m")
    assert (market["status"], market["filled"]) == ("expired", "0.00400000")
    limit = {"newClientOrderId": "l"}
    await client.create_order(BTC, "limit", "buy", "0.01", "59000", limit)
    exchange.fill("l", "0.003")
    assert (await asked(client, "l"))["filled"] == "0.00300000"
    assert exchange.truth().balances["USDT"].locked == Decimal("413")
    assert (await client.cancel_order("1002", BTC))["status"] == "canceled"
    assert exchange.truth().balances["USDT"].locked == 0
    with raises("OrderNotFound", "-2011"):
        await client.cancel_order("1002", BTC)
    assert exchange.truth().problems == []


REFUSALS: list[tuple[dict[str, str], str, str]] = [
    ({"quantity": "0.000011"}, "InvalidOrder", "lot size"),
    ({"quantity": "200"}, "InvalidOrder", "MARKET_LOT_SIZE"),
    ({"quantity": "0.0001"}, "BadRequest", "NOTIONAL"),
    ({"quantity": "1"}, "InsufficientFunds", "insufficient balance"),
    ({"quantity": "NaN"}, "BadRequest", "-1100"),
    ({"type": "LIMIT", "price": "1.001"}, "InvalidOrder", "price is invalid"),
    ({"newClientOrderId": "open"}, "InvalidOrder", "Duplicate order sent"),
    ({"symbol": "XRPUSDT"}, "BadSymbol", "-1121"),
    ({"side": "HOLD"}, "BadRequest", "-1117"),
    ({"timestamp": "1"}, "InvalidNonce", "-1021"),
]


async def test_order_that_breaks_a_rule_is_refused_and_not_kept(exchange: LocalExchange, client: Any) -> None:
    await client.create_order(BTC, "limit", "buy", "0.01", "50000", {"newClientOrderId": "open"})
    for wrong, error, told in REFUSALS:
        limit = {"timeInForce": "GTC"} if "price" in wrong else {}
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", **limit, **wrong}
        with raises(error, told):
            await client.private_post_order(order)
    assert [each.client_id for each in exchange.truth().orders] == ["open"]


FAULTS: list[dict[str, Any]] = [
    {"status": 503},
    {"status": 503, "code": -1007, "message": "Timeout waiting for response from backend server."},
    {"status": 502, "body": "<html>Bad gateway</html>"},
    {"reset": True},
    {"hold_ms": 700, "reset": True},
]


async def test_faults_hide_from_the_client_whether_the_order_was_executed(
    exchange: LocalExchange, client: Any
) -> None:
    kept = []
    for number, fault in enumerate(FAULTS):
        for executed in (False, True):
            exchange.fault(**ORDER, **fault, executed=executed, params={"side": "BUY"})
            client.timeout = 400 if "hold_ms" in fault else 10_000
            with raises("BaseError"):
                await buy(client, f"{number}-{executed}", "0.001")
        kept.append(f"{number}-True")
    truth = exchange.truth()
    assert [each.client_id for each in truth.orders] == kept
    assert list(truth.sent.values()) == [1] * 2 * len(FAULTS)
    assert all(each.faulty for each in truth.requests if each.method == "POST")


async def test_fault_takes_only_the_requests_that_fit_after_those_it_skips(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.fault(
        **ORDER, params={"side": "BUY"}, skip=1, count=1, code=-1015, message="Too many new orders."
    )
    await buy(client, "first", "0.001")
    await client.fetch_balance()
    with raises("BaseError", "-1015"):
        await buy(client, "second", "0.001")
    await buy(client, "third", "0.001")
    assert [each.client_id for each in exchange.truth().orders] == ["first", "third"]


async def test_malformed_answers_come_after_the_order_was_taken(exchange: LocalExchange, client: Any) -> None:
    bodies = ["[]", "", '{"symbol":"BTCUSDT"}', '{"symbol":"BTCUSDT","orde']
    for number, body in enumerate(bodies):
        exchange.fault(**ORDER, executed=True, body=body)
        with suppress(ccxt_errors().BaseError):
            assert (await buy(client, str(number), "0.001"))["id"] is None
    assert [each.status for each in exchange.truth().orders] == ["FILLED"] * len(bodies)


async def test_cut_answer_comes_after_the_order_was_taken(exchange: LocalExchange, client: Any) -> None:
    exchange.fault(**ORDER, cut=True)
    with raises("BaseError"):
        await buy(client, "a")
    assert exchange.truth().order("a").status == "FILLED"


async def test_late_order_lands_after_its_error_unless_its_window_is_over(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.fault(**ORDER, late_ms=150, status=503, count=2)
    for client_id, window in (("late", 5_000), ("too-late", 100)):
        with raises("OperationFailed"):
            params = {"newClientOrderId": client_id, "recvWindow": window}
            await client.create_order(BTC, "market", "buy", "0.01", None, params)
    with raises("OrderNotFound", "-2013"):
        await asked(client, "late")
    while exchange.rest.late:
        await asyncio.sleep(0.01)
    assert [each.client_id for each in exchange.truth().orders] == ["late"]


async def test_new_order_and_its_trades_are_hidden_as_long_as_said(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.set(orders_hidden_ms=100, trades_hidden_ms=60_000)
    await buy(client, "a")
    with raises("OrderNotFound"):
        await asked(client, "a")
    await asyncio.sleep(0.1)
    assert (await asked(client, "a"))["filled"] == "0.01000000"
    assert await client.fetch_my_trades(BTC) == []


async def test_limits_tell_when_to_come_back_and_a_ban_holds_for_everything(
    exchange: LocalExchange, client: Any
) -> None:
    exchange.set(weight_limit=100)
    exchange.use_weight(200)
    with raises("DDoSProtection", "429"):
        await client.fetch_time()
    assert 0 < int(client.last_response_headers["Retry-After"]) <= 60
    assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) > 200
    exchange.clear()
    exchange.ban(30)
    for ask in (client.fetch_time, client.fetch_balance):
        with raises("DDoSProtection", "418"):
            await ask()
    exchange.clear()
    assert await client.fetch_time() > 0


async def test_keys_and_clocks_that_are_wrong_are_refused(exchange: LocalExchange, client: Any) -> None:
    assert (await client.sapi_get_account_apirestrictions())["enableWithdrawals"] is False
    client.secret = "another"
    with raises("AuthenticationError", "-1022"):
        await client.fetch_balance()
    client.secret = API_SECRET
    exchange.step(MINUTE_MS)
    await client.fetch_balance()
    exchange.jump_clock(30_000)
    with raises("InvalidNonce", "-1021"):
        await client.fetch_balance()
    await client.load_time_difference()
    client.options["adjustForTimeDifference"] = True
    await client.fetch_balance()
    exchange.set(revoked=True)
    with raises("BaseError", "-2015"):
        await client.fetch_balance()


async def test_candles_are_closed_by_steps_with_holes_and_revisions() -> None:
    async with LocalExchange(now_ms=NOW_MS) as exchange:
        client = make_client("binanceus", exchange.ccxt_options())
        exchange.add_history(120)
        first = exchange.close_candle({BTC: "60500"})
        exchange.close_candle(missing=[BTC])
        exchange.close_candle({BTC: "59000"})
        exchange.put_candle(BTC, first, "1", "2", "0.5", "1.5", "NaN")
        rows = [list(map(float, row)) for row in await client.fetch_ohlcv(BTC, "1m", since=first, limit=10)]
        assert [row[0] for row in rows] == [first, first + 2 * MINUTE_MS, first + 3 * MINUTE_MS]
        assert rows[0][1:5] == [1, 2, 0.5, 1.5]
        assert rows[1][1:] == [60_500, 60_500, 59_000, 59_000, 1]
        hours = await client.fetch_ohlcv("ETH/USDT", "1h")
        assert sum(float(row[5]) for row in hours) == 120 * 7 + 1
        await client.close()


async def test_sockets_tell_candles_and_best_prices_and_break_at_will(
    exchange: LocalExchange, client: Any
) -> None:
    wanted = [[BTC, "1m"], ["ETH/USDT", "1m"]]
    await client.watch_ohlcv_for_symbols(wanted)
    closed = exchange.close_candle({BTC: "60100"})
    rows: list[Any] = []
    while not rows or rows[-1][0] <= closed:
        rows = (await client.watch_ohlcv_for_symbols(wanted)).get(BTC, {}).get("1m", rows)
    assert [row[4] for row in rows if row[0] == closed] == [60_100]
    assert (await client.watch_bids_asks([BTC]))[BTC]["bid"] == "60099.99000000"
    exchange.drop_sockets()
    with raises("NetworkError"):
        for _ in range(100):
            await client.watch_bids_asks([BTC])
    exchange.set(sockets_refused=True)
    with raises("NetworkError"):
        await client.watch_bids_asks([BTC])
    exchange.set(sockets_refused=False, sockets_silent=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.watch_bids_asks([BTC]), 1)
    exchange.set(sockets_silent=False)
    await asyncio.wait_for(client.watch_bids_asks([BTC]), 5)


async def test_socket_messages_come_twice_and_newest_first_at_will(exchange: LocalExchange) -> None:
    exchange.set(sockets_duplicate=True, sockets_reorder=True)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{exchange.port}/stream/ws/0") as line,
    ):
        await line.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1})
        told: list[int] = []
        while len(told) < 20:
            for price in ("60000", "60001", "60002"):
                exchange.set_price(BTC, price)
            told += [message["u"] for _ in range(6) if "u" in (message := await line.receive_json())]
    assert any(later < sooner for sooner, later in pairwise(told))
    assert max(Counter(told).values()) > 1


async def test_halted_market_and_exhausted_rights_refuse_orders(exchange: LocalExchange, client: Any) -> None:
    exchange.set(halted=[BTC])
    assert (await client.load_markets(True))[BTC]["active"] is False
    with raises("BaseError", "Market is closed"):
        await buy(client, "a")
    exchange.set(halted=[], can_trade=False)
    with raises("BaseError", "-2015"):
        await buy(client, "b")
    exchange.clear()
    exchange.set_market(BTC, lot="0.01", min_notional="1000")
    with raises("BaseError", "NOTIONAL"):
        await buy(client, "c")
    exchange.transfer("BNB", Decimal(1))
    exchange.set(fee_currency="BNB", fee_currency_price="600")
    await buy(client, "d", "0.02")
    assert exchange.truth().balances["BNB"].free == Decimal("0.998")
    assert exchange.truth().problems == []


async def test_acts_by_hand_are_told_as_such(exchange: LocalExchange, client: Any) -> None:
    await buy(client, "a")
    await stop(client, "s", "59000", "58900")
    exchange.cancel_by_hand("s")
    exchange.order_by_hand(BTC, "SELL", "MARKET", "0.005")
    exchange.transfer("USDT", "-50")
    truth = exchange.truth()
    assert (await asked(client, "s"))["status"] == "canceled"
    assert [each.by_hand for each in truth.orders] == [False, False, True]
    assert truth.problems == [] and truth.sent == {"a": 1, "s": 1}


async def test_exchange_that_went_down_is_back_at_its_port_with_its_orders(
    exchange: LocalExchange, client: Any
) -> None:
    await buy(client, "a")
    port = exchange.port
    await exchange.stop()
    with raises("NetworkError"):
        await client.fetch_time()
    await exchange.start(port)
    assert (await asked(client, "a"))["status"] == "closed"


async def test_process_does_and_tells_the_same(tmp_path: Path) -> None:
    markets = (Market(BTC, lot=Decimal("0.001")),)
    with ExchangeProcess(tmp_path, holdings={"USDT": Decimal(500)}, markets=markets) as exchange:
        exchange.call("set_price", BTC, Decimal("61000"))
        exchange.call("order_by_hand", BTC, "BUY", "MARKET", "0.001", newClientOrderId="mine")
        client = make_client("binanceus", exchange.ccxt_options(), API_KEY, API_SECRET)
        await client.load_markets()
        assert (await client.fetch_balance())["USDT"]["total"] == "439"
        assert client.markets[BTC]["precision"]["amount"] == "0.00100000"
        await client.close()
        truth = exchange.truth()
        assert truth.order("mine").cost == Decimal(61) and truth.problems == []
        with pytest.raises(RuntimeError, match="insufficient balance"):
            exchange.call("order_by_hand", BTC, "BUY", "MARKET", "1")
    assert exchange.process.returncode is not None
