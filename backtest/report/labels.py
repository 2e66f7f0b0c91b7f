"""How numbers, figures and times read: a figure's name ends with its unit."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

GROUPS = (
    ("Result", ("total_return_percent", "buy_and_hold_percent", "cagr_percent")),
    ("Risk", ("max_drawdown_percent", "max_drawdown_days", "volatility_percent", "exposure_percent")),
    ("Ratios", ("sharpe", "sortino", "calmar", "profit_factor")),
    ("Trades", ("trades", "win_rate_percent", "average_trade_percent", "best_trade_percent",
                "worst_trade_percent", "expectancy_quote", "average_holding_hours",
                "longest_holding_hours")),
    ("Costs", ("fees_quote", "turnover_quote")),
    ("Candles", ("candles", "candles_filled")),
)  # fmt: skip

_UNITS = {"percent": "%", "days": "days", "hours": "h"}
_NAMES = {"cagr": "CAGR", "sharpe": "Sharpe ratio", "sortino": "Sortino ratio", "calmar": "Calmar ratio"}


def figure_label(name: str) -> str:
    """`max_drawdown_percent` as `max drawdown`."""
    stem, _, unit = name.rpartition("_")
    stem = stem if unit in (*_UNITS, "quote") else name
    return _NAMES.get(stem, stem.replace("_", " "))


def figure_unit(name: str, quote: str = "quote") -> str:
    """The unit that a figure's name ends with: `%`, `days`, `h`, the quote currency, or nothing."""
    unit = name.rpartition("_")[2]
    return quote if unit == "quote" else _UNITS.get(unit, "")


def number(value: float | Decimal | None, decimals: int = 2, signed: bool = False) -> str:
    """A number with separators and a true minus sign; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    if isinstance(value, int):
        decimals = 0
    text = f"{value:{'+' if signed else ''}z,.{decimals}f}"
    return text.replace("-", MINUS)


def with_unit(value: float | Decimal | None, unit: str, signed: bool = False) -> str:
    """A number and its unit."""
    shown = number(value, signed=signed)
    return f"{shown} {unit}" if unit and shown != DASH else shown


def short(value: object) -> str:
    """A parameter's value, without digits that say nothing."""
    if isinstance(value, bool) or not isinstance(value, float | Decimal):
        return str(value)
    return f"{value:.6g}" if isinstance(value, float) else f"{value.normalize():f}"


def moment(time_ms: int) -> str:
    """A time as people read it, UTC: `2020-03-12 10:00`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def date(time_ms: int) -> str:
    """A day, UTC: `2020-03-12`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def counted(count: int, singular: str) -> str:
    """`1 trade`, `1,200 trades`, `no trade`."""
    if not count:
        return f"no {singular}"
    return f"{count:,} {singular if count == 1 else singular + 's'}"


def setting(value: Any) -> str:
    """A setting's value as it is typed."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or DASH
    return str(value)
