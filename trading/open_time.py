"""One open time through the engine on stored or simulated candles (rulebook 5, steps 1 to 3)."""

from collections.abc import Mapping
from types import MappingProxyType

from trading.detail import Detail
from trading.engine import Engine
from trading.events import CandlesClosed, VenueReported
from trading.simulated_venue import Executions, Moment, Working, can_execute


def venue_orders(engine: Engine, closed: CandlesClosed) -> list[Working]:
    """What the venue must be asked about at this open time: empty when nothing can fill or end."""
    working = engine.working()
    if not working:
        return working
    candles = {candle.symbol: candle for candle in closed.candles}
    if any(can_execute(each, candles.get(each.symbol)) for each in working):
        return working
    return []


def moments_of(
    closed: CandlesClosed, details: Mapping[str, Detail] = MappingProxyType({})
) -> dict[str, tuple[Moment, ...]]:
    """What each symbol can be traded in: the finer candles inside its own, else its own candle."""
    time_ms = closed.open_time_ms
    return {
        candle.symbol: details[candle.symbol].moments(time_ms, candle)
        if candle.symbol in details
        else (Moment(time_ms, candle),)
        for candle in closed.candles
    }


def reported(open_time_ms: int, executions: Executions) -> VenueReported:
    """The venue's answer as an event."""
    return VenueReported(open_time_ms, executions.fills, executions.endings)
