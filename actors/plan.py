"""What should run: the plan of an engine, and how each of its actors is made."""

from collections.abc import Callable

from msgspec import Struct

from actors import refs, spawn
from actors.market_data.feed import FeedSpec, MarketData
from actors.strategy_spec import StrategySpec
from trading.rules import Rules


class Plan(Struct, frozen=True):
    """Everything that should run.

    On repeatable candles a strategy that is silent for `silent_after_seconds` ends the run.
    """

    database_url: str
    feed: FeedSpec
    rules: Rules
    anchor_ms: int
    strategies: tuple[StrategySpec, ...]
    silent_after_seconds: float = 60.0


def makers(plan: Plan, strategies: tuple[StrategySpec, ...]) -> dict[str, Callable[[], None]]:
    """For each actor's name, what makes it unless it is there.

    Who takes longest to start comes first. Their classes are imported when they are made: who only
    looks after actors stays small.
    """
    return {
        **{refs.strategy_name(spec.name): _maker(plan, spec) for spec in strategies},
        refs.PERSISTENCE: lambda: _persistence(plan),
        refs.MARKET_DATA: lambda: spawn.spawn(MarketData, refs.MARKET_DATA, plan.feed),
        refs.RISK: lambda: _risk(plan),
        refs.EXECUTION: _execution,
    }


def spawn_strategy(plan: Plan, spec: StrategySpec) -> None:
    """Make a strategy's actor."""
    from actors.strategy import Voter

    market = refs.MarketRef(refs.MARKET_DATA)
    facts = (spec, plan.rules.markets, market, plan.anchor_ms, plan.rules.timeframe_ms)
    spawn.spawn(Voter, refs.strategy_name(spec.name), *facts)


def _maker(plan: Plan, spec: StrategySpec) -> Callable[[], None]:
    return lambda: spawn_strategy(plan, spec)


def _persistence(plan: Plan) -> None:
    from actors.persistence.actor import Persistence

    spawn.spawn(Persistence, refs.PERSISTENCE, plan.database_url)


def _execution() -> None:
    from actors.execution.paper import PaperVenue

    spawn.spawn(PaperVenue, refs.EXECUTION)


def _risk(plan: Plan) -> None:
    from actors.risk import Risk

    store, market = refs.StoreRef(refs.PERSISTENCE), refs.MarketRef(refs.MARKET_DATA)
    venue = refs.VenueRef(refs.EXECUTION)
    spawn.spawn(
        Risk, refs.RISK, store, market, venue, refs.strategy_ref, plan.rules, plan.silent_after_seconds
    )
