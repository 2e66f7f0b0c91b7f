"""Candles as text: rising ones are thin (┃), falling ones solid (█).

So that they differ without colour too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from textual.content import Content

from tui.paint import pieces

# What a cell shows, by what its upper and lower half hold: nothing, the wick, the body.
NOTHING, WICK, BODY = 0, 1, 2
RISING = {(2, 2): "┃", (1, 2): "╽", (2, 1): "╿", (0, 2): "╻", (2, 0): "╹"}
FALLING = {(2, 2): "▌", (1, 2): "▖", (2, 1): "▘", (0, 2): "▖", (2, 0): "▘"}
WICKS = {(1, 1): "│", (1, 0): "╵", (0, 1): "╷"}

AXIS_ROWS = 2
TIME_LABEL = 11
PRICE_ROWS = 4

Cell = tuple[str, str]
BLANK: Cell = (" ", "")


@dataclass(frozen=True, slots=True)
class Bar:
    """A candle as it is drawn: prices as floats, its time as a label."""

    open: float
    high: float
    low: float
    close: float
    label: str

    @property
    def rising(self) -> bool:
        """Whether it closed at its open or above."""
        return self.close >= self.open


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line from a bar to the right edge: a stop, an entry, a target."""

    name: str
    price: float
    tone: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: bars, the newest last; levels.

    Marks below (entries) and above (exits), by the bar's place.
    """

    bars: Sequence[Bar]
    levels: Sequence[Level] = ()
    entries: Mapping[int, str] = field(default_factory=dict)
    exits: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale:
    """Prices to half rows: 0 is the upper half of the first row."""

    top: float
    bottom: float
    rows: int

    def half_row(self, price: float) -> int:
        """The half row of a price, kept on the screen."""
        share = (self.top - price) / (self.top - self.bottom)
        return min(max(round(share * (2 * self.rows - 1)), 0), 2 * self.rows - 1)

    def price(self, row: int) -> float:
        """The price at the middle of a row."""
        return self.top - (2 * row + 0.5) / (2 * self.rows - 1) * (self.top - self.bottom)


def places_for(price: float) -> int:
    """How many places of a price are worth a column."""
    return 2 if price >= 100 else 4 if price >= 1 else 8


def label_width(price: float) -> int:
    """The columns beside the chart, with room for a price ten times as high."""
    return len(f"{price:,.{places_for(price)}f}") + len("0 target") + 2


def scale_of(picture: Picture, rows: int) -> Scale:
    """A scale that holds every bar and level, with a row to spare for the marks."""
    prices = [price for bar in picture.bars for price in (bar.high, bar.low)]
    prices += [level.price for level in picture.levels]
    high, low = max(prices), min(prices)
    spare = max((high - low) / max(1, rows - 2), high * 1e-6, 1e-9)
    return Scale(high + spare, low - spare, rows)


def draw(picture: Picture, width: int, height: int, step: int) -> Content:
    """The chart, `step` columns a bar; the newest bars that fit are at the right."""
    rows = height - AXIS_ROWS
    if not picture.bars or rows < 4 or width < 30:
        return Content("")
    scale = scale_of(picture, rows)
    labels = _price_labels(picture, scale)
    room = width - label_width(picture.bars[-1].close)
    grid = [[BLANK] * room for _ in range(rows)]
    _draw_levels(grid, picture, scale, step)
    for place, bar in enumerate(picture.bars):
        _draw_bar(grid, place * step, bar, scale)
    _draw_marks(grid, picture, scale, step)
    lines = [_line(cells, labels.get(row)) for row, cells in enumerate(grid)]
    return Content("\n").join([*lines, *_time_axis(picture.bars, room, step)])


def _draw_bar(grid: list[list[Cell]], column: int, bar: Bar, scale: Scale) -> None:
    high, low = scale.half_row(bar.high), scale.half_row(bar.low)
    top, bottom = scale.half_row(max(bar.open, bar.close)), scale.half_row(min(bar.open, bar.close))
    shapes, tone = (RISING, "good") if bar.rising else (FALLING, "bad")

    def part(half: int) -> int:
        return BODY if top <= half <= bottom else WICK if high <= half <= low else NOTHING

    for row in range(high // 2, low // 2 + 1):
        halves = (part(2 * row), part(2 * row + 1))
        shape = shapes.get(halves) or WICKS.get(halves)
        if shape:
            grid[row][column] = (shape, tone)


def _draw_levels(grid: list[list[Cell]], picture: Picture, scale: Scale, step: int) -> None:
    for level in picture.levels:
        row = grid[scale.half_row(level.price) // 2]
        for column in range(max(0, level.start) * step, len(row)):
            row[column] = ("╌", level.tone)


def _draw_marks(grid: list[list[Cell]], picture: Picture, scale: Scale, step: int) -> None:
    for place, tone in picture.entries.items():
        row = min(len(grid) - 1, scale.half_row(picture.bars[place].low) // 2 + 1)
        grid[row][place * step] = ("▲", tone)
    for place, tone in picture.exits.items():
        row = max(0, scale.half_row(picture.bars[place].high) // 2 - 1)
        grid[row][place * step] = ("▼", tone)


def _price_labels(picture: Picture, scale: Scale) -> dict[int, Cell]:
    """The words beside the rows.

    Prices at equal steps, and on top of them the levels and the newest price.
    """
    places = places_for(scale.top)
    labels = {row: (f"{scale.price(row):,.{places}f}", "dim") for row in range(1, scale.rows, PRICE_ROWS)}
    for level in picture.levels:
        labels[scale.half_row(level.price) // 2] = (f"{level.price:,.{places}f} {level.name}", level.tone)
    last = picture.bars[-1].close
    labels[scale.half_row(last) // 2] = (f"{last:,.{places}f} last", "strong")
    return labels


def _line(cells: Sequence[Cell], label: Cell | None) -> Content:
    return Content.assemble(_runs(cells), pieces(("┤ " if label else "│", "dim"), label or ("", "")))


def _runs(cells: Sequence[Cell]) -> Content:
    """Neighbours of one tone become one piece."""
    runs: list[list[str]] = []
    for shape, tone in cells:
        if runs and runs[-1][1] == tone:
            runs[-1][0] += shape
        else:
            runs.append([shape, tone])
    return pieces(*((words, tone) for words, tone in runs))


def _time_axis(bars: Sequence[Bar], room: int, step: int) -> list[Content]:
    every = max(1, -(-(TIME_LABEL + 4) // step))
    marks, labels = ["─"] * room, [" "] * room
    for place in range(0, len(bars), every):
        column = place * step
        if column + TIME_LABEL <= room:
            marks[column] = "┬"
            labels[column : column + TIME_LABEL] = bars[place].label
    return [pieces(("".join(marks) + "┘", "dim")), pieces(("".join(labels), "dim"))]
