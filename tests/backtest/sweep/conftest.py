"""A small market for the tests of sweeps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from backtest.sweep.plan import SweepPlan, make_plan
from trading.history import History, load_histories
from trading.settings import parse_settings
from trading.simulated_market import SimulatedMarket, simulated_candles

HOUR_MS = 3_600_000
CROSS = [{"name": "cross", "type": "sma_cross", "params": {"fast": 3, "slow": 8}}]
RISK = {"stop_loss_percent": 1, "position_size_percent": 20}
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
MakePlan = Callable[..., SweepPlan]


@pytest.fixture(scope="session")
def candle_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """33 days of simulated hours, with holes."""
    market = SimulatedMarket("BTC/USDT", seed=7, timeframe_ms=HOUR_MS)
    candles = simulated_candles(market, 1_600_000_000_000 // HOUR_MS * HOUR_MS, 800).select(COLUMNS)
    file = tmp_path_factory.mktemp("candles") / "btc.parquet"
    candles.filter(candles["open"].rank("ordinal") % 17 > 0).write_parquet(file)
    return file


@pytest.fixture(scope="session")
def histories(candle_file: Path) -> list[History]:
    """The history of that file."""
    return load_histories([("BTC/USDT", candle_file)])


@pytest.fixture(scope="session")
def plan_of(histories: list[History]) -> MakePlan:
    """Makes plans of sweeps over that market: one strategy, `cross`, unless another is given."""

    def make(*specs: str, strategies: Sequence[dict[str, Any]] = CROSS, **options: Any) -> SweepPlan:
        pairs = [(key, value) for key, _, value in (each.partition("=") for each in specs)]
        settings = parse_settings({"strategies": list(strategies), "risk": RISK})
        return make_plan(settings, pairs, histories, **options)

    return make


@pytest.fixture
def strategy_file(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Writes a strategy that does something of its own, and then always holds; gives its settings."""

    def write(body: str) -> list[dict[str, Any]]:
        file = tmp_path / "own.py"
        file.write_text(
            "import os, signal, time\n"
            "from pathlib import Path\n"
            "import polars as pl\n"
            "from trading.strategies import Integer, StrategyError, VectorStrategy\n"
            "class Own(VectorStrategy):\n"
            "    level = Integer(0, low=0, high=100)\n"
            "    def signals(self, candles):\n"
            f"        here = Path({str(tmp_path)!r})\n"
            + "".join(f"        {line}\n" for line in body.splitlines())
            + "        up = (pl.col('close_ticks') + self.level) % 7 == 0\n"
            "        side = pl.when(up).then(pl.lit('BUY')).otherwise(pl.lit('SELL'))\n"
            "        return candles.select(side.alias('side'), pl.lit(100.0).alias('confidence'))\n"
        )
        return [{"name": "own", "type": "own", "path": str(file)}]

    return write
