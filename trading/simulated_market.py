"""A made-up market: seeded, switching between regimes, with jumps and volume, and without an end.

Candles come in blocks. A block is a function of the seed, the symbol, its number and the price that it
starts at, and of nothing else: whoever knows the last close can go on, also after a restart.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.market import Market
from trading.price_ticks import Ticks, to_prices

BLOCK_CANDLES = 1_000
SOURCE = "SIMULATED"

# Calm, trending and volatile, per candle of one hour: drift and deviation of the logarithm of the price.
# A trend mostly follows one in the other direction, so that moving averages cross every few dozen candles.
_TREND = 1
_DRIFTS = np.array([0.0, 0.0026, 0.0])
_DEVIATIONS = np.array([0.0020, 0.0030, 0.0070])
_SHARES_BELOW = np.array([0.16, 0.88])
_TURN_CHANCE = 0.85
_SHORTEST_REGIME, _LONGEST_REGIME = 15, 40
_JUMP_CHANCE = 0.0015
_JUMP_SIZE = 0.02
# How much of the distance to the usual price one block takes back: prices stay in sight for ever.
_PULL = 0.6
_HOUR_MS = 3_600_000
_USUAL_PRICES = {"BTC": 30_000.0, "ETH": 2_000.0, "SOL": 100.0, "BNB": 300.0, "XRP": 0.5}
_OTHER_PRICE = 100.0
_USUAL_TURNOVER = 1_000_000.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedMarket:
    """Which market: the same seed, symbol and timeframe give the same candles."""

    symbol: str
    seed: int
    timeframe_ms: int
    tick: Decimal | None = None
    """Price step; without one 0.01, or 0.000001 where a unit costs less than 1."""

    @property
    def usual_price(self) -> float:
        """The price that the market starts at and is drawn back to."""
        return _USUAL_PRICES.get(self.symbol.partition("/")[0], _OTHER_PRICE)

    @property
    def price_step(self) -> Decimal:
        """The tick."""
        return self.tick or Decimal("0.01" if self.usual_price > 1 else "0.000001")

    @property
    def rules(self) -> Market:
        """The market's rules: its tick, and the default lot and minimum."""
        return Market(self.symbol, self.price_step)

    @property
    def start_ticks(self) -> int:
        """The price before the first block."""
        return max(1, round(self.usual_price / float(self.price_step)))


@dataclass(frozen=True)
class Block:
    """1,000 candles in a row: prices in ticks, volume in base; candle i is i timeframes after the first."""

    index: int
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    volume: Floats

    @property
    def end_ticks(self) -> int:
        """The price that the next block starts at."""
        return int(self.close[-1])


def block(market: SimulatedMarket, index: int, start_ticks: int) -> Block:
    """The candles index x 1,000 and on, the price before them being `start_ticks`."""
    random = _generator(market, index)
    drift, deviation = _regimes(random)
    scale = float(np.sqrt(market.timeframe_ms / _HOUR_MS))
    step = float(market.price_step)
    steps = (drift + deviation * random.standard_normal(BLOCK_CANDLES)) * scale
    steps += _jumps(random) * scale
    pull = _PULL * np.log(start_ticks * step / market.usual_price) / BLOCK_CANDLES
    closes = start_ticks * np.exp(np.cumsum(steps - pull))
    close = np.maximum(1, np.rint(closes)).astype(np.int64)
    opens = np.concatenate([[start_ticks], close[:-1]])
    wicks = np.abs(random.standard_normal((2, BLOCK_CANDLES))) * (0.5 * scale * deviation)
    high = np.maximum(np.maximum(opens, close), np.rint(np.maximum(opens, close) * (1 + wicks[0])))
    low = np.maximum(1, np.rint(np.minimum(opens, close) * (1 - np.minimum(wicks[1], 0.5))))
    volume = _volumes(random, steps, deviation * scale, close * step, scale)
    return Block(index, opens.astype(np.int64), high.astype(np.int64), low.astype(np.int64), close, volume)


def blocks(market: SimulatedMarket, first: int = 0, start_ticks: int | None = None) -> Iterator[Block]:
    """Blocks for ever, in order; `start_ticks` is the close before the first one."""
    price = market.start_ticks if start_ticks is None else start_ticks
    while True:
        made = block(market, first, price)
        yield made
        first, price = first + 1, made.end_ticks


def simulated_candles(market: SimulatedMarket, first_open_ms: int, count: int) -> pl.DataFrame:
    """The first candles of a market as a history has them (see `trading.history.History`)."""
    parts = [made for made, _ in zip(blocks(market), range(-(-count // BLOCK_CANDLES)), strict=False)]
    names = ("open", "high", "low", "close")
    ticks = {name: np.concatenate([getattr(each, name) for each in parts])[:count] for name in names}
    times = first_open_ms + market.timeframe_ms * np.arange(count, dtype=np.int64)
    return pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("ms", "UTC")),
            **{name: to_prices(column, market.price_step) for name, column in ticks.items()},
            "volume": np.concatenate([each.volume for each in parts])[:count],
            **{f"{name}_ticks": column for name, column in ticks.items()},
            "filled": np.zeros(count, dtype=np.bool_),
        }
    )


def _generator(market: SimulatedMarket, index: int) -> np.random.Generator:
    text = f"{market.seed}|{market.symbol}|{market.timeframe_ms}|{index}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key))


def _regimes(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Drift and deviation of each candle: stretches of one regime, cut at the block's end."""
    most = BLOCK_CANDLES // _SHORTEST_REGIME
    lengths = random.integers(_SHORTEST_REGIME, _LONGEST_REGIME, size=most, endpoint=True)
    regimes = np.searchsorted(_SHARES_BELOW, random.random(most), side="right")
    turns = (random.random(most) < _TURN_CHANCE) & (regimes == _TREND)
    first = random.choice([-1.0, 1.0])
    drifts = _DRIFTS[regimes] * first * np.where(np.cumsum(turns) % 2, -1.0, 1.0)
    chosen = np.repeat(np.arange(most), lengths)[:BLOCK_CANDLES]
    return drifts[chosen], _DEVIATIONS[regimes[chosen]]


def _jumps(random: np.random.Generator) -> Floats:
    hit = random.random(BLOCK_CANDLES) < _JUMP_CHANCE
    return np.asarray(hit * random.standard_normal(BLOCK_CANDLES) * _JUMP_SIZE)


def _volumes(
    random: np.random.Generator, steps: Floats, deviation: Floats, prices: Floats, scale: float
) -> Floats:
    """Volume in base, higher where the price moves more than usual."""
    activity = np.exp(0.4 * random.standard_normal(BLOCK_CANDLES)) * (0.5 + np.abs(steps) / deviation)
    return np.asarray(np.round(activity * scale * _USUAL_TURNOVER / prices, 5))
