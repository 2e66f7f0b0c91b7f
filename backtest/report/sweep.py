"""The report of a sweep: report.html."""

from pathlib import Path

from backtest.report.figures import cards
from backtest.report.heatmaps import heatmap_section
from backtest.report.labels import counted, figure_label, figure_unit, number, short
from backtest.report.luck import luck_section, verdict_section
from backtest.report.markup import Column, Html, note, table
from backtest.report.objective import objective_section
from backtest.report.page import Page
from backtest.report.parallel import parallel_section
from backtest.report.run import in_words, run_sections
from backtest.report.run_data import RunData
from backtest.report.sweep_data import SweepReport
from backtest.report.walk_forward import walk_forward_section

TOP = 20
_BESIDE = ("total_return_percent", "sharpe", "max_drawdown_percent", "profit_factor", "trades")


def write_sweep_report(report: SweepReport, path: Path) -> None:
    """Write the report of a sweep, one HTML file; the same sweep gives the same bytes."""
    page = Page(report.title, _in_words(report), report.simulated)
    if report.luck is not None:
        verdict_section(page, report.luck)
    page.section("facts", "The sweep", _facts(report))
    top_section(page, report)
    heatmap_section(page, report)
    parallel_section(page, report)
    objective_section(page, report)
    walk_forward_section(page, report)
    if report.luck is not None:
        luck_section(page, report.luck)
    failures_section(page, report)
    if report.run is not None:
        data = RunData(report.run, report.histories)
        page.section("best", f"The best trial, number {report.best}", cards(report.run), note(in_words(data)))
        run_sections(page, data)
    page.write(path)


def _in_words(report: SweepReport) -> str:
    label, unit = figure_label(report.objective), figure_unit(report.objective)
    failed = f"{report.failed:,} failed" if report.failed else "none failed"
    words = f"{counted(report.made, 'trial').capitalize()} made, {failed}."
    if report.has_best:
        best = report.scored.row(0, named=True)
        values = ", ".join(f"{key} {short(best[key])}" for key in report.keys)
        shown = f"{number(best['score'])} {unit}".strip()
        words += f" The best by {label} ({shown}) has {values}."
    return words


def _facts(report: SweepReport) -> Html:
    rows = [(name, value) for name, value in report.facts.items()]
    rows += [("trials made", number(report.made)), ("trials failed", number(report.failed))]
    return table((Column("Fact"), Column("value")), rows)


def top_section(page: Page, report: SweepReport) -> None:
    """The best trials with their parameters and the figures beside the objective."""
    shown = [report.objective, *(name for name in _BESIDE if name != report.objective)]
    headings = [f"{figure_label(name)} {figure_unit(name)}".strip() for name in shown]
    columns = [
        Column("Rank", True), Column("trial", True), *(Column(key, True) for key in report.keys),
        *(Column(heading, True) for heading in headings),
    ]  # fmt: skip
    rows = [
        (
            rank,
            row["trial"],
            *(short(row[key]) for key in report.keys),
            *(number(row[name]) for name in shown),
        )
        for rank, row in enumerate(report.scored.head(TOP).iter_rows(named=True), start=1)
    ]
    if rows:
        words = f"The {len(rows)} best of {counted(report.scored.height, 'trial')} that could be ranked."
        page.section("top", "Top trials", table(columns, rows), note(words))
    else:
        page.section("top", "Top trials", note("No trial could be ranked by the objective."))


def failures_section(page: Page, report: SweepReport) -> None:
    """The trials that failed, by the kind of their error."""
    from backtest.sweep.summary import errors_of

    rows = [
        (number(kind["trials"]), number(kind["first_trial"]), kind["error"])
        for kind in errors_of(report.trials)
    ]
    if rows:
        columns = (Column("trials", True), Column("the first", True), Column("its error"))
        words = "Errors that differ in numbers alone are one kind; the most frequent kinds are shown."
        page.section("failures", "Failed trials", table(columns, rows), note(words))
