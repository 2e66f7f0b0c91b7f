"""The reports in a real browser: drawn without a complaint, on a desktop and on a phone, in both themes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backtest.report.run import write_run_report
from backtest.report.sweep import write_sweep_report
from tests.backtest.report.browser import Tab, chromium
from tests.backtest.report.reports import HOSTILE, random_run
from tests.backtest.report.test_sweep_report import luck, sweep, walk

NOT_DRAWN = (
    "[...document.querySelectorAll('.chart')].filter(c => c.offsetParent && !c.dataset.drawn).map(c => c.id)"
)
TOO_WIDE = """[...document.querySelectorAll('main *')].filter(each => !each.closest('.scroll, .chart')
  && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.tagName + each.className)"""
SCROLLS = "document.documentElement.scrollWidth > innerWidth"
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
EQUITY = "document.getElementById('chart-equity')"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run and a sweep with everything in it, all its texts hostile."""
    folder = tmp_path_factory.mktemp("reports")
    settings = {"data": {HOSTILE: HOSTILE}, "engine": {"timeframe": "1h"}}
    run, histories = random_run(1_600, settings=settings)
    write_run_report(run, histories, folder / "run.html", simulated=True)
    hostile = sweep(
        title=HOSTILE,
        facts={HOSTILE: HOSTILE},
        luck=luck(),
        walk_forward=walk(),
        run=run,
        histories=histories,
    )
    trials = hostile.trials.rename({"cross.fast": HOSTILE})
    write_sweep_report(replace(hostile, trials=trials), folder / "sweep.html")
    return {"run": folder / "run.html", "sweep": folder / "sweep.html"}


@pytest.mark.parametrize("kind", ["run", "sweep"])
@pytest.mark.parametrize(("width", "height", "dark"), [(1400, 900, False), (390, 844, True)])
def test_report_in_a_browser_is_drawn_whole_and_loads_nothing(
    tab: Tab, reports: dict[str, Path], kind: str, width: int, height: int, dark: bool
) -> None:
    tab.complaints.clear()
    tab.requests.clear()
    tab.open(reports[kind], width, height, dark)
    tab.value(SETTLED)
    assert tab.value("document.documentElement.dataset.ready") == "true"
    assert tab.value("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    assert tab.value("document.querySelectorAll('.chart .main-svg').length") >= 14
    assert tab.value(NOT_DRAWN) == []
    assert (tab.value(SCROLLS), tab.value(TOO_WIDE)) == (False, [])
    assert tab.complaints == []
    loaded = [each for each in tab.requests if not each.startswith("data:")]
    assert loaded == [reports[kind].as_uri()]
    assert tab.value("typeof window.hacked") == "undefined"


def test_theme_button_changes_the_page_and_its_charts(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900)
    light = tab.value(f"{EQUITY}.layout.font.color")
    tab.value("document.getElementById('theme').click()")
    assert tab.value("document.documentElement.dataset.theme") == "dark"
    assert tab.value(f"{EQUITY}.layout.font.color") != light
    assert tab.value("getComputedStyle(document.body).color") == "rgb(228, 233, 240)"


def test_logarithmic_button_changes_the_axis_and_back(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900)
    button = "document.querySelector('[data-relayout=equity]')"
    seen = []
    for _ in range(2):
        tab.value(f"{button}.click()")
        seen.append((tab.value(f"{button}.ariaPressed"), tab.value(f"{EQUITY}.layout.yaxis.type")))
    assert sorted(seen) == [("false", "linear"), ("true", "log")]


def test_tab_of_a_symbol_shows_its_candles(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900)
    tab.value("document.querySelectorAll('[role=tab]')[1].click()")
    shown = "[...document.querySelectorAll('[role=tabpanel]')].map(each => each.hidden)"
    assert tab.value(shown) == [True, False]
    assert tab.value("document.querySelector('#chart-price-1').dataset.drawn") == "true"
    assert tab.value("document.querySelector('#chart-price-1 .main-svg').clientWidth") > 800


def test_price_axis_follows_a_zoom_in_time(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900)
    price = "document.getElementById('chart-price-0')"
    whole = tab.value(f"{price}.layout.yaxis.range")
    zoom = "{'xaxis.range': ['2020-02-01', '2020-02-03']}"
    tab.value(f"Plotly.relayout({price}, {zoom}).then(() => 1)")
    tab.value(SETTLED)
    near = tab.value(f"{price}.layout.yaxis.range")
    assert near[1] - near[0] < (whole[1] - whole[0]) / 2


def test_close_up_steps_through_the_trades(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900)
    entry = "document.getElementById('close-up-chart').data.find(each => each.name === 'entry').hovertext[0]"
    last = tab.value(entry)
    tab.value("document.querySelector('[data-step=\"1\"]').click()")
    assert tab.value("document.getElementById('close-up-choice').selectedIndex") == 1
    before = tab.value(entry)
    tab.value("document.querySelector('[data-step=\"-1\"]').click()")
    assert before != last == tab.value(entry)


def test_printed_report_is_light_and_has_its_charts(tab: Tab, reports: dict[str, Path]) -> None:
    tab.open(reports["run"], 1400, 900, dark=True)
    tab.value(
        "addEventListener('beforeprint', () => { window.printed = document.documentElement.dataset.theme; })"
    )
    assert len(tab.call("Page.printToPDF", printBackground=True)["data"]) > 50_000
    assert tab.value("[window.printed, document.documentElement.dataset.theme]") == ["light", "dark"]
    assert tab.value(NOT_DRAWN) == []
