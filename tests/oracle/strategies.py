"""Hypothesis strategies: random markets, signals, settings and commands in which every rule is met often.

A drawn seed makes the bulk (candles, signals), so that examples are cheap; hypothesis chooses the shape.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.oracle.vote import BUY, HOLD, SELL

SECOND_MS, HOUR_MS, DAY_MS = 1_000, 3_600_000, 86_400_000
# 15 s lets orders of several closes meet in one minute.
TIMEFRAMES_MS = (15 * SECOND_MS, 60 * SECOND_MS, HOUR_MS, DAY_MS)
START_MS = 1_600_000_000_000 // DAY_MS * DAY_MS
SYMBOLS = ("AAA/USDT", "BBB/USDT", "CCC/USDT")
TICKS_AND_LOTS = (
    ("1", "1"), ("1", "0.1"), ("1", "0.003"), ("0.5", "0.1"), ("0.5", "0.00001"),
    ("0.01", "0.1"), ("0.01", "5"), ("0.00000001", "1"), ("0.00000001", "70000"),
)  # fmt: skip
CONFIDENCES = tuple(map(Decimal, ("0", "0.000001", "30", "49.999999", "50", "50.000001", "75", "100", "100")))

Row = dict[str, Any]


@dataclass
class Case:
    """The arguments of one simulation; see `tests.oracle.simulate.simulate`."""

    candles: dict[str, list[Row]]
    signals: dict[tuple[str, str, int], tuple[str, Decimal]]
    settings: dict[str, Any]
    start_ms: int
    commands: dict[int, list[Any]] = field(default_factory=dict)

    def in_range(self) -> dict[str, list[Row]]:
        """The candles that are traded."""
        return {s: [r for r in rows if r["time_ms"] >= self.start_ms] for s, rows in self.candles.items()}


def percents(*values: str) -> st.SearchStrategy[Decimal]:
    """One of these percentages."""
    return st.sampled_from([Decimal(v) for v in values])


def settings() -> st.SearchStrategy[dict[str, Any]]:
    """Costs, vote and risk; the limits are tight enough to be met."""
    return st.fixed_dictionaries(
        {
            "initial_capital": percents("15", "25", "100", "1000.01", "10000"),
            "fee_percent": percents("0", "0.1", "0.1", "0.333333", "7"),
            "slippage_percent": percents("0", "0.05", "1", "6"),
            "confidence_threshold": percents("0", "50", "50", "50.000001", "75"),
            "quorum": percents("0", "0.5", "0.5", "0.666667", "1"),
            "position_size_percent": percents("5", "33.333333", "60", "100", "100"),
            "stop_loss_percent": percents("0", "0", "1", "5", "12.5"),
            "trailing_stop_percent": percents("0", "0", "0", "2", "7"),
            "take_profit_percent": percents("0", "0", "0", "1.5", "10"),
            "cooldown_candles_after_stop": st.sampled_from([0, 1, 3, 20]),
            "daily_loss_limit_percent": percents("0.5", "3", "15", "50", "100"),
            "kill_switch_percent": percents("4", "15", "50", "90", "100"),
            "max_drawdown_percent": percents("0", "0", "0", "5", "20"),
            "min_order_notional_quote": percents("0.01", "0.01", "1", "10"),
            "max_open_positions": st.sampled_from([1, 2, 5]),
            "max_exposure_percent": percents("40", "95", "100", "100", "100"),
            "max_orders_per_minute": st.sampled_from([1, 2, 30]),
            "max_gap_candles": st.sampled_from([1, 3, 60]),
        }
    )


def voters() -> st.SearchStrategy[list[dict[str, Any]]]:
    """One to three strategies; the first is enabled."""
    weights = st.sampled_from([Decimal(w) for w in ("0.333333", "0.5", "1", "1", "2")])
    one = st.fixed_dictionaries(
        {
            "weight": weights,
            "enabled": st.sampled_from([True, True, True, False]),
            "valid_candles": st.sampled_from([1, 1, 2, 4]),
            "warmup_candles": st.sampled_from([1, 2, 5, 9]),
        }
    )
    return st.lists(one, min_size=1, max_size=3).map(
        lambda many: [
            voter | {"name": f"voter{i}", "enabled": i == 0 or voter["enabled"]}
            for i, voter in enumerate(many)
        ]
    )


def markets(symbols: list[str]) -> st.SearchStrategy[dict[str, tuple[Decimal, Decimal, Decimal]]]:
    """Tick, lot and minimum notional of each symbol."""
    steps = st.sampled_from([(Decimal(t), Decimal(v)) for t, v in TICKS_AND_LOTS])
    minimum = st.sampled_from([Decimal(v) for v in ("0.01", "1", "10")])
    one = st.builds(lambda pair, smallest: (*pair, smallest), steps, minimum)
    return st.fixed_dictionaries(dict.fromkeys(symbols, one))


@st.composite
def cases(draw: st.DrawFn, longest: int = 200) -> Case:
    """A whole run: 1 to 3 symbols, 30 to `longest` open times, signals, settings, commands."""
    symbols = list(SYMBOLS[: draw(st.integers(1, 3))])
    count = draw(st.integers(30, longest))
    timeframe_ms = draw(st.sampled_from(TIMEFRAMES_MS))
    random = Random(draw(st.integers(0, 2**32)))
    # Short timeframes begin shortly before midnight, or they would never see one.
    first_ms = START_MS + max(DAY_MS - count // 3 * timeframe_ms, 0) // timeframe_ms * timeframe_ms
    rules = draw(markets(symbols))
    candles = {
        symbol: _candles(random, rules[symbol][0], first_ms, timeframe_ms, _life(random, count, i))
        for i, symbol in enumerate(symbols)
    }
    chosen = draw(settings()) | {
        "timeframe_ms": timeframe_ms,
        "markets": rules,
        "strategies": draw(voters()),
    }
    return Case(
        candles,
        _signals(random, candles, chosen["strategies"]),
        chosen,
        first_ms + draw(st.sampled_from([0, 0, 7, 20])) * timeframe_ms,
        _commands(random, symbols, first_ms, timeframe_ms, count) if draw(st.booleans()) else {},
    )


def _life(random: Random, count: int, index: int) -> tuple[int, int]:
    """First and last grid index of a symbol; the first symbol lives all the time."""
    if index == 0 or random.random() < 0.4:
        return 0, count - 1
    return random.randrange(0, count // 3), random.randrange(count // 2, count)


def _candles(
    random: Random, tick: Decimal, first_ms: int, timeframe_ms: int, life: tuple[int, int]
) -> list[Row]:
    rows: list[Row] = []
    price = random.choice([20, 60, 200])
    hole = 0
    for index in range(life[0], life[1] + 1):
        ends = index in life
        hole = 0 if ends else hole - 1 if hole > 0 else _hole(random)
        time_ms = first_ms + index * timeframe_ms
        ticks = (price,) * 4 if hole else _prices(random, price)
        prices = dict(zip(("open", "high", "low", "close"), (tick * t for t in ticks), strict=True))
        rows.append({"time_ms": time_ms, **prices, "volume": Decimal(not hole), "filled": bool(hole)})
        price = ticks[3]
    return rows


def _hole(random: Random) -> int:
    return random.choice([1, 2, 3, 4, 5, 9]) if random.random() < 0.03 else 0


def _prices(random: Random, last: int) -> tuple[int, int, int, int]:
    """Open, high, low, close in ticks: mostly small steps, at times a jump or a long wick."""
    jump = random.choice([-15, -8, 5, 12]) if random.random() < 0.12 else 0
    opened = max(2, last + last * jump // 100 + random.choice([-1, 0, 0, 1]))
    reach = max(1, opened * random.choice([1, 2, 4, 9]) // 100)
    closed = max(2, opened + random.randint(-reach, reach))
    high = max(opened, closed) + random.choice([0, 0, reach])
    low = max(1, min(opened, closed) - random.choice([0, 0, reach]))
    return opened, high, low, closed


def _signals(
    random: Random, candles: dict[str, list[Row]], strategies: list[dict[str, Any]]
) -> dict[tuple[str, str, int], tuple[str, Decimal]]:
    """Signals of voters that mostly follow one mood a candle; none while they warm up."""
    signals = {}
    common = random.randrange(2**32)
    for symbol, rows in candles.items():
        for closed, row in enumerate(rows, start=1):
            # At two of three closes all symbols share one mood, so that they compete for the cash.
            shared = Random(common + row["time_ms"])
            mood = (shared if shared.random() < 0.67 else random).choice([BUY, BUY, SELL, HOLD])
            for strategy in strategies:
                if closed >= strategy["warmup_candles"] and random.random() < 0.7:
                    side = mood if random.random() < 0.75 else random.choice([BUY, SELL, HOLD])
                    signals[strategy["name"], symbol, row["time_ms"]] = (side, random.choice(CONFIDENCES))
    return signals


def _commands(
    random: Random, symbols: list[str], first_ms: int, timeframe_ms: int, count: int
) -> dict[int, list[Any]]:
    kinds: list[Any] = ["pause", "resume", "resume", "close_all", "kill", "reset_kill", "reset_kill"]
    kinds += [("close", symbol) for symbol in symbols]
    commands: dict[int, list[Any]] = {}
    for _ in range(random.randint(1, 8)):
        close_ms = first_ms + random.randint(1, count) * timeframe_ms
        commands.setdefault(close_ms, []).append(random.choice(kinds))
    return commands
