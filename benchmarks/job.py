"""The job that every project does, as plain numbers; the standard library is enough to read it."""

import itertools
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

SETTINGS_FILE = Path(__file__).with_name("job.toml")
SYMBOL = "BTC/USDT"

# The grid of the sweep, 1,000 trials, and those of it that each project also makes in one process.
SWEEP_FAST = range(5, 30)
SWEEP_SLOW = range(30, 230, 5)
ONE_PROCESS_TRIALS = list(itertools.product(SWEEP_FAST, SWEEP_SLOW))[::50]


class Job(NamedTuple):
    """A moving-average cross: lengths in candles, capital in quote, and fractions of 1."""

    fast: int
    slow: int
    capital: float
    fee: float
    size: float
    stop: float


def the_job() -> Job:
    """The job as job.toml has it."""
    settings: dict[str, Any] = tomllib.loads(SETTINGS_FILE.read_text())
    risk, params = settings["risk"], settings["strategies"][0]["params"]
    return Job(
        fast=params["fast"],
        slow=params["slow"],
        capital=settings["engine"]["initial_capital_quote"],
        fee=settings["costs"]["fee_percent"] / 100,
        size=risk["position_size_percent"] / 100,
        stop=risk["stop_loss_percent"] / 100,
    )
