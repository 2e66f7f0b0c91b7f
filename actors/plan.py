"""What should run: the plan of an engine, and how each of its actors is made."""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from actors import refs, spawn
from actors.execution.spec import ExchangeSpec
from actors.market_data.exchange.spec import ExchangeFeed
from actors.market_data.feed import FeedSpec, MarketData
from actors.strategy_spec import StrategySpec
from trading.rules import Rules


class Companion(Struct, frozen=True):
    """An actor beside the engine, which looks at it: its name, its class, and what that is made with.

    It starts when it is told `ensure_running`, and is told so again after it died.
    """

    name: str
    kind: type[Any]
    args: tuple[Any, ...]


class Plan(Struct, frozen=True):
    """Everything that should run.

    On repeatable candles a strategy that is silent for `silent_after_seconds` ends the run. `home` is where
    everything runs but the strategies, which Ray spreads over the cluster. `rules` are put in force once,
    on the state after the journal entry `rules_after`: what is changed later holds when risk starts again.

    On live prices a vote waits `deadline_seconds` for a strategy. `exchange` is where orders go; without it
    they are filled on paper.
    """

    database_url: str
    feed: FeedSpec | ExchangeFeed
    rules: Rules
    anchor_ms: int
    strategies: tuple[StrategySpec, ...]
    silent_after_seconds: float = 60.0
    companions: tuple[Companion, ...] = ()
    home: spawn.Pin | None = None
    rules_after: int | None = None
    exchange: ExchangeSpec | None = None
    deadline_seconds: float = 2.0


def makers(plan: Plan, strategies: tuple[StrategySpec, ...]) -> dict[str, Callable[[], None]]:
    """For each actor's name, what makes it unless it is there.

    Who takes longest to start comes first. Their classes are imported when they are made: who only
    looks after actors stays small.
    """
    outside = {
        refs.EXECUTION: lambda: _execution(plan),
        refs.MARKET_DATA: lambda: _market_data(plan),
    }
    return {
        **(outside if plan.rules.live else {}),
        **{refs.strategy_name(spec.name): _maker(plan, spec) for spec in strategies},
        refs.PERSISTENCE: lambda: _persistence(plan),
        **outside,
        refs.RISK: lambda: _risk(plan),
        **{
            each.name: partial(spawn.spawn, each.kind, each.name, *each.args, pin=plan.home)
            for each in plan.companions
        },
    }


def spawn_strategy(plan: Plan, spec: StrategySpec) -> None:
    """Make a strategy's actor."""
    from actors.strategy import Voter

    market = refs.MarketRef(refs.MARKET_DATA)
    facts = (spec, plan.rules.markets, market, plan.anchor_ms, plan.rules.timeframe_ms)
    spawn.spawn(Voter, refs.strategy_name(spec.name), *facts)


def _maker(plan: Plan, spec: StrategySpec) -> Callable[[], None]:
    return lambda: spawn_strategy(plan, spec)


def _market_data(plan: Plan) -> None:
    if isinstance(plan.feed, ExchangeFeed):
        from actors.market_data.exchange.market import ExchangeMarket

        store = refs.StoreRef(refs.PERSISTENCE)
        spawn.spawn(ExchangeMarket, refs.MARKET_DATA, plan.feed, store, pin=plan.home)
    else:
        spawn.spawn(MarketData, refs.MARKET_DATA, plan.feed, pin=plan.home)


def _persistence(plan: Plan) -> None:
    from actors.persistence.actor import Persistence

    spawn.spawn(Persistence, refs.PERSISTENCE, plan.database_url, pin=plan.home)


def _execution(plan: Plan) -> None:
    if plan.exchange is None:
        from actors.execution.paper import PaperVenue

        spawn.spawn(PaperVenue, refs.EXECUTION, pin=plan.home)
    else:
        from actors.execution.exchange import ExchangeVenue

        store = refs.StoreRef(refs.PERSISTENCE)
        spawn.spawn(ExchangeVenue, refs.EXECUTION, plan.exchange, store, pin=plan.home)


def _risk(plan: Plan) -> None:
    store, market = refs.StoreRef(refs.PERSISTENCE), refs.MarketRef(refs.MARKET_DATA)
    venue = refs.VenueRef(refs.EXECUTION)
    facts = (store, market, venue, refs.strategy_ref, plan.rules, plan.silent_after_seconds, plan.rules_after)
    if plan.rules.live is None:
        from actors.risk import Risk

        spawn.spawn(Risk, refs.RISK, *facts, pin=plan.home)
        return
    from actors.live_risk import LiveRisk

    exchange = refs.ExchangeRef(refs.EXECUTION) if plan.exchange else None
    engine_id = plan.exchange.engine_id if plan.exchange else ""
    live = (refs.PricesRef(refs.MARKET_DATA), exchange, engine_id, plan.deadline_seconds)
    spawn.spawn(LiveRisk, refs.RISK, *facts, *live, pin=plan.home)
