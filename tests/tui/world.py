"""A small fixed world that the test server tells of: an account, its strategies, trades, runs and logs."""

import math
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from autotrader.v1 import (
    access_pb2,
    account_pb2,
    common_pb2,
    decision_pb2,
    engine_pb2,
    log_pb2,
    market_pb2,
    portfolio_pb2,
    risk_pb2,
    run_pb2,
    session_pb2,
    strategy_pb2,
)

NOW = 1_773_489_600  # 2026-03-14 12:00:00 UTC
HOUR = 3_600
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
STRATEGIES = ("cross", "technical", "trend", "breakout", "reversion")
PRICES = {"BTC/USDT": 64_000.0, "ETH/USDT": 3_400.0, "SOL/USDT": 145.0}
SIDES = (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL, common_pb2.SIDE_HOLD)


def at(seconds: float) -> Timestamp:
    """Seconds since 1970 as a Timestamp."""
    return Timestamp(seconds=int(seconds))


def money(value: float, places: str = "0.01") -> str:
    """A decimal with fixed places."""
    return str(Decimal(value).quantize(Decimal(places)))


def vote(strategy: int, symbol: int) -> common_pb2.Vote:
    """A vote of one strategy on one symbol, always the same."""
    mark = (strategy * 7 + symbol * 5) % 10
    side = SIDES[0] if mark < 5 else SIDES[1] if mark < 8 else SIDES[2]
    confidence = 0 if side == common_pb2.SIDE_HOLD else 40 + (mark * 13) % 60
    return common_pb2.Vote(
        strategy=STRATEGIES[strategy],
        side=side,
        confidence_percent=str(confidence),
        weight="1" if strategy else "1.5",
        open_time=at(NOW - HOUR),
        reasons=[f"SMA 20 is {1 + mark / 10:.1f} % over SMA 50", f"RSI 14 is {30 + mark * 4}"],
    )


def votes(symbol: int) -> list[common_pb2.Vote]:
    """The newest votes on one symbol; one strategy gave none on the last."""
    return [vote(strategy, symbol) for strategy in range(len(STRATEGIES)) if (strategy, symbol) != (3, 2)]


def status() -> engine_pb2.EngineStatus:
    """The engine, trading on a simulated market."""
    outcomes = (
        (common_pb2.SIDE_BUY, "won", 71.5, "max_open_positions"),
        (common_pb2.SIDE_HOLD, "under_threshold", 38.2, ""),
        (common_pb2.SIDE_SELL, "won", 66.0, ""),
    )
    symbols = [
        engine_pb2.SymbolStatus(
            symbol=name,
            last_price_quote=money(PRICES[name]),
            outcome=outcome,
            outcome_why=why,
            score_percent=score,
            votes=votes(index),
            refusal=refusal,
            tick_quote="0.01",
            lot_base="0.00001",
        )
        for index, (name, (outcome, why, score, refusal)) in enumerate(zip(SYMBOLS, outcomes, strict=True))
    ]
    return engine_pb2.EngineStatus(
        mode=engine_pb2.TRADING_MODE_SIMULATED,
        state=engine_pb2.ENGINE_STATE_RUNNING,
        feed="simulated market, seed 1",
        symbols=symbols,
        timeframe="1h",
        quote="USDT",
        equity_quote="10482.37",
        cash_quote="8912.04",
        initial_capital_quote="10000",
        total_return_percent="4.8237",
        day_base_quote="10431.10",
        day_result_quote="51.27",
        day_result_percent="0.4915",
        day_end=at(NOW + 12 * HOUR),
        open_time=at(NOW - HOUR),
        candle_seen_at=at(NOW),
        open_positions=2,
        run_id=1,
        sequence=1000,
        actors=actors(),
        started_at=at(NOW - 40 * HOUR),
        version="0.1.0",
        trades=1200,
        candles=52_000,
    )


def actors() -> list[engine_pb2.ActorStatus]:
    """The engine's actors; one is slow, one is being started again."""
    names = ("market_data", "risk", "execution", "persistence", "supervisor", "control")
    found = [
        engine_pb2.ActorStatus(name=name, health=engine_pb2.HEALTH_OK, process_id=4000 + index)
        for index, name in enumerate((*names, *(f"strategy-{name}" for name in STRATEGIES)))
    ]
    found[7].health, found[7].note, found[7].busy_ms = engine_pb2.HEALTH_DEGRADED, "2 late signals", 2_400
    found[9].health, found[9].note, found[9].restarts = engine_pb2.HEALTH_LOST, "does not answer", 3
    return found


def positions() -> list[portfolio_pb2.Position]:
    """Two open positions, a winner and a loser."""
    return [
        position("BTC/USDT", 0, "0.01250", 62_800.0, 64_000.0, 59_660.0),
        position("SOL/USDT", 2, "5.40", 151.2, 145.0, 143.64),
    ]


def position(
    symbol: str, index: int, amount: str, entry: float, last: float, stop: float
) -> portfolio_pb2.Position:
    """An open position."""
    size = float(amount)
    return portfolio_pb2.Position(
        symbol=symbol,
        amount_base=amount,
        entry_price_quote=money(entry),
        entry_notional_quote=money(entry * size),
        entry_fee_quote=money(entry * size / 1000),
        entry_time=at(NOW - 30 * HOUR),
        entry_order_id=f"{NOW - 31 * HOUR}-{symbol.replace('/', '-')}-entry",
        stop_quote=money(stop),
        last_price_quote=money(last),
        unrealized_profit_quote=money((last - entry) * size),
        unrealized_profit_percent=money((last / entry - 1) * 100),
        notional_quote=money(last * size),
        votes=votes(index),
    )


def trade(number: int) -> portfolio_pb2.Trade:
    """The trade that ended `number` trades before the newest."""
    symbol = SYMBOLS[number % 3]
    end = NOW - (2 + 3 * number) * HOUR
    entry = PRICES[symbol] * (1 + math.sin(number) / 50)
    gain = math.sin(number * 1.7) / 20 + 0.004
    notional = 500.0
    return portfolio_pb2.Trade(
        symbol=symbol,
        amount_base=money(notional / entry, "0.00001"),
        entry_time=at(end - 9 * HOUR),
        entry_price_quote=money(entry),
        entry_fee_quote="0.50",
        entry_order_id=f"{end - 10 * HOUR}-{symbol.replace('/', '-')}-entry",
        exit_time=at(end),
        exit_price_quote=money(entry * (1 + gain)),
        exit_fee_quote="0.50",
        exit_order_id=f"{end}-{symbol.replace('/', '-')}-exit",
        exit_reason="stop" if gain < -0.03 else "signal",
        realized_profit_quote=money(notional * gain - 1),
        realized_profit_percent=money(100 * gain - 0.2),
        votes=votes(number % 3),
    )


def order(number: int) -> portfolio_pb2.Order:
    """The order that was decided `number` orders before the newest."""
    symbol = SYMBOLS[number % 3]
    buy = number % 2 == 0
    decided = NOW - (1 + number) * HOUR
    made = portfolio_pb2.Order(
        id=f"{decided}-{symbol.replace('/', '-')}-{'entry' if buy else 'exit'}",
        symbol=symbol,
        side=common_pb2.SIDE_BUY if buy else common_pb2.SIDE_SELL,
        kind="market",
        amount_base="0.0078",
        reason="signal",
        state=portfolio_pb2.ORDER_STATE_FILLED if number else portfolio_pb2.ORDER_STATE_OPEN,
        decided_at=at(decided),
        sizing_price_quote=money(PRICES[symbol]) if buy else "",
    )
    if number:
        made.fills.append(
            portfolio_pb2.Fill(
                id=f"{made.id}-1",
                order_id=made.id,
                symbol=symbol,
                side=made.side,
                amount_base=made.amount_base,
                price_quote=money(PRICES[symbol]),
                notional_quote=money(PRICES[symbol] * 0.0078),
                fee_quote="0.50",
                time=at(decided + HOUR),
                reason="signal",
            )
        )
    return made


def decision(number: int) -> decision_pb2.Decision:
    """The decision `number` decisions before the newest; each hour has one for each symbol."""
    index = number % 3
    kind = (
        decision_pb2.DECISION_KIND_APPROVED,
        decision_pb2.DECISION_KIND_UNCHANGED,
        decision_pb2.DECISION_KIND_REFUSED,
    )[number % 3]
    made = decision_pb2.Decision(
        symbol=SYMBOLS[index],
        open_time=at(NOW - (1 + number // 3) * HOUR),
        outcome=SIDES[0] if index != 1 else SIDES[2],
        why="won" if index != 1 else "under_threshold",
        score_percent=71.5 if index != 1 else 38.2,
        votes=votes(index),
        kind=kind,
        explanation="BUY won with 71.5 %, over the threshold of 50 %.",
    )
    if kind == decision_pb2.DECISION_KIND_REFUSED:
        made.refusal, made.refusal_detail = "max_open_positions", "2 positions are open, 2 are allowed"
        made.explanation = (
            "BUY won with 71.5 %, but risk refused the entry: 2 positions are open, 2 are allowed."
        )
        made.absent.append(decision_pb2.AbsentStrategy(strategy="breakout", why="late"))
    if kind == decision_pb2.DECISION_KIND_UNCHANGED:
        made.explanation = "The best score was 38.2 %, under the threshold of 50 %: nothing was done."
    if kind == decision_pb2.DECISION_KIND_APPROVED:
        made.order.CopyFrom(order(number + 3 if number % 2 else 6))
    return made


def strategies() -> list[strategy_pb2.Strategy]:
    """Five strategies; one is off, one is ill."""
    found = []
    for index, name in enumerate(STRATEGIES):
        health = (engine_pb2.HEALTH_OK, engine_pb2.HEALTH_DEGRADED, *[engine_pb2.HEALTH_OK] * 3)[index]
        found.append(
            strategy_pb2.Strategy(
                name=name,
                type=("sma_cross", "technical", "trend", "breakout", "mean_reversion")[index],
                enabled=name != "reversion",
                weight="1.5" if index == 0 else "1",
                params={"fast": "20", "slow": "50"} if index == 0 else {"window": str(20 + index)},
                health=health,
                note="2 late signals" if index == 1 else "",
                latest_votes=[
                    strategy_pb2.SymbolVote(symbol=symbol, vote=vote(index, number))
                    for number, symbol in enumerate(SYMBOLS)
                ],
                record=strategy_pb2.StrategyRecord(
                    trades=240 - 20 * index,
                    winners=130 - 12 * index,
                    realized_profit_quote=money(310.5 - 96 * index),
                ),
                warmup_candles=51,
                valid_candles=1,
            )
        )
    return found


def strategy_types() -> list[strategy_pb2.StrategyType]:
    """Two types that can be added."""
    return [
        strategy_pb2.StrategyType(
            name="momentum",
            summary="BUY while the price rises over its window.",
            parameters=[
                strategy_pb2.StrategyParameter(
                    name="window", default_value="20", allowed="2 to 1000", summary="Candles to look back."
                )
            ],
        ),
        strategy_pb2.StrategyType(
            name="sma_cross", summary="BUY when the fast average crosses above the slow one."
        ),
    ]


def limits() -> list[risk_pb2.Limit]:
    """Every limit, some of them in use."""
    rows = (
        ("position_size_percent", "5", "", None, "Part of the equity that an entry may take.", False),
        ("stop_loss_percent", "5", "", None, "Distance of the stop from the entry.", True),
        ("daily_loss_limit_percent", "15", "0", 0.0, "Loss of a day at which entries stop.", False),
        ("kill_switch_percent", "50", "2.1", 4.2, "Fall from the peak at which everything is sold.", False),
        ("max_open_positions", "2", "2", 100.0, "Positions open at the same time.", True),
        (
            "max_exposure_percent",
            "100",
            "14.98",
            14.98,
            "Part of the equity that may be in the market.",
            False,
        ),
        ("max_orders_per_minute", "30", "25", 83.3, "Orders within a minute.", False),
        ("min_order_notional_quote", "10", "", None, "Orders below this are not sent.", False),
        ("cooldown_candles", "0", "", None, "Candles without an entry after an exit.", False),
    )
    found = []
    for name, value, used, percent, summary, changed in rows:
        limit = risk_pb2.Limit(
            name=name, value=value, used=used, summary=summary, changed=changed, off=value == "0"
        )
        if percent is not None:
            limit.used_percent = percent
        found.append(limit)
    return found


def candles(symbol: str, count: int) -> list[market_pb2.Candle]:
    """The newest candles of a symbol, a smooth walk that ends at its price."""
    return [candle(symbol, back) for back in range(count, 0, -1)]


def candle(symbol: str, back: int) -> market_pb2.Candle:
    """The candle that closed `back` - 1 hours ago; a negative one is still to come."""
    base = PRICES[symbol]

    def price(hours: int) -> float:
        return base * (1 + 0.03 * math.sin(hours / 9) + 0.008 * math.sin(hours * 1.9))

    first, last = price(back), price(back - 1)
    reach = base * 0.004 * (1 + abs(math.sin(back * 3.1)))
    return market_pb2.Candle(
        symbol=symbol,
        open_time=at(NOW - back * HOUR),
        open_quote=money(first),
        high_quote=money(max(first, last) + reach),
        low_quote=money(min(first, last) - reach),
        close_quote=money(last),
        volume_base=12.5 + back % 7,
    )


def equity(points: int) -> list[portfolio_pb2.EquityPoint]:
    """An equity curve that ends at the status's equity."""
    found = []
    for index in range(points):
        left = points - 1 - index
        value = 10_482.37 - left * (482.37 / max(points - 1, 1)) + 60 * math.sin(left / 4) * (left > 0)
        found.append(
            portfolio_pb2.EquityPoint(
                open_time=at(NOW - (left + 1) * HOUR),
                equity_quote=money(value),
                lowest_equity_quote=money(value - 8),
                highest_equity_quote=money(value + 8),
            )
        )
    return found


def log_entry(number: int) -> log_pb2.LogEntry:
    """The line `number` lines before the newest."""
    level, code, source, text = (
        (log_pb2.LOG_LEVEL_INFO, "fill", "engine", "bought 0.0078 BTC/USDT at 64000.00, fee 0.50 USDT"),
        (log_pb2.LOG_LEVEL_WARNING, "late", "supervisor", "strategy technical gave no signal within 2 s"),
        (log_pb2.LOG_LEVEL_INFO, "commit", "persistence", "1200 rows in 14 ms"),
        (
            log_pb2.LOG_LEVEL_ALARM,
            "stale",
            "risk",
            "no candle of SOL/USDT for 3 hours: [bold]entries wait\x1b[31m",
        ),
    )[number % 4]
    return log_pb2.LogEntry(
        id=5000 - number, time=at(NOW - 97 * number), level=level, source=source, code=code, text=text
    )


def runs() -> list[run_pb2.Run]:
    """A sweep at work, a backtest that is done, one that failed."""
    curve = [10_000 + 12 * index + 90 * math.sin(index / 5) for index in range(100)]
    done = run_pb2.Run(
        id="r2",
        kind=run_pb2.RUN_KIND_BACKTEST,
        state=run_pb2.RUN_STATE_DONE,
        title="backtest of BTC/USDT, 2024-01-01 to 2025-01-01",
        started_by="ada",
        created_at=at(NOW - 5 * HOUR),
        started_at=at(NOW - 5 * HOUR),
        ended_at=at(NOW - 5 * HOUR + 7),
        progress_percent=100,
        progress_text="8,784 of 8,784 candles",
        figures={"total_return_percent": 11.42, "sharpe": 1.31, "max_drawdown_percent": 8.7, "trades": 96},
        files=["summary.json", "trades.csv", "report.html"],
        equity_quote=curve,
    )
    sweep = run_pb2.Run(
        id="r3",
        kind=run_pb2.RUN_KIND_SWEEP,
        state=run_pb2.RUN_STATE_RUNNING,
        title="sweep of cross.fast=5:50:5, cross.slow=20:200:20",
        started_by="local",
        created_at=at(NOW - 600),
        started_at=at(NOW - 590),
        progress_percent=62,
        progress_text="62 of 100 trials, best sharpe 1.54",
        best={"cross.fast": "15", "cross.slow": "80"},
        verdict="Luck alone gives a best this good in 21 of 100 sweeps.",
    )
    failed = run_pb2.Run(
        id="r1",
        kind=run_pb2.RUN_KIND_BACKTEST,
        state=run_pb2.RUN_STATE_FAILED,
        title="backtest of ETH/USDT",
        started_by="ada",
        created_at=at(NOW - 9 * HOUR),
        failure="eth.parquet: row 17: high 3400 is under low 3401",
    )
    return [sweep, done, failed]


def candle_files() -> list[run_pb2.CandleFile]:
    """Two files that runs can use."""
    return [
        run_pb2.CandleFile(name="btc.parquet", symbol="BTC/USDT", timeframe="1h", size_bytes=2_400_000),
        run_pb2.CandleFile(name="sample.csv", timeframe="1h", size_bytes=90_000, simulated=True),
    ]


def accounts() -> list[account_pb2.Account]:
    """Three accounts."""
    return [
        account_pb2.Account(
            name="ada",
            role=access_pb2.ROLE_ADMIN,
            created_at=at(NOW - 900 * HOUR),
            signed_in_at=at(NOW - HOUR),
        ),
        account_pb2.Account(name="grace", role=access_pb2.ROLE_OPERATOR, created_at=at(NOW - 500 * HOUR)),
        account_pb2.Account(
            name="watcher", role=access_pb2.ROLE_VIEWER, disabled=True, created_at=at(NOW - 100 * HOUR)
        ),
    ]


def sessions() -> list[session_pb2.Session]:
    """One session of somebody."""
    return [
        session_pb2.Session(
            id="s1",
            account="ada",
            client="console on mars",
            address="192.0.2.7",
            created_at=at(NOW - HOUR),
            used_at=at(NOW - 300),
            expires_at=at(NOW + 700 * HOUR),
        )
    ]
