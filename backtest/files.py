"""A backtest on candle files: what its results say of them, and where they are written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backtest.results import RunResult, write_results
from backtest.simulation import shown_settings
from trading.candle_files import is_simulated
from trading.history import History
from trading.settings import Settings
from trading.timeframe import timeframe_name

SymbolFiles = Sequence[tuple[str, Path]]


def effective_settings(
    settings: Settings, files: SymbolFiles, timeframe_ms: int, details: SymbolFiles = ()
) -> dict[str, Any]:
    """The settings that a run on files had, as summary.json shows them; without secrets."""
    shown = shown_settings(settings)
    shown["engine"] |= {"symbols": [symbol for symbol, _ in files], "timeframe": timeframe_name(timeframe_ms)}
    shown["data"] = {symbol: str(path) for symbol, path in files}
    if details:
        shown["detail"] = {symbol: str(path) for symbol, path in details}
    return shown


def write_run(result: RunResult, histories: Sequence[History], files: SymbolFiles, out: Path) -> None:
    """Write all result files of a run on these files, its report among them."""
    from backtest.report.run import write_run_report

    write_results(result, out)
    simulated = any(is_simulated(path) for _, path in files)
    write_run_report(result, histories, out / "report.html", simulated=simulated)
