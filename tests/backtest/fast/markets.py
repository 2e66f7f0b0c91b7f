"""Random markets, settings and votes to run both engines on."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from backtest.simulation import Simulation
from trading.date_range import select_range
from trading.detail import detail_of
from trading.exact_settings import rules_of
from trading.history import History
from trading.market import Market
from trading.price_ticks import to_prices
from trading.settings import Settings, parse_settings
from trading.strategies.base import VectorStrategy
from trading.strategies.parameters import Integer, Number
from trading.strategies.registry import made_strategies

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_609_459_200_000 - 3 * HOUR_MS


@dataclass(frozen=True)
class Case:
    """A market of several symbols, the settings, and where trading begins and ends."""

    seed: int
    timeframe_ms: int
    candles: int
    symbols: int
    volatility: float
    holes: float
    tick: str
    detailed: bool
    from_candle: int
    raw: dict[str, Any]

    def simulation(self) -> Simulation:
        """The case, ready to run."""
        random = np.random.default_rng(self.seed)
        pairs = [self._histories(random, s) for s in range(self.symbols)]
        settings = self.settings()
        histories = [history for history, _ in pairs]
        opens_ms = histories[0].open_times_ms
        chosen = select_range(histories, int(opens_ms[min(self.from_candle, len(opens_ms) - 1)]))
        strategies = made_strategies(settings)
        markets = [history.market for history in chosen.histories]
        rules = rules_of(settings, markets, strategies, self.timeframe_ms)
        details = [
            detail_of(history, finer) if finer is not None else None
            for history, (_, finer) in zip(chosen.histories, pairs, strict=True)
        ]
        return Simulation(chosen.histories, rules, strategies, chosen.first_open_ms, 1, details)

    def settings(self) -> Settings:
        """The settings of the case."""
        return parse_settings(self.raw)

    def _histories(self, random: np.random.Generator, s: int) -> tuple[History, History | None]:
        first = int(random.integers(0, 3 + self.candles // 5)) if s else 0
        count = max(5, self.candles - first - int(random.integers(0, 1 + self.candles // 4)))
        parts = 4 if self.detailed and self.timeframe_ms % (4 * MINUTE_MS) == 0 else 1
        steps = random.normal(0, self.volatility / np.sqrt(parts), count * parts)
        jumps = (random.random(count * parts) < 0.02) * random.normal(0, 6 * self.volatility, count * parts)
        closes = 100 * np.exp(np.cumsum(steps + jumps))
        opens = np.append(100.0, closes[:-1]) * np.exp(random.normal(0, self.volatility / 4, len(closes)))
        spread = np.exp(np.abs(random.normal(0, self.volatility, (2, len(closes)))))
        highs, lows = np.maximum(opens, closes) * spread[0], np.minimum(opens, closes) / spread[1]
        kept = random.random(len(closes)) >= self.holes
        kept[0] = True
        if random.random() < 0.5 and self.holes:
            cut = int(random.integers(1, len(closes)))
            kept[cut : cut + int(random.integers(1, 2 + len(closes) // 3))] = False
        start = START_MS + first * self.timeframe_ms
        times = start + np.arange(len(closes)) * (self.timeframe_ms // parts)
        fine = [times, opens, highs, lows, closes]
        tick = Decimal(self.tick)
        market = Market(f"S{s}/USDT", tick)
        finer = _history(market, self.timeframe_ms // parts, [column[kept] for column in fine])
        if parts == 1:
            return finer, None
        whole = [
            times[::parts],
            opens[::parts],
            highs.reshape(-1, parts).max(axis=1),
            lows.reshape(-1, parts).min(axis=1),
            closes[parts - 1 :: parts],
        ]
        real = kept.reshape(-1, parts).any(axis=1) | (random.random(count) < 0.1)
        real[0] = True
        return _history(market, self.timeframe_ms, [column[real] for column in whole]), finer


def _history(market: Market, timeframe_ms: int, columns: Sequence[Any]) -> History:
    """Real candles (times, open, high, low, close) in ticks, on a grid whose holes are filled."""
    times, *prices = columns
    places = (times - times[0]) // timeframe_ms
    rows = np.repeat(np.arange(len(places)), np.diff(places, append=places[-1] + 1))
    filled = np.ones(len(rows), bool)
    filled[places] = False
    ticks = [np.maximum(1, np.rint(column / float(market.tick))).astype(np.int64) for column in prices]
    names = ("open", "high", "low", "close")
    in_ticks = {
        name: np.where(filled, ticks[3][rows], column[rows])
        for name, column in zip(names, ticks, strict=True)
    }
    table = pl.DataFrame(
        {
            "timestamp": pl.Series(times[0] + np.arange(len(rows)) * timeframe_ms).cast(
                pl.Datetime("ms", "UTC")
            ),
            **{name: to_prices(column, market.tick) for name, column in in_ticks.items()},
            "volume": np.where(filled, 0.0, 1.0),
            **{f"{name}_ticks": column for name, column in in_ticks.items()},
            "filled": filled,
        }
    )
    return History(market, timeframe_ms, table)


class Scripted(VectorStrategy):
    """Signals made of the open times alone: now this side, now that, now nothing."""

    salt = Integer(1, low=0, high=1_000_000)
    silent = Number(0.3, low=0, high=1)
    sure = Number(0.5, low=0, high=1)
    warmup = Integer(1, low=1, high=500)

    @property
    def warmup_candles(self) -> int:
        return self.warmup

    @property
    def memory_candles(self) -> int:
        return 1

    def signals(self, candles: pl.DataFrame) -> pl.DataFrame:
        times = candles["timestamp"].to_physical().to_numpy().astype(np.uint64)
        bits = _mixed(times // np.uint64(1000) + np.uint64(self.salt * 0x9E3779B97F4A7C15 % 2**64))
        parts = [((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF)) / 65_536 for part in range(4)]
        sides = np.array(["BUY", "SELL", "HOLD"], object)[(parts[0] * 3).astype(int)]
        sides[parts[1] < self.silent] = None
        confidence = np.where(parts[2] < self.sure, 100.0, np.round(parts[3] * 110, 6).clip(0, 100))
        confidence[(parts[3] < 0.1)] = 0
        reasons = np.where(parts[3] < 0.5, "odd; even", "")
        return pl.DataFrame(
            {
                "side": pl.Series(sides.tolist(), dtype=pl.String),
                "confidence": confidence,
                "reasons": pl.Series(reasons.tolist(), dtype=pl.String),
            }
        )


def _mixed(values: Any) -> Any:
    """Well-mixed 64-bit numbers of numbers (splitmix64)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def _percent(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Percentages from whole ones to six decimals."""
    whole = st.integers(low, high).map(Decimal)
    fine = st.decimals(low, high, allow_nan=False, allow_infinity=False, places=6)
    return st.one_of(whole, fine)


def _off_or(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Decimal]:
    return st.one_of(st.just(Decimal(0)), values)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Random cases; small, so that many are tried."""
    count = draw(st.integers(1, 3))
    strategies = [
        {
            "name": f"voter{place}",
            "type": "scripted",
            "path": __file__,
            "weight": draw(st.one_of(st.just(Decimal(1)), _percent(0, 7))),
            "enabled": draw(st.integers(0, 9)) > 0,
            "valid_candles": draw(st.sampled_from([1, 1, 2, 5, 40])),
            "every_candles": draw(st.sampled_from([1, 1, 2, 3])),
            "params": {
                "salt": draw(st.integers(0, 1000)),
                "silent": draw(st.sampled_from([0.0, 0.3, 0.8, 0.95])),
                "sure": draw(st.sampled_from([0.0, 0.5, 1.0])),
                "warmup": draw(st.sampled_from([1, 2, 10, 60])),
            },
        }
        for place in range(count)
    ]
    risk = {
        "position_size_percent": draw(_percent(1, 100)),
        "stop_loss_percent": draw(_off_or(_percent(1, 12))),
        "trailing_stop_percent": draw(_off_or(_percent(1, 9))),
        "take_profit_percent": draw(_off_or(_percent(1, 15))),
        "daily_loss_limit_percent": draw(st.one_of(st.just(Decimal(15)), _percent(1, 20))),
        "kill_switch_percent": draw(st.one_of(st.just(Decimal(50)), _percent(2, 100))),
        "max_drawdown_percent": draw(_off_or(_percent(2, 60))),
        "max_exposure_percent": draw(st.one_of(st.just(Decimal(100)), _percent(20, 100))),
        "max_open_positions": draw(st.sampled_from([5, 5, 5, 2, 1, 0])),
        "max_orders_per_minute": draw(st.sampled_from([30, 30, 30, 2, 1, 0])),
        "cooldown_candles_after_stop": draw(st.sampled_from([0, 0, 1, 7])),
        "max_gap_candles": draw(st.sampled_from([0, 1, 3, 60])),
        "min_order_notional_quote": draw(st.sampled_from([Decimal(0), Decimal(10), Decimal(60)])),
    }
    return Case(
        seed=draw(st.integers(0, 2**32 - 1)),
        timeframe_ms=draw(st.sampled_from([10_000, MINUTE_MS, HOUR_MS, 8 * HOUR_MS, DAY_MS])),
        candles=draw(st.one_of(st.integers(5, 40), st.integers(100, 400))),
        symbols=draw(st.integers(1, 4)),
        volatility=draw(st.sampled_from([0.0005, 0.01, 0.04])),
        holes=draw(st.sampled_from([0.0, 0.0, 0.05, 0.4])),
        tick=draw(st.sampled_from(["0.01", "0.5", "0.00000001", "0.0025"])),
        detailed=draw(st.booleans()),
        from_candle=draw(st.sampled_from([0, 0, 3, 20])),
        raw={
            "engine": {
                "initial_capital_quote": draw(
                    st.sampled_from([Decimal(10_000), Decimal("150.25"), Decimal(10**8)])
                )
            },
            "costs": {
                "fee_percent": draw(st.one_of(st.just(Decimal("0.1")), _percent(0, 3))),
                "slippage_percent": draw(st.one_of(st.just(Decimal("0.05")), _percent(0, 2))),
            },
            "vote": {
                "confidence_threshold": draw(st.one_of(st.just(Decimal(20)), _percent(0, 100))),
                "quorum": draw(
                    st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("0.333333"), Decimal(1)])
                ),
            },
            "risk": risk,
            "strategies": strategies,
        },
    )
