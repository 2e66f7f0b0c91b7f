"""An exchange's stored candles, through ccxt: page by page, at its pace, and patient with faults."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cli.exchange_patience import MalformedAnswer, Patience
from trading.errors import InputError
from trading.timeframe import DAY_MS, grid_offset_ms, timeframe_ms, timeframe_name

# What is asked for at once where ccxt does not know how much an exchange gives.
_USUAL_PAGE = 100
# A hole in the last tenth of a page is asked for again, which costs at most a tenth more pages.
_NEAR_END = 10

Rows = NDArray[np.float64]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Series:
    """The candles of one symbol and timeframe; `page_candles` is how many come at once."""

    symbol: str
    timeframe_ms: int
    page_candles: int


class ExchangeHistory:
    """The candle history of one exchange.

    Rows are arrays of (n, 6) floats, by time: open time in ms UTC, open, high, low, close, volume; what
    cannot be read is NaN. Every method that asks the exchange raises OperationError when it gives up.
    """

    def __init__(self, client: Any, patience: Patience) -> None:
        self.exchange_id: str = client.id
        self._client = client
        self._patience = patience
        self._ask(client.load_markets)
        self._timeframes = dict(_known_timeframes(client.timeframes or {}))

    @classmethod
    def open(cls, exchange_id: str, options: Mapping[str, Any], patience: Patience) -> "ExchangeHistory":
        """The history of an exchange by its ccxt id; `options` are handed to ccxt.

        Raises InputError for an unknown id, options that ccxt refuses, and an exchange without history.
        """
        import ccxt

        if exchange_id not in ccxt.exchanges:
            near = _near(exchange_id, ccxt.exchanges)
            raise InputError(f"exchange: there is no {exchange_id!r} in ccxt; {near}")
        # The last answer tells an empty page from one that is not JSON, which ccxt takes for empty.
        config = {"enableRateLimit": True, **_plain(options), "enableLastJsonResponse": True}
        try:
            client = getattr(ccxt, exchange_id)(config)
        except (ccxt.BaseError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"exchange.options: ccxt refuses them for {exchange_id} ({error})") from None
        if client.has.get("fetchOHLCV") is not True:
            raise InputError(f"exchange: {exchange_id} offers no candle history (ccxt: no fetchOHLCV)")
        return cls(client, patience)

    def series(self, symbol: str, length_ms: int) -> Series:
        """The candles of a spot market; raises InputError when the exchange does not have them."""
        spot = [name for name, market in self._client.markets.items() if market.get("spot")]
        if symbol not in spot:
            raise InputError(
                f"symbol: {self.exchange_id} has no spot market {symbol!r}; {_near(symbol, spot)}"
            )
        if length_ms not in self._timeframes:
            has = ", ".join(map(timeframe_name, sorted(self._timeframes)))
            raise InputError(
                f"--timeframe: {self.exchange_id} has no candles of {timeframe_name(length_ms)!r}; "
                f"allowed: {has or 'none'}"
            )
        page = self._client.feature_value(symbol, "fetchOHLCV", "limit")
        return Series(symbol, length_ms, page or _USUAL_PAGE)

    def now_ms(self, here_ms: int) -> int:
        """The exchange's time, in ms UTC; `here_ms` where it does not tell."""
        return int(self._ask(self._client.fetch_time)) if self._client.has.get("fetchTime") else here_ms

    def next_page(self, series: Series, since_ms: int, stop_ms: int) -> tuple[Rows, int]:
        """The next candles that open from `since_ms` (included) to `stop_ms` (excluded), and how far
        the history is known with them: the time to go on at, `stop_ms` at the end."""
        page = self._page(series, since_ms)
        if not page.size:
            # An empty page in the middle of a history is more often a fault than a hole.
            page = self._page(series, since_ms)
        if not page.size:
            return page, min(stop_ms, self._after_hole(series, since_ms))
        page = page[(page[:, 0] >= since_ms) & (page[:, 0] < stop_ms)]
        on_grid_ms = page[page[:, 0] % series.timeframe_ms == grid_offset_ms(series.timeframe_ms), 0]
        if not on_grid_ms.size:
            return page, stop_ms
        reached = min(stop_ms, int(_before_last_hole(on_grid_ms, series.timeframe_ms)) + series.timeframe_ms)
        return page[page[:, 0] < reached], reached

    def _after_hole(self, series: Series, since_ms: int) -> int:
        """Where to go on after a page without candles: behind it, and behind days without candles."""
        behind = since_ms + series.page_candles * series.timeframe_ms
        if DAY_MS not in self._timeframes or series.timeframe_ms >= DAY_MS:
            return behind
        today = since_ms - since_ms % DAY_MS
        days = Series(series.symbol, DAY_MS, series.page_candles)
        page = self._page(days, today)
        return max(behind, int(page[0, 0]) if page.size else today + days.page_candles * DAY_MS)

    def _page(self, series: Series, since_ms: int) -> Rows:
        timeframe = self._timeframes[series.timeframe_ms]
        fetch = partial(
            self._client.fetch_ohlcv, series.symbol, timeframe, since=since_ms, limit=series.page_candles
        )
        return self._ask(lambda: self._rows(fetch()))

    def _rows(self, page: list[list[float | None]]) -> Rows:
        if not page and self._client.last_json_response is None:
            raise MalformedAnswer("it is not JSON")
        rows = np.array([row[:6] for row in page], dtype=np.float64).reshape(-1, 6)
        return rows[np.isfinite(rows[:, 0])]

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        return self._patience.ask(self._client, question)


def _before_last_hole(times_ms: Rows, length_ms: int) -> float:
    """The last time before a hole near a page's end, else the last of all.

    What stands behind such a hole may be a candle with a wrong time; the next page shows whether it is.
    """
    jumps = np.flatnonzero(np.diff(times_ms) > length_ms)
    near_end = times_ms.size - 1 - times_ms.size // _NEAR_END
    return float(times_ms[jumps[-1] if jumps.size and jumps[-1] >= near_end else -1])


def _plain(value: Any) -> Any:
    """Options as ccxt reckons with them: the settings' exact decimals are floats there."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def _known_timeframes(names: Iterable[str]) -> Iterable[tuple[int, str]]:
    """The exchange's names by length in ms; months have no fixed length and are left out."""
    for name in names:
        try:
            yield timeframe_ms(name), name
        except InputError:
            continue


def _near(name: str, allowed: Iterable[str]) -> str:
    """The end of a sentence about one name of hundreds."""
    names = sorted(allowed)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {len(names)}, such as {', '.join(names[:5])}" if names else "there is none"
