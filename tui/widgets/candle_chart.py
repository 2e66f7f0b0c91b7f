"""The price chart: candles, entries, exits, and the lines of the open position."""

from collections.abc import Sequence
from datetime import UTC, datetime

from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import market_pb2, portfolio_pb2
from tui import text
from tui.paint import paint, pieces
from tui.widgets.candle_drawing import Bar, Level, Picture, draw, label_width

STEPS = (1, 2, 3, 4)


class CandleChart(Static):
    """Draws what fits; `zoom` chooses the columns of a candle, `move` goes back in time."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._candles: Sequence[market_pb2.Candle] = ()
        self._trades: Sequence[portfolio_pb2.Trade] = ()
        self._position: portfolio_pb2.Position | None = None
        self._step = 0
        self._back = 0

    def show(
        self,
        candles: Sequence[market_pb2.Candle],
        trades: Sequence[portfolio_pb2.Trade],
        position: portfolio_pb2.Position | None,
    ) -> None:
        """Show candles (the oldest first), the trades among them, and the open position."""
        self._candles, self._trades, self._position = candles, trades, position
        self._redraw()

    def zoom(self, by: int) -> None:
        """Wider or narrower candles."""
        self._step = min(max(self._step + by, 0), len(STEPS) - 1)
        self._redraw()

    def move(self, screens: float) -> None:
        """Go back in time by parts of a screen; forth when negative."""
        self._back += round(screens * self._fits())
        self._redraw()

    def newest(self) -> None:
        """Go to the newest candle."""
        self._back = 0
        self._redraw()

    def on_resize(self) -> None:
        """Draw what fits now."""
        self._redraw()

    def _fits(self) -> int:
        if not self._candles:
            return 1
        labels = label_width(float(self._candles[-1].close_quote))
        return max(1, (self.content_size.width - labels) // STEPS[self._step])

    def _redraw(self) -> None:
        self._back = min(max(self._back, 0), max(0, len(self._candles) - self._fits()))
        end = len(self._candles) - self._back
        shown = self._candles[max(0, end - self._fits()) : end]
        if not shown:
            self.update(paint("no candle yet", "dim"))
            return
        picture = picture_of(shown, self._trades, None if self._back else self._position)
        self.update(draw(picture, self.content_size.width, self.content_size.height, STEPS[self._step]))


def picture_of(
    candles: Sequence[market_pb2.Candle],
    trades: Sequence[portfolio_pb2.Trade],
    position: portfolio_pb2.Position | None,
) -> Picture:
    """What is drawn of these candles. A fill belongs to the candle that was open then."""
    starts = [candle.open_time.seconds for candle in candles]
    entries, exits = {}, {}
    for trade in trades:
        if (place := _place(starts, trade.entry_time.seconds)) is not None:
            entries[place] = "accent"
        if (place := _place(starts, trade.exit_time.seconds)) is not None:
            exits[place] = "accent"
    levels: list[Level] = []
    if position:
        begin = _place(starts, position.entry_time.seconds)
        if begin is not None:
            entries[begin] = "strong"
        levels = list(_levels(position, begin or 0))
    return Picture([_bar(candle) for candle in candles], levels, entries, exits)


def _place(starts: Sequence[int], seconds: int) -> int | None:
    """The candle that was open at a moment; None when it is not among them."""
    if not starts or seconds < starts[0]:
        return None
    place = sum(start <= seconds for start in starts) - 1
    length = starts[1] - starts[0] if len(starts) > 1 else 0
    return place if seconds < starts[-1] + max(length, 1) else None


def _levels(position: portfolio_pb2.Position, begin: int) -> list[Level]:
    named = (
        ("entry", position.entry_price_quote, "accent"),
        ("stop", position.stop_quote, "bad"),
        ("target", position.target_quote, "good"),
    )
    return [Level(name, float(price), tone, begin) for name, price, tone in named if text.decimal(price)]


def _bar(candle: market_pb2.Candle) -> Bar:
    return Bar(
        open=float(candle.open_quote),
        high=float(candle.high_quote),
        low=float(candle.low_quote),
        close=float(candle.close_quote),
        label=datetime.fromtimestamp(candle.open_time.seconds, UTC).strftime("%m-%d %H:%M"),
    )


def headline(
    symbol: str, timeframe: str, candle: market_pb2.Candle | None, position: portfolio_pb2.Position | None
) -> Content:
    """The newest candle in figures, and the position."""
    parts = [(f" {symbol} ", "strong"), (f"{timeframe} ", "dim")]
    if candle:
        for name, price in (
            ("O", candle.open_quote),
            ("H", candle.high_quote),
            ("L", candle.low_quote),
            ("C", candle.close_quote),
        ):
            parts += [(f" {name} ", "dim"), (text.price(price), "")]
    if position:
        won = text.decimal(position.unrealized_profit_quote)
        tone = "good" if won is not None and won >= 0 else "bad"
        parts += [("  holds ", "dim"), (text.number(position.amount_base), "")]
        parts += [(f" {text.signed(position.unrealized_profit_percent)} %", tone)]
    return pieces(*parts)
