"""The price chart of one symbol."""

from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from autotrader.v1 import common_pb2, market_pb2, portfolio_pb2
from tui.facts import Facts
from tui.pace import Pace
from tui.paint import pieces
from tui.screens.view import View
from tui.widgets.candle_chart import CandleChart, headline

HISTORY, NEWS, TRADES = 1000, 10, 200
READ_SECONDS = 0.5
LEGEND = (
    ("┃", "good"),
    (" rising ", "dim"),
    ("▌", "bad"),
    (" falling  ", "dim"),
    ("▲", "accent"),
    (" entry ", "dim"),
    ("▼", "accent"),
    (" exit  ", "dim"),
    ("╌", "bad"),
    (" stop   times are UTC", "dim"),
)


class History(NamedTuple):
    """What was read of one symbol."""

    symbol: str
    candles: list[market_pb2.Candle]
    trades: list[portfolio_pb2.Trade]


class ChartScreen(View):
    """Candles with entries, exits, and the stop of the open position."""

    MODE = "chart"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "symbol(1)", "Symbol"),
        Binding("S", "symbol(-1)", "Symbol before", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom", key_display="+-"),
        Binding("minus", "zoom(-1)", "Narrower candles", show=False),
        Binding("left", "move(0.5)", "Time", key_display="←→"),
        Binding("right", "move(-0.5)", "Forth in time", show=False),
        Binding("end", "newest", "Newest", show=False),
        Binding("x", "close_position", "Close"),
    ]

    def body(self) -> ComposeResult:
        yield Static("", id="headline", markup=False)
        yield CandleChart()
        yield Static(pieces((" ", ""), *LEGEND), id="legend", markup=False)

    def on_mount(self) -> None:
        """Nothing is read before the screen is shown."""
        self._candles: dict[int, market_pb2.Candle] = {}
        self._trades: list[portfolio_pb2.Trade] = []
        self._symbol = ""
        self._pace = Pace(self, READ_SECONDS, lambda: self.read(self._fetch(self._symbol), self._take))

    @property
    def _position(self) -> portfolio_pb2.Position | None:
        return next((each for each in self.console.facts.positions if each.symbol == self._symbol), None)

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """A candle closed, a trade was made, or the screen is shown again."""
        wanted = self.console.chart_symbol or next(iter(facts.symbols), "")
        if wanted != self._symbol:
            self._symbol, self._candles, self._trades = wanted, {}, []
            self._draw()
        if self._symbol and not facts.lost and changed & {"candle", "trade", "link"}:
            self._pace.ask()
        elif "positions" in changed:
            self._draw()

    async def _fetch(self, symbol: str) -> History:
        client = self.console.client
        request = market_pb2.ListCandlesRequest(symbol=symbol, limit=NEWS if self._candles else HISTORY)
        candles = await client.market.ListCandles(request)
        page = common_pb2.Page(size=TRADES)
        trades = await client.portfolio.ListTrades(
            portfolio_pb2.ListTradesRequest(page=page, symbols=[symbol])
        )
        return History(symbol, list(candles.candles), list(trades.trades))

    def _take(self, history: History) -> None:
        if history.symbol != self._symbol:
            self._pace.ask()
            return
        self._trades = history.trades
        self._candles.update((candle.open_time.seconds, candle) for candle in history.candles)
        for old in sorted(self._candles)[: -2 * HISTORY]:
            del self._candles[old]
        self._draw()

    def _draw(self) -> None:
        candles = [self._candles[start] for start in sorted(self._candles)]
        status = self.console.facts.status
        newest = candles[-1] if candles else None
        words = headline(self._symbol or "-", status.timeframe if status else "", newest, self._position)
        self.query_one("#headline", Static).update(words)
        self.query_one(CandleChart).show(candles, self._trades, self._position)

    def action_symbol(self, by: int) -> None:
        """Another symbol."""
        symbols = self.console.facts.symbols
        if self._symbol in symbols:
            self.console.chart_symbol = symbols[(symbols.index(self._symbol) + by) % len(symbols)]
            self.show(self.console.facts, frozenset({"link"}))

    def action_zoom(self, by: int) -> None:
        """Wider or narrower candles."""
        self.query_one(CandleChart).zoom(by)

    def action_move(self, screens: float) -> None:
        """Go back in time, or forth."""
        self.query_one(CandleChart).move(screens)

    def action_newest(self) -> None:
        """Go to the newest candle."""
        self.query_one(CandleChart).newest()

    def action_close_position(self) -> None:
        """Sell the position of this symbol."""
        if self._position:
            self.console.do(self.console.commands.close_position(self._symbol))
        else:
            self.notify("no position is open on this symbol", severity="warning")


SCREEN = ChartScreen
