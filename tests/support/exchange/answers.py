"""How the exchange writes markets, candles, orders, fills and balances."""

from decimal import Decimal
from typing import Any

from tests.support.exchange.model import EIGHT_DECIMALS, Balance, Fill, Order, State
from tests.support.exchange.tape import Candle, Tape

Json = dict[str, Any]


def text(number: Decimal) -> str:
    """A number as the exchange writes it: eight decimals."""
    return format(number.quantize(EIGHT_DECIMALS), "f") if number.is_finite() else str(number)


def market_answer(tape: Tape, state: State) -> Json:
    """An entry of exchangeInfo."""
    market = tape.market
    kinds = ["LIMIT", "MARKET", "STOP_LOSS_LIMIT", *(["STOP_LOSS"] if state.stop_market else [])]
    return {
        "symbol": market.id,
        "status": "BREAK" if market.symbol in state.halted else "TRADING",
        "baseAsset": market.base,
        "quoteAsset": market.quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": kinds,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(market.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": text(market.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text(market.min_amount),
                "maxQty": text(market.most_amount),
                "stepSize": text(market.lot),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": text(market.most_market_amount),
                "stepSize": "0.00000000",
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": text(market.min_notional),
                "applyMinToMarket": True,
                "avgPriceMins": 5,
            },
        ],
    }


def kline(candle: Candle, step_ms: int) -> list[Any]:
    """A row of klines."""
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return [candle.open_ms, *map(text, prices), candle.open_ms + step_ms - 1, "0", 1, "0", "0", "0"]


def kline_event(tape: Tape, candle: Candle, timeframe: str, step_ms: int) -> Json:
    """A message of the kline stream."""
    now, row = tape.clock.now_ms(), kline(candle, step_ms)
    names = dict(zip(("t", "o", "h", "l", "c", "v", "T"), row, strict=False))
    closed = now >= candle.open_ms + step_ms
    rest = {"s": tape.market.id, "i": timeframe, "n": 1, "x": closed, "q": "0", "V": "0", "Q": "0", "B": "0"}
    return {"e": "kline", "E": now, "s": tape.market.id, "k": {**names, **rest, "f": 1, "L": 1}}


def best_prices(tape: Tape) -> Json:
    """The answer of ticker/bookTicker."""
    sizes = {"bidQty": "100.00000000", "askQty": "100.00000000"}
    return {"symbol": tape.market.id, "bidPrice": text(tape.bid), "askPrice": text(tape.ask), **sizes}


def best_prices_event(tape: Tape) -> Json:
    """A message of the bookTicker stream; it tells no time."""
    sizes = {"B": "100.00000000", "A": "100.00000000"}
    return {"u": tape.updates, "s": tape.market.id, "b": text(tape.bid), "a": text(tape.ask), **sizes}


def day_answer(tape: Tape) -> Json:
    """The answer of ticker/24hr."""
    now = tape.clock.now_ms()
    (day,) = tape.rows(86_400_000, None, None, 1)
    return {
        **best_prices(tape),
        "lastPrice": text(tape.price),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.volume * tape.price),
        "openTime": now - 86_400_000,
        "closeTime": now,
        "count": tape.updates,
    }


def order_answer(order: Order, market_id: str) -> Json:
    """An order as queries tell it."""
    return {
        "symbol": market_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "origQty": text(order.amount),
        "executedQty": text(order.filled),
        "cummulativeQuoteQty": text(order.cost),
        "status": order.status,
        "timeInForce": "GTC",
        "type": order.type,
        "side": order.side,
        "stopPrice": text(order.stop),
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": order.working,
    }


def placed_answer(order: Order, market_id: str, fills: list[Fill], form: str) -> Json:
    """The answer to an order that was taken, in the form `ACK`, `RESULT` or `FULL` (with its fills)."""
    short = {"symbol": market_id, "orderId": order.id, "orderListId": -1, "clientOrderId": order.client_id}
    if form == "ACK":
        return {**short, "transactTime": order.time_ms}
    whole = {**order_answer(order, market_id), "transactTime": order.time_ms}
    if form == "RESULT":
        return whole
    told = [
        {
            "price": text(each.price),
            "qty": text(each.amount),
            "commission": text(each.fee),
            "commissionAsset": each.fee_currency,
            "tradeId": each.id,
        }
        for each in fills
    ]
    return {**whole, "fills": told}


def fill_answer(fill: Fill, market_id: str) -> Json:
    """A row of myTrades."""
    return {
        "symbol": market_id,
        "id": fill.id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": text(fill.price),
        "qty": text(fill.amount),
        "quoteQty": text(fill.cost),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_currency,
        "time": fill.time_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def account_answer(balances: dict[str, Balance], state: State, now_ms: int) -> Json:
    """The answer of account."""
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "canTrade": state.can_trade,
        "canWithdraw": state.can_withdraw,
        "canDeposit": True,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": text(each.free), "locked": text(each.locked)}
            for name, each in sorted(balances.items())
        ],
        "permissions": ["SPOT"],
    }


def rights_answer(state: State) -> Json:
    """The answer of sapi account/apiRestrictions."""
    return {
        "ipRestrict": state.ip_restricted,
        "enableReading": True,
        "enableSpotAndMarginTrading": state.can_trade,
        "enableWithdrawals": state.can_withdraw,
        "enableInternalTransfer": False,
        "enableFutures": False,
    }
