"""What a run is made of, from options and settings: candle files, strategies, rules."""

import os
from collections.abc import Sequence
from pathlib import Path

from trading.errors import InputError, StrategyError
from trading.settings import Settings, StrategySettings
from trading.strategies.base import Strategy
from trading.strategies.registry import make


def symbol_files(given: Sequence[str], option: str) -> list[tuple[str, Path]]:
    """The (symbol, file) pairs of SYMBOL=FILE texts. Raises InputError, naming the option, otherwise."""
    pairs = []
    for text in given:
        symbol, equals, file = text.partition("=")
        if not (equals and symbol.strip() and file.strip()):
            raise InputError(f"{option}: {text!r} is not SYMBOL=FILE, such as BTC/USDT=btc.parquet")
        pairs.append((symbol.strip(), Path(file.strip())))
    return pairs


def made_strategies(settings: Settings) -> list[tuple[StrategySettings, Strategy]]:
    """Every configured strategy, made. Raises StrategyError with the strategy's name before the fault."""
    made = []
    for chosen in settings.strategies:
        try:
            made.append((chosen, make(chosen.type, chosen.params, chosen.path)))
        except StrategyError as error:
            raise StrategyError(f"strategies.{chosen.name}: {error}") from None
    return made


def free_folder(out: Path, option: str = "--out") -> None:
    """Raise InputError when results cannot be written into this folder; it need not exist yet."""
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"{option}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{option}: the folder {nearest} cannot be written to")
