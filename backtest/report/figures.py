"""The figures of a run: the most important as cards, all of them as a table; and its settings."""

from collections.abc import Mapping
from typing import Any

from backtest.report.labels import GROUPS, figure_label, figure_unit, number, setting, with_unit
from backtest.report.markup import Column, Html, html, joined, table
from backtest.report.page import Page
from backtest.results import RunResult
from trading.setting_keys import key_of, leaves

_CARDS = (
    "total_return_percent", "buy_and_hold_percent", "max_drawdown_percent", "sharpe", "trades",
    "win_rate_percent", "profit_factor", "exposure_percent",
)  # fmt: skip
_SIGNED = frozenset({"total_return_percent", "buy_and_hold_percent"})


def cards(result: RunResult) -> Html:
    """The key figures, large."""
    made = (_card(name, getattr(result.figures, name)) for name in _CARDS)
    return html("<dl class='cards'>{made}</dl>", made=joined(made))


def card(label: str, shown: str, mood: str = "") -> Html:
    """One figure, large; `mood` is gain, loss or nothing."""
    return html(
        "<div><dt>{label}</dt><dd class='{mood}'>{shown}</dd></div>", label=label, shown=shown, mood=mood
    )


def _card(name: str, value: Any) -> Html:
    mood = ("gain" if value > 0 else "loss") if name == "total_return_percent" and value else ""
    shown = with_unit(value, figure_unit(name), signed=name in _SIGNED)
    return card(figure_label(name), shown, mood)


def figures_section(page: Page, result: RunResult) -> None:
    """Every figure of rulebook 8 with its unit; `data-figure` and `data-value` carry it exactly."""
    rows = [
        (group if not place else "", figure_label(name), _exact(name, getattr(result.figures, name)),
         figure_unit(name, result.rules.quote))
        for group, names in GROUPS
        for place, name in enumerate(names)
    ]  # fmt: skip
    columns = (Column(""), Column("Figure"), Column("value", number=True), Column("unit"))
    page.section("figures", "All figures", table(columns, rows))


def _exact(name: str, value: Any) -> Html:
    return html(
        "<data data-figure='{name}' value='{exact}'>{shown}</data>",
        name=name,
        exact="" if value is None else value,
        shown=number(value),
    )


def settings_section(page: Page, settings: Mapping[str, Any], heading: str = "Settings") -> None:
    """Every setting that the run had, under its key."""
    rows = [
        (html("<code>{key}</code>", key=key_of(path)), setting(value)) for path, value in leaves(settings)
    ]
    if rows:
        page.section("settings", heading, table((Column("Key"), Column("value")), rows))
