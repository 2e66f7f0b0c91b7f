"""The figures of a run as a table that a person reads."""

from decimal import Decimal
from typing import Any

from backtest.results import RunResult

_ROWS = (
    ("Result", ("total_return_percent", "buy_and_hold_percent", "cagr_percent")),
    ("Risk", ("max_drawdown_percent", "max_drawdown_days", "volatility_percent", "exposure_percent")),
    ("Ratios", ("sharpe", "sortino", "calmar", "profit_factor")),
    ("Trades", ("trades", "win_rate_percent", "average_trade_percent", "best_trade_percent",
                "worst_trade_percent", "expectancy_quote", "average_holding_hours",
                "longest_holding_hours")),
    ("Costs", ("fees_quote", "turnover_quote")),
    ("Candles", ("candles", "candles_filled")),
)  # fmt: skip
_UNITS = {"percent": " %", "days": " days", "hours": " h"}


def print_summary(result: RunResult, title: str) -> None:
    """Print the figures, grouped, with their units; what cannot be computed is a dash."""
    from rich import box
    from rich.table import Table

    from cli.output import console

    summary = result.summary()
    quote = result.rules.quote
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_row("Range", "from the first open", str(summary["start"]))
    table.add_row("", "to the last close", str(summary["end"]))
    table.add_row("Equity", "initial capital", f"{summary['initial_capital']:,.2f} {quote}")
    table.add_row("", "final equity", f"{summary['final_equity']:,.2f} {quote}")
    for group, names in _ROWS:
        for place, name in enumerate(names):
            label, shown = _shown(name, summary[name], quote)
            table.add_row("" if place else group, label, shown)
    if result.records.open_positions:
        table.add_row("", "still open", ", ".join(result.records.open_positions))
    console().print(table)


def _shown(name: str, value: Any, quote: str) -> tuple[str, str]:
    """A figure's label and its value with the unit that its name ends with."""
    stem, _, unit = name.rpartition("_")
    label = (stem if unit in (*_UNITS, "quote") else name).replace("_", " ")
    if value is None:
        return label, "-"
    if unit == "quote":
        return label, f"{value:,.2f} {quote}"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return label, text + _UNITS.get(unit, "") if isinstance(value, float | Decimal) else text
