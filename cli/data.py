"""`autotrader data download|import|verify|list|sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, group

if TYPE_CHECKING:
    from cli.candle_download import AskedRange, Downloaded
    from cli.candle_reports import FileReport
    from trading.settings import ExchangeSettings

command = group("Candle files: download, import, verify, list, sample.")

ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]
# Where samples begin: the same candles have the same times.
NEW_YEAR_2020_MS = 1_577_836_800_000


@command.command()
def download(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Spot markets, BASE/QUOTE.")],
    from_: Annotated[str, typer.Option("--from", metavar="DATE", help="First open time, included.")],
    to: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last open time, excluded [now].", show_default=False)
    ] = None,
    timeframes: Annotated[
        list[str] | None,
        typer.Option("--timeframe", metavar="TF", help="Such as 1m; may be repeated [engine.timeframe]."),
    ] = None,
    exchange: Annotated[
        str | None, typer.Option(metavar="ID", help="Any ccxt id; exchange.options apply [exchange.id].")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the files.")] = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """An exchange's closed candles, one Parquet file a symbol and timeframe.

    Files that are there are extended; after an interruption the same command goes on.
    """
    from dataclasses import asdict

    from cli.candle_download import AskedRange
    from cli.clock import now_ms
    from cli.config import load_settings
    from cli.inputs import free_folder
    from cli.output import print_json
    from trading.errors import InputError
    from trading.symbols import checked_symbol
    from trading.timeframe import timeframe_ms

    settings = load_settings(config).settings
    chosen = settings.exchange.model_copy(update={"id": exchange or settings.exchange.id})
    asked = AskedRange.parse(from_, to, now_ms())
    names = list(dict.fromkeys(map(checked_symbol, symbols)))
    lengths = list(dict.fromkeys(map(timeframe_ms, timeframes or [settings.engine.timeframe])))
    free_folder(out)
    done = _downloads(chosen, names, lengths, asked, out, verbose)
    if as_json:
        print_json({"exchange": chosen.id, "files": [asdict(each) for each in done]})
    else:
        _print_downloads(chosen.id, done)
    empty = [f"{each.symbol} {each.timeframe}" for each in done if not each.candles]
    if empty:
        raise InputError(f"{chosen.id} has no candles of {', '.join(empty)} from {asked}")


def _downloads(
    exchange: "ExchangeSettings",
    symbols: list[str],
    lengths: list[int],
    asked: "AskedRange",
    out: Path,
    verbose: bool,
) -> "list[Downloaded]":
    import time
    from random import Random

    from cli.candle_download import download_all
    from cli.clock import now_ms
    from cli.download_bar import download_bar
    from cli.exchange_history import ExchangeHistory
    from cli.exchange_patience import Patience

    with download_bar(verbose) as (progress, say):
        patience = Patience(time.sleep, time.monotonic, now_ms, Random(), say)
        history = ExchangeHistory.open(exchange.id, exchange.options, patience)
        try:
            return download_all(history, symbols, lengths, asked, out, now_ms(), time.monotonic, progress)
        except KeyboardInterrupt:
            typer.echo("interrupted: what was downloaded is kept, and the same command goes on", err=True)
            raise


def _print_downloads(exchange: str, done: "list[Downloaded]") -> None:
    from cli.output import print_table

    columns = ("file", ">candles", ">new", "from", "to", ">missing")
    print_table(f"Candles from {exchange}", columns, map(_download_row, done))
    for each in done:
        for fault, count in each.dropped.items():
            print(f"{Path(each.file).name}: {count} bad rows dropped: {fault}")


def _download_row(each: "Downloaded") -> tuple[object, ...]:
    return (
        Path(each.file).name,
        each.candles,
        each.added,
        (each.first or "-")[:10],
        (each.last or "-")[:10],
        each.missing,
    )


@command.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A CSV or Parquet file of candles.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="The Parquet file to write.")],
    clean: Annotated[bool, typer.Option("--clean", help="Sort; drop bad and repeated rows.")] = False,
    symbol: Annotated[str | None, typer.Option(help="Noted in the file, such as BTC/USDT.")] = None,
    force: ForceOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Candles from CSV or Parquet to Parquet, checked."""
    from cli.candle_reports import check_target, clean_table, origin, write_candles
    from cli.output import print_json
    from trading.candle_files import read_candles
    from trading.symbols import checked_symbol

    check_target(target, force)
    raw = read_candles(source)
    about = origin(raw, None if symbol is None else checked_symbol(symbol))
    table, found = clean_table(raw, clean)
    write_candles(table, target, about)
    if as_json:
        print_json({"file": str(target), "rows": table.height, "repaired": found})
        return
    print(f"wrote {table.height} candles to {target}")
    for fault, count in found.items():
        done = "sorted in" if fault == "out of order" else "dropped"
        print(f"  {count} rows {done}: {fault}")


@command.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Parquet or CSV files.")],
    outlier_percent: Annotated[
        float, typer.Option(min=0, help="How far from the close before a price is an outlier.")
    ] = 20.0,
    top: Annotated[int, typer.Option(min=0, help="How many holes and outliers are listed.")] = 5,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Holes, bad rows, outliers; 1 when rows are bad."""
    from dataclasses import asdict

    from cli.candle_reports import report
    from cli.output import print_json

    reports = [report(file, outlier_percent, top) for file in files]
    if as_json:
        print_json([asdict(each) for each in reports])
    else:
        for each in reports:
            _print_report(each, outlier_percent)
    return 1 if any(each.bad_rows for each in reports) else 0


def _print_report(each: "FileReport", outlier_percent: float) -> None:
    from cli.output import print_table

    rows: list[tuple[str, object]] = [
        ("symbol", each.symbol or "-"),
        ("timeframe", each.timeframe),
        ("rows", each.rows),
        ("from", each.first),
        ("to", each.last),
        ("missing candles", f"{each.missing} in {each.holes} holes"),
        ("repeated rows", each.duplicates),
        ("bad rows, all kinds", each.bad_rows),
        *((f"  {fault}", count) for fault, count in each.faults.items()),
        (f"prices over {outlier_percent:g} % off the close before", each.outliers),
        ("largest move between closes", f"{each.largest_move_percent} %"),
    ]
    if each.first_bad_row:
        rows.append(("first bad row", each.first_bad_row))
    print_table(f"{each.file}{' (SIMULATED)' if each.simulated else ''}", ("", "found"), rows)
    if each.longest_holes:
        holes = [(hole.candles, hole.first, hole.last) for hole in each.longest_holes]
        print_table("Longest holes", (">candles", "first", "last"), holes)
    if each.largest_outliers:
        far = [
            (one.time, one.price, f"{one.value:.8g}", f"{one.close_before:.8g}", f"{one.move_percent:+} %")
            for one in each.largest_outliers
        ]
        print_table("Largest outliers", ("candle", "price", ">is", ">close before", ">off"), far)


@command.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to look.")] = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """The candle files of a folder."""
    from dataclasses import asdict

    from cli.candle_reports import candle_files, report
    from cli.output import print_json, print_table
    from trading.errors import CandleError

    reports, others = [], []
    for path in candle_files(folder):
        try:
            reports.append(report(path))
        except CandleError as error:
            others.append(str(error))
    if as_json:
        print_json({"files": [asdict(each) for each in reports], "not_candles": others})
        return
    columns = ("file", "symbol", ">tf", ">rows", "from", "to", ">missing")
    print_table(f"Candle files in {folder}", columns, map(_row, reports))
    for text in others:
        typer.echo(f"not candles: {text}", err=True)


def _row(each: "FileReport") -> tuple[object, ...]:
    name = Path(each.file).name + (" (SIMULATED)" if each.simulated else "")
    bad = f" (bad: {each.bad_rows})" if each.bad_rows else ""
    return (
        name,
        each.symbol or "-",
        each.timeframe,
        each.rows,
        each.first[:10],
        each.last[:10],
        f"{each.missing}{bad}",
    )


@command.command()
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The Parquet file to write.")],
    candles: Annotated[int, typer.Option(min=2, max=20_000_000, help="How many.")] = 10_000,
    timeframe: Annotated[str, typer.Option(help="Such as 1m, 1h, 1d.")] = "1h",
    seed: Annotated[int, typer.Option(min=0, help="Other seeds, other candles.")] = 1,
    symbol: Annotated[str, typer.Option(help="BASE/QUOTE.")] = "BTC/USDT",
    force: ForceOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Made-up candles, marked SIMULATED."""
    from cli.candle_reports import check_target, write_candles
    from cli.output import print_json
    from trading.candle_files import COLUMNS
    from trading.simulated_market import SOURCE, SimulatedMarket, simulated_candles
    from trading.symbols import checked_symbol
    from trading.timeframe import first_open_from, iso, timeframe_ms

    check_target(out, force)
    market = SimulatedMarket(checked_symbol(symbol), seed, timeframe_ms(timeframe))
    first = first_open_from(NEW_YEAR_2020_MS, market.timeframe_ms)
    table = simulated_candles(market, first, candles).select(COLUMNS)
    about = {"symbol": symbol, "source": SOURCE, "seed": str(seed)}
    write_candles(table, out, about)
    if as_json:
        print_json({"file": str(out), "rows": candles, **about})
    else:
        print(f"wrote {candles} {SOURCE} candles of {timeframe} from {iso(first)} to {out}")
