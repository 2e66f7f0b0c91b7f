"""The plan of an engine on an exchange's live prices, on paper or with money."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from actors.execution.spec import ExchangeSpec, OwnLimits
from actors.market_data.exchange.spec import ExchangeFeed
from actors.persistence.engine_url import NoDatabaseYet
from actors.persistence.reader import Reader
from actors.persistence.runs import Mode, Run, RunSetup, require_same
from actors.persistence.tables import equity
from actors.plan import Plan
from cli.exchange_questions import Markets, cache_folder, markets_of
from cli.run_plans import Planned, absolute_url, begin, require_source, settings_json, strategy_specs
from trading.errors import InputError
from trading.events import RunStarted
from trading.exact_settings import LIVE_DECIMALS, live_market, live_of, rules_of
from trading.market import Market
from trading.rules import Rules
from trading.settings import Settings
from trading.strategies.registry import made_strategies
from trading.timeframe import first_open_from, timeframe_ms

LEAST_HISTORY_CANDLES = 300
LEAST_ORDERS_PER_MINUTE = 60
# Of the account's worth when the engine was started: the largest buy, and all of a day.
ORDER_WORTH, DAY_WORTH = 2, 50


def paper_exchange_plan(settings: Settings, out: Path | None) -> Planned:
    """Paper money on live prices. Asks the exchange before the first start alone: a later one goes on
    from what is stored, whether the exchange answers or not."""
    stored = stored_run(settings, Mode.PAPER)
    return exchange_plan(settings, out, Mode.PAPER, stored, None if stored else markets_of(settings))


def stored_run(settings: Settings, mode: Mode) -> Run | None:
    """The account in the database of the settings, if there is one.

    Raises StorageError when it is another one than the settings describe.
    """
    try:
        reader = Reader.open(absolute_url(settings.database.url))
    except NoDatabaseYet:
        return None
    try:
        run = reader.active_run()
    finally:
        reader.close()
    if run is not None:
        require_same(run, mode, _rules(settings, mode, _stored_markets(run, settings.engine.symbols)))
        require_source(run, _source(settings))
    return run


def exchange_plan(
    settings: Settings, out: Path | None, mode: Mode, stored: Run | None, found: Markets | None
) -> Planned:
    """Begin the run, or go on with the `stored` one; `found` is needed for a new one.

    A run keeps its anchor, its first open time, and what its markets count in; the exchange's present rules
    reach it while it runs.
    """
    symbols, length_ms = settings.engine.symbols, timeframe_ms(settings.engine.timeframe)
    if stored is not None:
        markets = _stored_markets(stored, symbols)
        anchor_ms, first_open_ms = stored.anchor_ms, stored.first_open_ms
    else:
        assert found is not None
        _require_trading(found)
        markets = [live_market(each) for each in found.filters]
        first_open_ms = open_time_at(found.now_ms, length_ms)
        anchor_ms = first_open_ms - _history_candles(settings) * length_ms
    rules = _rules(settings, mode, markets)
    url = absolute_url(settings.database.url)
    setup = RunSetup(mode, settings_json(settings), _source(settings))
    run = begin(url, setup, RunStarted(rules, anchor_ms, first_open_ms))
    plan = Plan(
        url,
        _feed(settings, rules, run, url),
        rules,
        run.anchor_ms,
        strategy_specs(settings),
        exchange=_execution(settings, run, url) if mode is Mode.LIVE else None,
        deadline_seconds=float(settings.vote.deadline_seconds),
    )
    shown = json.loads(setup.settings)
    return Planned(plan, run, _title(settings, mode), out, shown, simulated=False)


def open_time_at(time_ms: int, length_ms: int) -> int:
    """The open time of the candle that is not closed yet."""
    return first_open_from(time_ms - length_ms + 1, length_ms)


def _title(settings: Settings, mode: Mode) -> str:
    symbols, name = ", ".join(settings.engine.symbols), settings.exchange.id
    if mode is Mode.LIVE:
        return f"LIVE money on {name}: {symbols}"
    return f"PAPER money, live prices of {name}: {symbols}"


def _source(settings: Settings) -> str:
    return f"exchange {settings.exchange.id}"


def _rules(settings: Settings, mode: Mode, markets: Sequence[Market]) -> Rules:
    length_ms = timeframe_ms(settings.engine.timeframe)
    live = live_of(settings.risk, length_ms, on_exchange=mode is Mode.LIVE)
    return rules_of(settings, markets, made_strategies(settings), length_ms, live)


def _stored_markets(run: Run, symbols: Sequence[str]) -> list[Market]:
    """The markets as the run began with them; a symbol that it does not trade gets the usual steps."""
    known = {each.symbol: each for each in run.rules.markets}
    usual = Decimal(1).scaleb(-LIVE_DECIMALS)
    return [
        Market(
            symbol,
            stored.tick,
            stored.lot,
            Decimal(stored.min_notional).scaleb(-run.rules.quote_decimals).normalize(),
            stored.price_step,
            stored.amount_step,
            stored.least_amount,
            stored.most_amount,
        )
        if (stored := known.get(symbol))
        else Market(symbol, usual, usual)
        for symbol in symbols
    ]


def _require_trading(found: Markets) -> None:
    halted = [each.symbol for each in found.filters if not each.trading]
    if halted:
        raise InputError(
            f"engine.symbols: the exchange takes no orders for {', '.join(halted)} now; name others"
        )


def _history_candles(settings: Settings) -> int:
    """How many closed candles the strategies get before the first one of the run."""
    longest = max(strategy.warmup_candles for _, strategy in made_strategies(settings))
    return max(LEAST_HISTORY_CANDLES, longest)


def _feed(settings: Settings, rules: Rules, run: Run, url: str) -> ExchangeFeed:
    exchange = settings.exchange
    return ExchangeFeed(
        exchange.id,
        exchange.options,
        tuple((market.symbol, market.tick) for market in rules.markets),
        rules.timeframe_ms,
        run.anchor_ms,
        run.first_open_ms,
        url,
        run.id,
        str(cache_folder(exchange)),
    )


def _execution(settings: Settings, run: Run, url: str) -> ExchangeSpec:
    exchange = settings.exchange
    return ExchangeSpec(
        exchange.id,
        exchange.options,
        settings.engine.symbols,
        url,
        run.id,
        run.engine_id,
        str(cache_folder(exchange)),
        _own_limits(settings, run, url),
    )


def _own_limits(settings: Settings, run: Run, url: str) -> OwnLimits:
    """What execution buys at most. It stops what a fault could do, and nothing that risk may want, also when
    its limits are changed while it runs."""
    worth = max(settings.engine.initial_capital_quote, _newest_equity(run, url))
    per_minute = max(LEAST_ORDERS_PER_MINUTE, 2 * settings.risk.max_orders_per_minute)
    return OwnLimits(per_minute, ORDER_WORTH * worth, DAY_WORTH * worth)


def _newest_equity(run: Run, url: str) -> Decimal:
    reader = Reader.open(url)
    try:
        rows = reader.newest(equity, run.id, 1)
    finally:
        reader.close()
    return Decimal(rows[0]["equity"]) if rows else Decimal(0)
