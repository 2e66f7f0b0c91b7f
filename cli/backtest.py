"""`autotrader backtest`: one simulation in this process."""

from typing import Annotated

import typer

from cli.options import (
    ConfigOption,
    DataOption,
    FromOption,
    JsonOption,
    OutOption,
    ToOption,
    VerboseOption,
)


def command(
    data: DataOption,
    detail: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL=FILE", help="Finer candles in which its orders fill and stops fire."),
    ] = None,
    from_: FromOption = None,
    to: ToOption = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated.")
    ] = None,
    out: OutOption = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="fast|reference",
            help="The compiled engine, or the one that also trades: they give the same. "
            "[fast when every strategy is vectorised]",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Simulate the configured strategies on stored candles.

    The symbols and their order come from --data, the timeframe from the files.
    """
    from backtest.files import effective_settings, write_run
    from backtest.results import run_result, to_json
    from backtest.run import chosen_engine, run_backtest
    from backtest.simulation import Simulation
    from cli.config import load_settings
    from cli.inputs import detail_histories, free_folder, open_times, symbol_files
    from cli.progress import progress_bar
    from cli.summary import print_summary
    from trading.date_range import select_range
    from trading.exact_settings import rules_of
    from trading.history import load_histories
    from trading.strategies.registry import made_strategies

    settings = load_settings(config, overrides or []).settings
    strategies = made_strategies(settings)
    if out is not None:
        free_folder(out)
    files = symbol_files(data, "--data")
    finer = symbol_files(detail or [], "--detail")
    from_ms, to_ms = open_times(from_, to)
    histories = load_histories(files, settings.market)
    chosen = select_range(histories, from_ms, to_ms)
    details = detail_histories(finer, chosen)
    markets = [history.market for history in chosen.histories]
    rules = rules_of(settings, markets, strategies, histories[0].timeframe_ms)
    simulation = Simulation(
        chosen.histories, rules, strategies, chosen.first_open_ms, settings.feed.seed, details
    )
    engine = chosen_engine(engine, simulation)
    with progress_bar("backtest") as progress:
        records = run_backtest(simulation, engine, progress)
    result = run_result(rules, records, effective_settings(settings, files, rules.timeframe_ms, finer))
    if out is not None:
        write_run(result, chosen.histories, files, out)
    if as_json:
        print(to_json(result.summary()).decode(), end="")
    else:
        print_summary(result, f"Backtest of {', '.join(symbol for symbol, _ in files)}")
        if out is not None:
            print(f"Results are in {out}; open {out / 'report.html'} in a browser")
