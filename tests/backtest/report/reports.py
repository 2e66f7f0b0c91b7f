"""Runs to report on, made by the real engine, and reports taken apart again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl

from backtest.records import Records
from backtest.results import RunResult, run_result
from tests.support.runs import RandomRun, rules_of
from trading.candles import Candle
from trading.events import CandlesClosed
from trading.history import History
from trading.journal import Entry
from trading.market import Market
from trading.price_ticks import to_prices
from trading.rules import Rules

# Text that must be shown as it is, wherever it stands.
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror=hacked=1>'\"&lt;</script><!--"
VOID = {"meta", "img", "link", "br", "input"}


@dataclass
class Element:
    """An element of a page: its attributes, and the text under it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Report(HTMLParser):
    """A report's elements in order, and its charts by their names."""

    source: str
    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.close()
        assert not self._open, f"{self._open[-1].tag} is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements of this tag that have these attributes (data_figure stands for data-figure)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            each for each in self.elements if each.tag == tag and wanted.items() <= each.attributes.items()
        ]

    @property
    def sections(self) -> list[str]:
        """The names of the sections in order."""
        return [each.attributes["id"] for each in self.all("section")]

    def section(self, name: str) -> str:
        """The text of a section."""
        (found,) = self.all("section", id=name)
        return found.text

    @property
    def charts(self) -> dict[str, Any]:
        """The data of all charts by their names."""
        (data,) = self.all("script", type="application/json")
        loaded: dict[str, Any] = json.loads(data.text)
        return loaded

    def figures(self) -> dict[str, str]:
        """The exact figures in the page by their names; an empty text where there is none."""
        found = [each for each in self.all("data") if "data-figure" in each.attributes]
        return {each.attributes["data-figure"]: each.attributes["value"] for each in found}


def read_report(path: Path) -> Report:
    """A report from its file."""
    return Report(path.read_text(encoding="utf-8"))


def recorded(entries: Sequence[Entry]) -> Records:
    """What a run leaves behind."""
    records = Records()
    for entry in entries:
        if isinstance(entry.event, CandlesClosed):
            records.see(entry.event)
        records.take(entry.decisions)
    return records


def histories_of(entries: Sequence[Entry], rules: Rules) -> list[History]:
    """The candles that the engine saw."""
    seen: dict[str, list[tuple[int, Candle]]] = {market.symbol: [] for market in rules.markets}
    for entry in entries:
        if isinstance(entry.event, CandlesClosed):
            for candle in entry.event.candles:
                seen[candle.symbol].append((entry.event.open_time_ms, candle))
    return [
        _history(Market(market.symbol, market.tick, market.lot), rules.timeframe_ms, seen[market.symbol])
        for market in rules.markets
    ]


def _history(market: Market, timeframe_ms: int, candles: list[tuple[int, Candle]]) -> History:
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series([time for time, _ in candles], dtype=pl.Int64).cast(
                pl.Datetime("ms", "UTC")
            ),
            **{
                f"{name}_ticks": pl.Series([getattr(each, name) for _, each in candles], dtype=pl.Int64)
                for name in ("open", "high", "low", "close")
            },
            "volume": pl.Series([each.volume for _, each in candles], dtype=pl.Float64),
            "filled": pl.Series([each.filled for _, each in candles], dtype=pl.Boolean),
        }
    )
    prices = {
        name: to_prices(frame[f"{name}_ticks"].to_numpy(), market.tick)
        for name in ("open", "high", "low", "close")
    }
    return History(market, timeframe_ms, frame.with_columns(**{n: pl.Series(p) for n, p in prices.items()}))


def random_run(
    candles: int, seed: int = 1, settings: dict[str, Any] | None = None, **rules: Any
) -> tuple[RunResult, list[History]]:
    """A run over so many candles of a random walk, and its histories."""
    made = rules_of(**rules)
    entries = RandomRun(made, seed, commands=False).entries(candles)
    return run_result(made, recorded(entries), settings or {}), histories_of(entries, made)
