"""Skill or luck, in charts: the null distributions with the best in them, overfitting, and other orders."""

from collections.abc import Sequence

from backtest.luck.best_of_many import Histogram
from backtest.luck.overfitting import Overfitting
from backtest.luck.resampling import Quantiles, Resampled
from backtest.luck.verdict import Luck
from backtest.luck.words import percent
from backtest.report.bars import bars
from backtest.report.figures import card
from backtest.report.labels import DASH, number
from backtest.report.markup import Column, Html, html, joined, note, table
from backtest.report.page import Page
from backtest.report.sampling import packed
from backtest.report.theme import (
    BAND,
    BAND_INNER,
    FAINT,
    STRATEGY,
    Figure,
    axis,
    figure,
    line,
    marked_value,
)

_PATHS = 12


def verdict_section(page: Page, luck: Luck) -> None:
    """The sentence, at the top of the report, with its advice."""
    page.section(
        "verdict",
        "Skill or luck",
        html("<p class='verdict'>{sentence}</p><p>{advice}</p>", sentence=luck.sentence, advice=luck.advice),
    )


def luck_section(page: Page, luck: Luck) -> None:
    """What the verdict rests on."""
    parts = [_cards(luck), _explanation()]
    charts = [*_null_charts(page, luck), *_overfitting_charts(page, luck.overfitting), *_fans(page, luck)]
    parts.append(html("<div class='grid'>{charts}</div>", charts=joined(charts)))
    rows = [*_resampled_rows("Daily returns, in blocks", luck.block_bootstrap)]
    rows += _resampled_rows("Trades in another order", luck.trade_order)
    if rows:
        parts.append(_resampled_table(rows))
    page.section("luck", "The statistics of luck", *parts)


def _cards(luck: Luck) -> Html:
    deflated, overfit = luck.deflated_sharpe, luck.overfitting
    check, permuted = luck.reality_check, luck.permutation
    shown = [
        ("best by luck", _probability(luck.probability)),
        ("days judged", number(luck.days)),
        ("excess Sharpe", number(luck.best_excess_sharpe)),
        ("deflated Sharpe", _probability(deflated.deflated_sharpe if deflated else None)),
        ("best expected by luck", number(deflated.expected_best_sharpe if deflated else None)),
        ("overfitting", _probability(overfit.probability if overfit else None)),
        ("Reality Check", _probability(check.probability if check else None)),
        ("permuted candles", _probability(permuted.probability if permuted else None)),
    ]
    return html("<dl class='cards'>{cards}</dl>", cards=joined(card(*each) for each in shown))


def _explanation() -> Html:
    return note(
        "Best by luck: the probability in the sentence at the top, the larger of the Reality Check (White "
        "2000) and the share of sweeps over permuted candles whose best is as good. Excess Sharpe: the best "
        "trial's, a year, without what the market gave. Deflated Sharpe (Bailey and López de Prado 2014): "
        "the probability that the best trial's true Sharpe ratio is over what the best of as many shows by "
        "luck. Overfitting (Bailey et al. 2015): the probability that the best in one half of the days is "
        "under the median in the other half."
    )


def _probability(value: float | None) -> str:
    return DASH if value is None else percent(value)


def _null_charts(page: Page, luck: Luck) -> list[Html]:
    """Where the best stands among the bests without skill."""
    charts = []
    if luck.reality_check is not None:
        check = luck.reality_check
        drawn = _histogram(check.null_best_sharpes, "best Sharpe ratio, a year", check.sharpe, "the best")
        charts.append(_panel("Bests without skill (Reality Check)", page.chart("null-reality", drawn)))
    if luck.permutation is not None:
        null = luck.permutation
        drawn = _histogram(null.null_bests, "best of a sweep", null.observed, "the best")
        charts.append(_panel("Bests on permuted candles", page.chart("null-permuted", drawn)))
    return charts


def _overfitting_charts(page: Page, overfit: Overfitting | None) -> list[Html]:
    """The logits of the winner's rank out of the sample, and its Sharpe ratio in and out of it."""
    if overfit is None:
        return []
    logits = _histogram(overfit.logits, "logit of the winner's rank", 0, "median")
    pairs: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": packed(overfit.sharpes_in_sample),
        "y": packed(overfit.sharpes_out_of_sample),
        "marker": {"color": STRATEGY, "size": 5, "opacity": 0.55},
        "hovertemplate": "in %{x:.2f}, out %{y:.2f}<extra></extra>",
    }
    scatter = figure(
        [pairs], xaxis=axis("Sharpe ratio in the sample"), yaxis=axis("out of the sample", zeroline=True)
    )
    return [
        _panel("Overfitting: rank out of the sample", page.chart("logits", logits)),
        _panel("Overfitting: the winner of each split", page.chart("pairs", scatter)),
    ]


def _histogram(values: Histogram, title: str, mark: float, text: str) -> Figure:
    return figure(
        [bars(values.edges, values.counts, "cases")] if values.counts else [],
        bargap=0.05,
        xaxis=axis(title, showgrid=False),
        yaxis=axis("cases", tickformat=",d"),
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        **marked_value(mark, text),
    )


def _fans(page: Page, luck: Luck) -> list[Html]:
    found = (
        ("fan-days", "Equity, had the days come in other blocks", luck.block_bootstrap, "days"),
        ("fan-trades", "Equity, had the trades come in another order", luck.trade_order, "trades"),
    )
    return [
        _panel(heading, page.chart(name, _fan_figure(resampled, unit)))
        for name, heading, resampled, unit in found
        if resampled is not None
    ]


def _fan_figure(resampled: Resampled, unit: str) -> Figure:
    """The quantiles 5, 25, 50, 75, 95 % of equity as bands, and some of the paths."""
    steps = packed(resampled.steps)
    paths = [
        line("", steps, packed(path), FAINT, width=0.5, hoverinfo="skip", showlegend=False)
        for path in resampled.sample_multiple[:_PATHS]
    ]
    low, low_inner, middle, high_inner, high = (packed(curve) for curve in resampled.fan_multiple)
    bands = [
        *_band("5 to 95 %", steps, low, high, BAND),
        *_band("25 to 75 %", steps, low_inner, high_inner, BAND_INNER),
    ]
    median = line("median", steps, middle, STRATEGY, width=2, hovertemplate="median %{y:.3f}<extra></extra>")
    return figure([*bands, *paths, median], xaxis=axis(unit), yaxis=axis("equity over the initial capital"))


def _band(name: str, steps: Figure, low: Figure, high: Figure, color: str) -> list[Figure]:
    edge = {"width": 0, "hoverinfo": "skip"}
    return [
        line("", steps, low, color, showlegend=False, **edge),
        line(name, steps, high, color, fill="tonexty", fillcolor=color, **edge),
    ]


def _resampled_rows(name: str, resampled: Resampled | None) -> list[Sequence[object]]:
    if resampled is None:
        return []
    return [
        (name, "final equity, times the capital", *_quantiles(resampled.final_equity_multiple, 3)),
        ("", "maximum drawdown %", *_quantiles(resampled.max_drawdown_percent, 2)),
        ("", "ends with a loss %", "", "", number(100 * resampled.loss_probability, 1), "", ""),
    ]


def _quantiles(found: Quantiles, decimals: int) -> list[str]:
    return [number(each, decimals) for each in (found.q5, found.q25, found.q50, found.q75, found.q95)]


def _resampled_table(rows: list[Sequence[object]]) -> Html:
    names = ("5 %", "25 %", "median", "75 %", "95 %")
    columns = [Column("Resampled"), Column("what"), *(Column(name, number=True) for name in names)]
    return joined([html("<h3>What might as well have been</h3>"), table(columns, rows)])


def _panel(heading: str, chart: Html) -> Html:
    return html("<div><h3>{heading}</h3>{chart}</div>", heading=heading, chart=chart)
