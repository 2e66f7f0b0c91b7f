"""What options name: candle files, and folders for results."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trading.date_range import Selection, parse_date
from trading.detail import Detail, detail_of
from trading.errors import InputError, suggestion
from trading.history import History, load_history


def symbol_files(given: Sequence[str], option: str) -> list[tuple[str, Path]]:
    """The (symbol, file) pairs of SYMBOL=FILE texts. Raises InputError, naming the option, otherwise."""
    pairs = []
    for text in given:
        symbol, equals, file = text.partition("=")
        if not (equals and symbol.strip() and file.strip()):
            raise InputError(f"{option}: {text!r} is not SYMBOL=FILE, such as BTC/USDT=btc.parquet")
        pairs.append((symbol.strip(), Path(file.strip())))
    return pairs


def open_times(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """The times in ms that --from and --to name; None where one is not given."""
    from_ms = None if from_ is None else parse_date(from_, "--from")
    return from_ms, None if to is None else parse_date(to, "--to")


def detail_histories(files: Sequence[tuple[str, Path]], chosen: Selection) -> list[Detail | None]:
    """The finer candles of --detail for each history, None where there are none; says on stderr how many
    candles they do not cover. Raises InputError for a symbol that is not in --data or comes twice."""
    finer = dict(files)
    symbols = [history.market.symbol for history in chosen.histories]
    if len(finer) < len(files):
        raise InputError("--detail: a symbol comes twice; each has one file of finer candles")
    for symbol in finer:
        if symbol not in symbols:
            raise InputError(f"--detail: {symbol} is not in --data; {suggestion(symbol, symbols)}")
    return [
        _detail(history, row, finer[symbol]) if symbol in finer else None
        for history, row, symbol in zip(chosen.histories, chosen.first_rows, symbols, strict=True)
    ]


def _detail(history: History, first_row: int, path: Path) -> Detail:
    symbol = history.market.symbol
    detail = detail_of(history, load_history(symbol, path, tick=history.market.tick))
    covered = detail.covered(history, first_row)
    if not covered:
        raise InputError(f"--detail {symbol}: {path} has no candle in the range of --data")
    if covered < 1:
        print(
            f"note: --detail {symbol} covers {100 * covered:.1f} % of the candles; in the others orders fill "
            "and stops fire by the candle itself",
            file=sys.stderr,
        )
    return detail


def free_folder(out: Path, option: str = "--out") -> None:
    """Raise InputError when results cannot be written into this folder; it need not exist yet."""
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"{option}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{option}: the folder {nearest} cannot be written to")
