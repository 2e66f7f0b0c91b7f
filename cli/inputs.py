"""What options name: candle files, and folders for results."""

import os
from collections.abc import Sequence
from pathlib import Path

from trading.errors import InputError


def symbol_files(given: Sequence[str], option: str) -> list[tuple[str, Path]]:
    """The (symbol, file) pairs of SYMBOL=FILE texts. Raises InputError, naming the option, otherwise."""
    pairs = []
    for text in given:
        symbol, equals, file = text.partition("=")
        if not (equals and symbol.strip() and file.strip()):
            raise InputError(f"{option}: {text!r} is not SYMBOL=FILE, such as BTC/USDT=btc.parquet")
        pairs.append((symbol.strip(), Path(file.strip())))
    return pairs


def free_folder(out: Path, option: str = "--out") -> None:
    """Raise InputError when results cannot be written into this folder; it need not exist yet."""
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"{option}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{option}: the folder {nearest} cannot be written to")
