"""The report of one run: report.html."""

from collections.abc import Sequence
from pathlib import Path

from backtest.report.calendar_returns import calendar_section
from backtest.report.close_up import close_up_section
from backtest.report.equity import equity_section, rolling_sharpe_section
from backtest.report.figures import cards, figures_section, settings_section
from backtest.report.labels import counted, date, number
from backtest.report.page import Page
from backtest.report.price import price_section
from backtest.report.run_data import RunData
from backtest.report.trade_statistics import distribution_section, exits_section, trades_section
from backtest.report.voters import voters_section
from backtest.results import RunResult
from trading.history import History


def write_run_report(
    result: RunResult, histories: Sequence[History], path: Path, *, simulated: bool = False
) -> None:
    """Write the report of a run on these histories, one HTML file; the same run gives the same bytes.

    `simulated` says that the candles are made up, and shows it.
    """
    data = RunData(result, histories)
    symbols = ", ".join(market.symbol for market in result.rules.markets)
    page = Page(f"Backtest of {symbols}", in_words(data), simulated)
    page.section("summary", "At a glance", cards(result))
    run_sections(page, data)
    page.write(path)


def run_sections(page: Page, data: RunData) -> None:
    """All charts and tables of a run."""
    equity_section(page, data)
    calendar_section(page, data)
    price_section(page, data)
    close_up_section(page, data)
    distribution_section(page, data)
    rolling_sharpe_section(page, data)
    exits_section(page, data)
    voters_section(page, data)
    trades_section(page, data.result)
    figures_section(page, data.result)
    settings_section(page, data.result.settings)


def in_words(data: RunData) -> str:
    """The result in a few sentences."""
    result, facts = data.result, data.result.figures
    final = result.money(result.records.equity[-1])
    grew = "grew" if final >= data.capital else "shrank"
    words = (
        f"From {date(int(data.open_times_ms[0]))} to {date(int(data.close_times_ms[-1]))}, "
        f"{number(result.money(result.rules.initial_capital))} {data.quote} {grew} to {number(final)} "
        f"{data.quote} ({number(facts.total_return_percent, signed=True)} %)"
    )
    if facts.buy_and_hold_percent is not None:
        words += f"; buying and holding would have made {number(facts.buy_and_hold_percent, signed=True)} %"
    words += f". The worst fall from a peak was {number(facts.max_drawdown_percent)} %. "
    words += f"{counted(facts.trades, 'trade').capitalize()} {'was' if facts.trades <= 1 else 'were'} closed"
    if facts.win_rate_percent is not None:
        words += f", {number(facts.win_rate_percent, 1)} % of them with a profit"
    open_now = len(result.records.open_positions)
    if open_now:
        words += f", and {counted(open_now, 'position')} {'is' if open_now == 1 else 'are'} still open"
    return f"{words}. Fees were {number(facts.fees_quote)} {data.quote}."
