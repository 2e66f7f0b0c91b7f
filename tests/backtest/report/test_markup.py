"""Nothing that stands in a page can act: escaping, JSON in a page, and the page's own policy."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.report.markup import Column, chart_text, html, table
from backtest.report.page import Page, json_in_html
from backtest.report.theme import figure, line
from tests.backtest.report.reports import HOSTILE, Report, read_report

# A parser joins line ends, and has no NUL.
TEXT = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists)


@given(TEXT)
def test_any_text_in_a_template_is_shown_as_it_is(text: str) -> None:
    page = Report(html("<p title='{text}'>{text}</p>", text=text))
    (element,) = page.elements
    assert (element.tag, element.text, element.attributes) == ("p", text, {"title": text})


@given(TEXT, TEXT)
def test_any_text_in_a_table_is_one_cell(first: str, second: str) -> None:
    page = Report(table([Column(first), Column(second, number=True)], [(second, first)]))
    assert [each.text for each in page.all("th")] == [first, second]
    assert [each.text for each in page.all("td")] == [second, first]


@given(JSON)
def test_json_in_a_page_is_read_back_and_cannot_end_its_script(value: Any) -> None:
    text = json_in_html(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value


def test_json_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_in_html(float("nan"))


def test_chart_text_has_no_markup_of_its_own() -> None:
    assert chart_text("<a href='javascript:x'>&") == "&lt;a href='javascript:x'&gt;&amp;"


def test_markup_put_into_markup_is_not_escaped_again() -> None:
    assert html("<b>{inner}</b>", inner=html("<i>{text}</i>", text="&")) == "<b><i>&amp;</i></b>"


def hostile_page(path: Path) -> Report:
    page = Page(HOSTILE, HOSTILE)
    page.section("one", HOSTILE, page.chart("line", figure([line(chart_text(HOSTILE), [1], [2], HOSTILE)])))
    page.write(path)
    return read_report(path)


def test_page_of_hostile_texts_has_the_elements_of_a_plain_one(tmp_path: Path) -> None:
    page = Page("a", "b")
    page.section("one", "d", page.chart("line", figure([line("e", [1], [2], "f")])))
    page.write(tmp_path / "plain.html")
    hostile = hostile_page(tmp_path / "hostile.html")
    plain = read_report(tmp_path / "plain.html")
    assert [each.tag for each in hostile.elements] == [each.tag for each in plain.elements]
    assert [each.text for each in hostile.all("h2")] == [HOSTILE]
    assert hostile.charts["line"]["data"][0]["line"]["color"] == HOSTILE


def test_page_runs_its_own_scripts_only_and_loads_nothing(tmp_path: Path) -> None:
    page = hostile_page(tmp_path / "page.html")
    (policy,) = (each.attributes["content"] for each in page.all("meta") if "http-equiv" in each.attributes)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    scripts = [each for each in page.all("script") if each.attributes.get("type") != "application/json"]
    digests = [hashlib.sha256(each.text.encode()).digest() for each in scripts]
    allowed = {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}
    assert (rules["default-src"], set(rules["script-src"].split())) == ("'none'", allowed)
    assert len(allowed) == len(scripts) == 3
    assert not page.all("link")
    assert not any({"src", "href"} & each.attributes.keys() for each in page.elements)
    (style,) = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_page_without_a_part_has_no_section_for_it() -> None:
    page = Page("a", "b")
    page.section("empty", "Empty")
    assert Report(page.rendered()).sections == []


def test_page_with_two_charts_of_one_name_is_refused() -> None:
    page = Page("a", "b")
    page.chart("line", figure([]))
    with pytest.raises(ValueError, match="line"):
        page.chart("line", figure([]))


def test_page_with_a_broken_character_is_written(tmp_path: Path) -> None:
    Page("file \udcff.parquet", "b").write(tmp_path / "page.html")
    assert "file ?.parquet" in read_report(tmp_path / "page.html").all("h1")[0].text


@pytest.mark.parametrize(("simulated", "heading"), [(True, "aSIMULATED"), (False, "a")])
def test_page_says_whether_its_candles_are_simulated(simulated: bool, heading: str) -> None:
    page = Report(Page("a", "b", simulated=simulated).rendered())
    assert [each.text for each in page.all("h1")] == [heading]
