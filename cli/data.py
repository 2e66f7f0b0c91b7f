"""`autotrader data import|verify|list|sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, group

if TYPE_CHECKING:
    from cli.candle_reports import FileReport

command = group("Candle files: import, verify, list, sample.")

ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


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
    from cli.candle_reports import check_target, clean_table, metadata, write_candles
    from cli.output import print_json
    from trading.symbols import checked_symbol

    check_target(target, force)
    about = metadata(source)
    about = {name: about[name] for name in ("symbol", "source") if name in about}
    if symbol is not None:
        about["symbol"] = checked_symbol(symbol)
    table, found = clean_table(source, clean)
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
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Holes, bad rows, outliers; 1 when rows are bad."""
    from dataclasses import asdict

    from cli.candle_reports import report
    from cli.output import print_json

    reports = [report(file) for file in files]
    if as_json:
        print_json([asdict(each) for each in reports])
    else:
        for each in reports:
            _print_report(each)
    return 1 if any(each.bad_rows for each in reports) else 0


def _print_report(each: "FileReport") -> None:
    from cli.candle_reports import OUTLIER_PERCENT
    from cli.output import print_table

    longest = f"{each.longest_hole} after {each.longest_hole_after}" if each.longest_hole else "-"
    rows: list[tuple[str, object]] = [
        ("symbol", each.symbol or "-"),
        ("timeframe", each.timeframe),
        ("rows", each.rows),
        ("from", each.first),
        ("to", each.last),
        ("missing candles", f"{each.missing} in {each.holes} holes"),
        ("longest hole", longest),
        ("repeated rows", each.duplicates),
        ("bad rows, all kinds", each.bad_rows),
        *((f"  {fault}", count) for fault, count in each.faults.items()),
        (f"prices over {OUTLIER_PERCENT:g} % off the close before", each.outliers),
        ("largest move between closes", f"{each.largest_move_percent} %"),
    ]
    if each.first_bad_row:
        rows.append(("first bad row", each.first_bad_row))
    print_table(f"{each.file}{' (SIMULATED)' if each.simulated else ''}", ("", "found"), rows)


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
    from trading.timeframe import iso, timeframe_ms

    check_target(out, force)
    market = SimulatedMarket(checked_symbol(symbol), seed, timeframe_ms(timeframe))
    table = simulated_candles(market, _first_open_ms(market.timeframe_ms), candles).select(COLUMNS)
    about = {"symbol": symbol, "source": SOURCE, "seed": str(seed)}
    write_candles(table, out, about)
    if as_json:
        print_json({"file": str(out), "rows": candles, **about})
    else:
        first = iso(_first_open_ms(market.timeframe_ms))
        print(f"wrote {candles} {SOURCE} candles of {timeframe} from {first} to {out}")


def _first_open_ms(timeframe_ms: int) -> int:
    """The first open time of the grid in 2020: the same candles have the same times."""
    from trading.timeframe import grid_offset_ms

    new_year_2020_ms = 1_577_836_800_000
    offset = grid_offset_ms(timeframe_ms)
    return -(-(new_year_2020_ms - offset) // timeframe_ms) * timeframe_ms + offset
