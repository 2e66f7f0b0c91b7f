"""The chart as text."""

from tui.widgets.candle_drawing import Bar, Level, Picture, Scale, draw

RISING = Bar(100, 110, 95, 108, "03-14 10:00")
FALLING = Bar(108, 109, 90, 92, "03-14 11:00")


def lines(picture: Picture, width: int = 60, height: int = 20, step: int = 2) -> list[str]:
    return draw(picture, width, height, step).plain.split("\n")


def column(drawing: list[str], place: int) -> str:
    return "".join(line[place] for line in drawing)


def test_rising_and_falling_candles_differ_without_colour() -> None:
    drawing = lines(Picture([RISING, FALLING]))
    assert "┃" in column(drawing, 0)
    assert "▌" not in column(drawing, 0)
    assert "▌" in column(drawing, 2)
    assert "┃" not in column(drawing, 2)


def test_marks_stand_below_entries_and_above_exits() -> None:
    drawing = lines(Picture([RISING, FALLING], entries={0: "accent"}, exits={1: "accent"}))
    first, second = column(drawing, 0), column(drawing, 2)
    assert first.index("▲") > max(first.rfind(shape) for shape in "┃│╽╿╵╷╹╻")
    assert second.index("▼") < min(second.find(shape) for shape in "▌│" if shape in second)


def test_level_outside_the_candles_is_on_the_chart_with_its_price() -> None:
    drawing = lines(Picture([RISING, FALLING], levels=[Level("stop", 80, "bad", 1)]))
    [row] = [line for line in drawing if "stop" in line]
    assert "80.00 stop" in row
    assert row.startswith("  ╌")


def test_flat_market_is_drawn_without_dividing_by_zero() -> None:
    flat = Bar(5, 5, 5, 5, "03-14 10:00")
    assert any("╹" in line or "╻" in line or "┃" in line for line in lines(Picture([flat] * 10)))


def test_every_line_fits_the_width_and_the_height() -> None:
    for width, height, step in ((60, 20, 1), (80, 18, 2), (200, 56, 3)):
        bars = [RISING, FALLING] * 200
        fitting = bars[-((width - 20) // step) :]
        drawing = lines(Picture(fitting, [Level("target", 118, "good")]), width, height, step)
        assert len(drawing) == height
        assert max(map(len, drawing)) <= width


def test_too_small_a_place_draws_nothing() -> None:
    assert lines(Picture([RISING]), 10, 3) == [""]
    assert lines(Picture([]), 80, 24) == [""]


def test_scale_keeps_prices_on_the_screen() -> None:
    scale = Scale(110, 90, 10)
    assert (scale.half_row(110), scale.half_row(90), scale.half_row(500), scale.half_row(0)) == (0, 19, 0, 19)
