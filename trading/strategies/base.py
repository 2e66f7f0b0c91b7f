"""The public base of every strategy, in its two forms (rulebook 3 and 9).

A strategy keeps nothing between two calls: what it says of a candle follows from the candles alone,
so that a restart, a replay and a backtest hear the same.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any

import polars as pl
from msgspec import Struct

from trading.errors import StrategyError, suggestion
from trading.signals import Side, Signal, confidence_millionths
from trading.strategies.parameters import ParameterInfo, declared

REASON_SEPARATOR = "; "


class MarketView(Struct, frozen=True):
    """What a strategy sees of one market when a candle has closed.

    `candles` has one row per closed candle, oldest first, the last one just closed, filled ones
    included: `timestamp` (UTC, open time), `open`, `high`, `low`, `close`, `volume` (Float64),
    `open_ticks`, `high_ticks`, `low_ticks`, `close_ticks` (Int64, exact) and `filled` (Boolean).
    """

    symbol: str
    timeframe: str
    candles: pl.DataFrame


class Strategy(ABC):
    """The per-candle form: asked at each close, answers with a signal.

    Parameters are declared as class attributes (`Integer`, `Number`, `Choice`) and given by name;
    raises StrategyError for an unknown name, a value that is not allowed, or what `check` refuses.
    """

    def __init__(self, **params: object) -> None:
        known = declared(type(self))
        for name in params:
            if name not in known:
                raise StrategyError(f"parameter {name!r} is unknown; {suggestion(name, known)}")
        for name, parameter in known.items():
            parameter.__set__(self, params.get(name, parameter.default))
        self.check()

    @property
    def warmup_candles(self) -> int:
        """How many candles must have closed before it speaks."""
        return 1

    @property
    def memory_candles(self) -> int | None:
        """How many of the last candles decide a signal; None: all from the anchor on."""
        return None

    @property
    def valid_candles(self) -> int:
        """At how many closes a signal counts, its own included; settings may say otherwise."""
        return 1

    @property
    def every_candles(self) -> int:
        """It is asked at each so many-th close; settings may say otherwise."""
        return 1

    def check(self) -> None:
        """Raise StrategyError when the parameters do not go together."""
        return None

    @abstractmethod
    def analyze(self, market: MarketView, news: tuple[Any, ...]) -> Signal | Awaitable[Signal | None] | None:
        """What to do at the close of the last candle; None is absent. May be `async def`."""

    @classmethod
    def type_name(cls) -> str:
        """The name of this type in the settings: the class name in snake_case."""
        return snake_case(cls.__name__)

    @classmethod
    def parameters(cls) -> list[ParameterInfo]:
        """The declared parameters, for a listing."""
        return [parameter.info() for parameter in declared(cls).values()]

    @property
    def params(self) -> dict[str, object]:
        """The value of every parameter; with the type (and path) enough to build it again."""
        return {name: getattr(self, name) for name in declared(type(self))}


class VectorStrategy(Strategy):
    """The vectorised form: answers for all rows of a frame at once."""

    @abstractmethod
    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        """One row per row of `candles` (columns as in MarketView).

        Columns: `side` (BUY, SELL, HOLD; null is absent), `confidence` (0 to 100) and, if wished,
        `reasons` (a string, several joined by "; ", or a list of strings; may be null).
        A row may depend on the rows up to it only, and on no more than `memory_candles` of them.
        """

    def analyze(self, market: MarketView, news: tuple[Any, ...]) -> Signal | None:
        """The last row of `signals`."""
        frame = checked_frame(self.signals(market.candles), market.candles.height)
        row = frame.row(-1, named=True)
        if row["side"] is None:
            return None
        if row["confidence"] is None:
            raise ValueError("there is a side but no confidence")
        reasons = split_reasons(row.get("reasons"))
        return Signal(Side(row["side"]), confidence_millionths(row["confidence"]), reasons)


def checked_frame(answer: object, height: int) -> pl.DataFrame:
    """What `signals` gave, if it has the right shape; raises TypeError or ValueError otherwise."""
    if not isinstance(answer, pl.DataFrame):
        raise TypeError(f"signals gave a {type(answer).__name__}, not a polars DataFrame")
    if answer.height != height:
        raise ValueError(f"signals gave {answer.height} rows for {height} candles")
    for column in ("side", "confidence"):
        if column not in answer.columns:
            raise ValueError(f"signals gave no column {column!r}")
    if answer["confidence"].dtype != pl.Null and not answer["confidence"].dtype.is_numeric():
        raise TypeError(f"the column 'confidence' holds {answer['confidence'].dtype}, not numbers")
    if not isinstance(answer["side"].dtype, pl.String | pl.Categorical | pl.Enum | pl.Null):
        raise TypeError(f"the column 'side' holds {answer['side'].dtype}, not BUY, SELL or HOLD")
    reasons = answer.get_column("reasons", default=pl.Series(dtype=pl.Null)).dtype
    if reasons not in (pl.String, pl.Null, pl.List(pl.String)):
        raise TypeError(f"the column 'reasons' holds {reasons}, not strings")
    return answer


def split_reasons(reasons: object) -> tuple[str, ...]:
    """The reasons of one row: none, one string with several joined by "; ", or many strings."""
    if reasons is None:
        return ()
    if isinstance(reasons, str):
        reasons = reasons.split(REASON_SEPARATOR)
    if not isinstance(reasons, list | tuple):
        raise TypeError(f"reasons are a {type(reasons).__name__}, not strings")
    return tuple(str(reason) for reason in reasons if reason)


def snake_case(name: str) -> str:
    """`SmaCross` is `sma_cross`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
