"""The account over ccxt while all goes well: orders, fills, filters, what is held, what is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.execution.ccxt_account import CcxtAccount, KeyRights
from tests.support.accounts import BTC, ETH, limit, market, open_account, stop
from tests.support.exchange import API_KEY, API_SECRET, LocalExchange, Market
from trading.errors import InputError, OperationError
from trading.exchange_orders import Absent, Account, Placement, Refused, Standing, Stands, Unknown
from trading.order_tracking import RECV_WINDOW_MS
from trading.orders import OrderKind, OrderState
from trading.signals import Side

HOLDINGS = {"USDT": "10000", "BTC": "1"}


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    async with LocalExchange(holdings=HOLDINGS) as running:
        yield running


@pytest.fixture
async def account(exchange: LocalExchange, tmp_path: Path) -> AsyncIterator[CcxtAccount]:
    async with open_account(exchange, tmp_path) as opened:
        yield opened


def standing(answer: object) -> Standing:
    assert isinstance(answer, Stands), answer
    return answer.standing


def sent(exchange: LocalExchange) -> list[dict[str, str]]:
    return [each.params for each in exchange.truth().requests if each.method == "POST"]


async def test_market_order_sent_is_filled_with_its_exact_fills(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.set(fill_parts=3)
    told = standing(await account.send(market("c1", "0.01001")))
    assert (told.state, told.filled, told.complete) == (OrderState.FILLED, Decimal("0.01001"), True)
    truth = exchange.truth()
    fills = truth.fills_of("c1")
    assert [(each.price, each.amount, each.fee, each.fee_currency) for each in told.executions] == [
        (each.price, each.amount, each.fee, "BTC") for each in fills
    ]
    asked = await account.executions(BTC, told.exchange_id)
    assert isinstance(asked, tuple)
    assert [each.id for each in asked] == [each.id for each in told.executions] == [str(x.id) for x in fills]
    assert truth.problems == []


async def test_amounts_and_prices_leave_as_they_are(exchange: LocalExchange, account: CcxtAccount) -> None:
    await account.send(market("c1", "0.00017"))
    await account.send(limit("c2", "59000.10", "0.10000"))
    await account.send(stop("c3", "55000.07", "53350.06", "0.30001"))
    market_order, limit_order, stop_order = sent(exchange)
    assert market_order["quantity"] == "0.00017"
    assert (Decimal(limit_order["quantity"]), Decimal(limit_order["price"])) == (
        Decimal("0.1"),
        Decimal("59000.1"),
    )
    assert (stop_order["quantity"], stop_order["stopPrice"], stop_order["price"]) == (
        "0.30001",
        "55000.07",
        "53350.06",
    )
    assert [each["newClientOrderId"] for each in sent(exchange)] == ["c1", "c2", "c3"]


async def test_tiny_steps_leave_without_an_exponent(tmp_path: Path) -> None:
    tiny = Market(BTC, tick=Decimal("0.00000001"), lot=Decimal("0.00000001"), min_notional=Decimal(0))
    async with (
        LocalExchange({BTC: "0.00000009", ETH: "3000"}, HOLDINGS, markets=[tiny]) as exchange,
        open_account(exchange, tmp_path) as account,
    ):
        await account.send(limit("c1", "0.00000007", "0.00000003"))
    assert (sent(exchange)[0]["quantity"], sent(exchange)[0]["price"]) == ("0.00000003", "0.00000007")


@pytest.mark.parametrize(
    "placement",
    [
        market("c", "0.000011"),
        market("c", "0"),
        market("c", "-1"),
        market("c", "NaN"),
        limit("c", "59000.001"),
        stop("c", "55000.001", "53000"),
        stop("c", "55000", "53000.005"),
        stop("c", "55000", None),
    ],
    ids=str,
)
async def test_order_that_does_not_fit_is_refused_and_not_sent(
    exchange: LocalExchange, account: CcxtAccount, placement: Any
) -> None:
    assert isinstance(await account.send(placement), Refused)
    assert sent(exchange) == []


async def test_stop_takes_the_form_that_the_exchange_has(exchange: LocalExchange, tmp_path: Path) -> None:
    async with open_account(exchange, tmp_path / "1") as account:
        assert account.stop_form(BTC) == "limit"
        told = standing(await account.send(stop("c1", "55000", "53350")))
        assert (told.kind, told.state) == (OrderKind.STOP, OrderState.OPEN)
    exchange.set(stop_market=True)
    async with open_account(exchange, tmp_path / "2") as account:
        assert account.stop_form(BTC) == "market"
        told = standing(await account.send(stop("c2", "55000", "53350")))
        assert (told.kind, told.state) == (OrderKind.STOP, OrderState.OPEN)
        asked = standing(await account.ask(BTC, "c2"))
        assert (asked.kind, asked.trigger, asked.amount) == (OrderKind.STOP, Decimal(55000), Decimal("0.01"))
    types = {each.client_id: each.type for each in exchange.truth().orders}
    assert types == {"c1": "STOP_LOSS_LIMIT", "c2": "STOP_LOSS"}


async def test_order_cancelled_is_told_under_its_own_client_id(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.set(liquidity={BTC: "0.004"})
    placed = standing(await account.send(limit("c1", "60000.00")))
    assert (placed.state, placed.filled) == (OrderState.PARTLY_FILLED, Decimal("0.004"))
    gone = standing(await account.cancel(BTC, "c1", placed.exchange_id))
    assert (gone.client_id, gone.state, gone.filled) == ("c1", OrderState.CANCELLED, Decimal("0.004"))
    assert isinstance(await account.cancel(BTC, "c1", placed.exchange_id), Absent)
    assert standing(await account.ask(BTC, "c1")).state is OrderState.CANCELLED
    standing(await account.send(limit("c2", "50000.00")))
    assert standing(await account.cancel(BTC, "c2", "")).state is OrderState.CANCELLED


async def test_order_expired_is_told_as_expired(exchange: LocalExchange, account: CcxtAccount) -> None:
    await account.send(limit("c1", "50000.00"))
    exchange.cancel_by_hand("c1", "EXPIRED")
    assert standing(await account.ask(BTC, "c1")).state is OrderState.EXPIRED


async def test_fills_in_a_third_currency_and_rebates_are_told(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.set(fee_rate="-0.0001", fee_currency="USDT")
    told = standing(await account.send(market("c1")))
    (fill,) = exchange.truth().fills_of("c1")
    assert fill.fee < 0
    assert [(each.fee, each.fee_currency) for each in told.executions] == [(fill.fee, "USDT")]


async def test_account_tells_holdings_open_orders_and_trades(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    await account.send(market("c1", "0.1"))
    await account.send(stop("c2", "55000", "53350", "0.5"))
    exchange.order_by_hand(ETH, "BUY", "LIMIT", "0.5", price="2000", newClientOrderId="hand")
    told = await account.account((BTC, ETH))
    assert isinstance(told, Account)
    assert told.holdings == {
        name: each.free + each.locked
        for name, each in exchange.truth().balances.items()
        if each.free + each.locked
    }
    assert {(each.client_id, each.symbol, each.kind) for each in told.open_orders} == {
        ("c2", BTC, OrderKind.STOP),
        ("hand", ETH, OrderKind.LIMIT),
    }
    (trade,) = told.trades
    assert (trade.symbol, trade.side, trade.execution.amount) == (BTC, Side.BUY, Decimal("0.1"))
    assert abs(told.time_ms - exchange.clock.now_ms()) < 5_000


async def test_quotes_tell_the_best_prices(exchange: LocalExchange, account: CcxtAccount) -> None:
    exchange.set_price(BTC, "61000", bid="60999.50", ask="61000.50")
    told = await account.quotes((BTC, ETH))
    assert isinstance(told, tuple)
    assert [each.symbol for each in told] == [BTC, ETH]
    assert (told[0].bid, told[0].ask) == (Decimal("60999.5"), Decimal("61000.5"))


async def test_filters_changed_while_running_are_known_after_a_refresh(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    assert [str(account.filters()[0].tick), str(account.filters()[0].lot)] == ["0.01", "0.00001"]
    exchange.set_market(BTC, lot="0.001", min_notional="25")
    exchange.set(halted=[ETH])
    await account.refresh_filters()
    btc, eth = account.filters()
    assert (btc.lot, btc.min_notional, btc.trading, eth.trading) == (
        Decimal("0.001"),
        Decimal(25),
        True,
        False,
    )
    assert btc.most_amount == 100
    assert isinstance(await account.send(market("c1", "0.0015")), Refused)


async def test_markets_answered_malformed_leave_the_old_ones(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    before = account.filters()
    for body in ("{}", "[]", '{"symbols":[]}', '{"symbols":[{"symbol":"BTCUSDT"}]}', "<html>"):
        exchange.fault(path="/exchangeInfo", body=body)
        await account.refresh_filters()
        assert account.filters() == before
        standing(await account.send(market(f"c{len(sent(exchange))}", "0.001")))


async def test_symbol_that_is_not_traded_here_is_refused(account: CcxtAccount) -> None:
    other = Placement("c1", "DOGE/USDT", Side.BUY, OrderKind.MARKET, Decimal(1))
    assert isinstance(await account.send(other), Refused)
    assert isinstance(await account.ask("DOGE/USDT", "c1"), Unknown)
    assert isinstance(await account.cancel("DOGE/USDT", "c1"), Unknown)


async def test_filter_refused_by_the_exchange_makes_filters_fresh(
    exchange: LocalExchange, account: CcxtAccount
) -> None:
    exchange.set_market(BTC, lot="0.01")
    assert isinstance(await account.send(market("c1", "0.015")), Refused)
    async with asyncio.timeout(5):
        while account.filters()[0].lot != Decimal("0.01"):
            await asyncio.sleep(0.01)


async def test_markets_stored_open_an_account_while_the_exchange_is_away(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    async with open_account(exchange, tmp_path):
        pass
    await exchange.stop()
    async with open_account(exchange, tmp_path) as account:
        assert account.filters()[0].lot == Decimal("0.00001")
        (file,) = tmp_path.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("{")
    with pytest.raises(OperationError, match="does not tell its markets"):
        async with open_account(exchange, tmp_path):
            pass
    await exchange.start(exchange.port)


async def test_markets_stored_are_refreshed_in_the_background(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    async with open_account(exchange, tmp_path):
        pass
    exchange.set_market(BTC, lot="0.001")
    async with open_account(exchange, tmp_path) as account, asyncio.timeout(5):
        while account.filters()[0].lot != Decimal("0.001"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("state", [{}, {"can_withdraw": True, "ip_restricted": False}])
async def test_rights_of_the_key_are_what_the_exchange_tells(
    exchange: LocalExchange, account: CcxtAccount, state: dict[str, bool]
) -> None:
    exchange.set(**state)
    wanted = {"can_trade": True, "can_withdraw": False, "ip_restricted": True, **state}
    assert await account.rights() == KeyRights(**wanted)
    exchange.set(tells_rights=False)
    assert await account.rights() == KeyRights()


async def test_clock_of_the_exchange_is_followed(tmp_path: Path) -> None:
    async with (
        LocalExchange(now_ms=1_600_000_000_000) as exchange,
        open_account(exchange, tmp_path) as account,
    ):
        assert abs(account.server_time_ms() - exchange.clock.now_ms()) < 1_000
        standing(await account.send(market("c1")))
        for jump_ms in (30_000, -60_000):
            exchange.jump_clock(jump_ms)
            standing(await account.send(market(f"early{jump_ms}")))
            async with asyncio.timeout(5):
                while abs(account.server_time_ms() - exchange.clock.now_ms()) > 500:
                    await asyncio.sleep(0.01)
            standing(await account.send(market(f"later{jump_ms}")))


async def test_prefers_its_own_receive_window(exchange: LocalExchange, tmp_path: Path) -> None:
    options = {"options": {"recvWindow": 60_000, "maxRetriesOnFailure": 9}}
    async with open_account(exchange, tmp_path, options) as account:
        exchange.fault(method="POST", status=503)
        await account.send(market("c1"))
    assert [each["recvWindow"] for each in sent(exchange)] == [str(RECV_WINDOW_MS)]


@pytest.mark.parametrize(
    ("exchange_id", "options", "symbols", "named"),
    [
        ("binanceuss", {}, (BTC,), "exchange.id"),
        ("binanceus", {"urls": "http://127.0.0.1"}, (BTC,), "exchange.options"),
        ("binanceus", {}, ("BTX/USDT",), "BTX/USDT"),
    ],
)
async def test_open_with_what_does_not_exist_names_it(
    exchange: LocalExchange,
    tmp_path: Path,
    exchange_id: str,
    options: dict[str, Any],
    symbols: tuple[str, ...],
    named: str,
) -> None:
    wanted = {**exchange.ccxt_options(), **options}
    with pytest.raises(InputError, match=named):
        await CcxtAccount.open(exchange_id, wanted, API_KEY, API_SECRET, symbols, tmp_path)


async def test_open_without_keys_names_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="AUTOTRADER__EXCHANGE__API_KEY"):
        await CcxtAccount.open("binanceus", {}, "", "", (BTC,), tmp_path)


async def test_markets_stored_hold_our_symbols_alone(exchange: LocalExchange, tmp_path: Path) -> None:
    async with open_account(exchange, tmp_path):
        pass
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert set(json.loads(text)) == {BTC, ETH}
    assert API_KEY not in text
