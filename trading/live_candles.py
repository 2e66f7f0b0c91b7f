"""Which candles of a live exchange are closed: raw rows in, in any order, closed open times out (rulebook 1).

An exchange tells a candle many times, while it grows and after. It is *settled* when the exchange was asked
for it after it had closed; that it has closed is known from a newer candle in the same answer, and only where
a symbol does not trade from the time that has passed since. So no clock that is wrong closes a candle early.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from trading.candles import Candle, fault, filled_candle
from trading.events import CandlesClosed
from trading.timeframe import first_open_from, iso

# A row further ahead of the exchange's clock is wrong; a clock may be off by less.
FUTURE_MS = 45_000
# A candle that has closed is taken as it was seen when the exchange, asked, says nothing for so long.
UNCONFIRMED_MS = 5_000
# A symbol that does not trade holds the others up for so long after the close,
LATE_MS = 5_000
# and is believed to have had all its trades this long after it.
QUIET_MS = 1_000
# So often the exchange must have been asked in vain before a candle is missing: one answer may have holes.
ASKED_IN_VAIN = 3
# So many answers in a row that lack a candle which was there are not believed.
MOST_DOUBTS = 5
# The exchange is asked from its last known candle on, if that is no further back than so many.
OVERLAP = 100

_GIVEN_KEPT = 3
_LARGEST_TICKS = 2**62
_CONTEXT = Context(prec=100)

# Open time in ms, open, high, low, close, volume: numbers, or their text.
Row = Sequence[Any]


class Counts(Struct):
    """Rows that were not taken: bad, from the future, equal to the one before, changed after the close."""

    bad: int = 0
    future: int = 0
    repeated: int = 0
    revised: int = 0


class _Seen(Struct):
    """A candle as it was seen, and when a newer one of any symbol was."""

    candle: Candle
    newer_at_ms: int | None = None


class _Symbol:
    """What is known of one symbol's candles that are not given out yet."""

    def __init__(self, tick: Decimal, from_ms: int, last_close: int | None) -> None:
        self.tick = tick
        self.last_close = last_close
        self.settled: dict[int, tuple[int, Candle]] = {}
        self.seen: dict[int, _Seen] = {}
        self.vain: dict[int, tuple[int, int]] = {}
        self.given: dict[int, Candle] = {}
        self.newest_ms = -1
        self.last_settled_ms = -1
        self.doubts = 0
        self.from_ms = from_ms

    def there(self) -> list[int]:
        """Open times at which the exchange has a candle."""
        given = [time_ms for time_ms, candle in self.given.items() if not candle.filled]
        return [*given, *self.settled]

    def missing(self, open_time_ms: int) -> bool:
        """Whether the exchange was asked often enough and had nothing."""
        return self.vain.get(open_time_ms, (0, 0))[0] >= ASKED_IN_VAIN

    def forget(self, open_time_ms: int, candle: Candle | None) -> None:
        """This open time was given out, with this candle."""
        for known in (self.settled, self.seen, self.vain):
            known.pop(open_time_ms, None)
        if candle is not None:
            self.last_close = candle.close
            self.given[open_time_ms] = candle
            if len(self.given) > _GIVEN_KEPT:
                del self.given[next(iter(self.given))]


class LiveCandles:
    """Turns what an exchange tells into closed open times, in order, each given out once.

    `ticks` are the symbols in the order of the settings with their price steps; open times after `after_ms`
    are given out, those before `closed_before_ms` are known to be closed. `at_ms` in every call is any clock
    that runs evenly, in ms; `now_ms` the exchange's.
    """

    def __init__(
        self,
        ticks: Mapping[str, Decimal],
        timeframe_ms: int,
        after_ms: int,
        last_closes: Mapping[str, int] | None = None,
        closed_before_ms: int = -1,
    ) -> None:
        self.next_ms = after_ms + timeframe_ms
        self.counts = Counts()
        self._timeframe_ms = timeframe_ms
        closes = last_closes or {}
        self._symbols = {name: _Symbol(tick, self.next_ms, closes.get(name)) for name, tick in ticks.items()}
        self._closed_before_ms = closed_before_ms
        self._newest_ms, self._newest_at_ms = -1, 0
        self._clock_ahead_ms = 0
        self._notes: list[str] = []

    @property
    def newest_ms(self) -> dict[str, int]:
        """Each symbol's newest open time that was told; -1 before the first."""
        return {name: symbol.newest_ms for name, symbol in self._symbols.items()}

    def take_notes(self) -> list[str]:
        """What was dropped since the last call, in words."""
        notes, self._notes = self._notes, []
        return notes

    def told(self, symbol: str, rows: Iterable[Row], at_ms: int, now_ms: int, final: bool = False) -> None:
        """Take in rows from a stream: they may still grow, unless it says itself that they are `final`."""
        known = self._symbols[symbol]
        self._clock_ahead_ms = now_ms - at_ms
        for time_ms, candle in self._good(symbol, rows, now_ms):
            self._see_time(known, time_ms, at_ms)
            if self._is_given(known, time_ms, candle):
                continue
            if final:
                self._settle(known, time_ms, candle, at_ms)
            else:
                self._see(known, time_ms, candle, at_ms)

    def answered(
        self,
        symbol: str,
        rows: Sequence[Row],
        since_ms: int,
        until_ms: int,
        asked_at_ms: int,
        at_ms: int,
        now_ms: int,
    ) -> None:
        """Take in the answer to a question asked at `asked_at_ms` for all that opens from `since_ms` on and
        before `until_ms`: rows of candles that had closed by then are settled, and others were asked in vain.
        """
        known = self._symbols[symbol]
        self._clock_ahead_ms = now_ms - at_ms
        good = list(self._good(symbol, rows, now_ms))
        here_ms = max((time_ms for time_ms, _ in good), default=-1)
        closed_ms = max(here_ms, self._closed_ms(asked_at_ms))
        for time_ms, candle in good:
            self._see_time(known, time_ms, at_ms)
            if self._is_given(known, time_ms, candle):
                continue
            if time_ms < closed_ms:
                self._settle(known, time_ms, candle, asked_at_ms)
            else:
                self._see(known, time_ms, candle, at_ms)
        had = {time_ms for time_ms, _ in good}
        if any(since_ms <= time_ms < until_ms and time_ms not in had for time_ms in known.there()):
            # An answer that lacks a candle which is there may lack others too.
            known.doubts += 1
            if known.doubts < MOST_DOUBTS:
                return
        known.doubts = 0
        first_ms = first_open_from(max(since_ms, self.next_ms), self._timeframe_ms)
        for time_ms in range(first_ms, min(until_ms, closed_ms), self._timeframe_ms):
            count, last_asked_ms = known.vain.get(time_ms, (0, -1))
            if time_ms not in had and time_ms not in known.settled and asked_at_ms > last_asked_ms:
                known.vain[time_ms] = (count + 1, asked_at_ms)

    def wanted(self, at_ms: int) -> dict[str, int]:
        """The symbols that the exchange should be asked for, each with the open time to ask from.

        That is a little before what is wanted, at a candle that is there: an answer without it is not whole.
        """
        wanted = {}
        for name, known in self._symbols.items():
            known.from_ms = max(known.from_ms, self.next_ms)
            while known.from_ms in known.settled or known.missing(known.from_ms):
                known.from_ms += self._timeframe_ms
            if known.from_ms < max(known.newest_ms, self._closed_ms(at_ms)):
                overlap = 0 < known.from_ms - known.last_settled_ms <= OVERLAP * self._timeframe_ms
                wanted[name] = known.last_settled_ms if overlap else known.from_ms
        return wanted

    def closed(self, at_ms: int) -> list[CandlesClosed]:
        """The open times that have closed since the last call, those at which any symbol has a candle.

        What is given out never changes.
        """
        closed = []
        end_ms = self._end_ms(at_ms)
        while self.next_ms < end_ms:
            ready = self._ready(self.next_ms, at_ms)
            if ready is None:
                break
            for name, candle in ready.items():
                self._symbols[name].forget(self.next_ms, candle)
            candles = tuple(candle for candle in ready.values() if candle is not None)
            if candles:
                closed.append(CandlesClosed(self.next_ms, candles))
            self.next_ms += self._timeframe_ms
        return closed

    # What is known

    def _good(self, symbol: str, rows: Iterable[Row], now_ms: int) -> Iterable[tuple[int, Candle]]:
        """The rows that are candles, with their open times."""
        for row in rows:
            try:
                time_ms, candle = self._read(symbol, row)
                why = fault(candle, time_ms, self._timeframe_ms)
            except (ArithmeticError, TypeError, ValueError, IndexError) as error:
                why = f"it cannot be read ({type(error).__name__})"
            if why is None and time_ms > now_ms + FUTURE_MS:
                self.counts.future += 1
                self._notes.append(f"{symbol}: dropped a candle from the future ({time_ms} ms)")
            elif why is None:
                yield time_ms, candle
            else:
                self.counts.bad += 1
                self._notes.append(f"{symbol}: dropped a bad candle of {_when(row)}: {why}")

    def _read(self, symbol: str, row: Row) -> tuple[int, Candle]:
        tick = self._symbols[symbol].tick
        opened, high, low, close = (_ticks(value, tick) for value in row[1:5])
        return int(_number(row[0])), Candle(symbol, opened, high, low, close, float(_number(row[5])))

    def _see_time(self, known: _Symbol, time_ms: int, at_ms: int) -> None:
        """A row of this open time was told: candles that were seen before it have closed."""
        known.newest_ms = max(known.newest_ms, time_ms)
        if time_ms <= self._newest_ms:
            return
        self._newest_ms, self._newest_at_ms = time_ms, at_ms
        for each in self._symbols.values():
            for seen_ms, seen in each.seen.items():
                if seen.newer_at_ms is None and seen_ms < time_ms:
                    seen.newer_at_ms = at_ms

    def _is_given(self, known: _Symbol, time_ms: int, candle: Candle) -> bool:
        """Whether this open time was given out; a revision of it is counted, once."""
        if time_ms >= self.next_ms:
            return False
        given = known.given.get(time_ms)
        if given is not None and given != candle:
            known.given[time_ms] = candle
            self.counts.revised += 1
            self._notes.append(f"{candle.symbol}: dropped a revision of the closed candle of {iso(time_ms)}")
        return True

    def _see(self, known: _Symbol, time_ms: int, candle: Candle, at_ms: int) -> None:
        """Keep the fullest form of a candle that grows: volume only rises, and the range only widens."""
        seen = known.seen.get(time_ms)
        if seen is None:
            known.seen[time_ms] = _Seen(candle, at_ms if time_ms < self._newest_ms else None)
        elif candle == seen.candle:
            self.counts.repeated += 1
        elif _fullness(candle) > _fullness(seen.candle):
            seen.candle = candle

    def _settle(self, known: _Symbol, time_ms: int, candle: Candle, asked_at_ms: int) -> None:
        """Keep what the exchange says of a closed candle; of two answers, the one asked for later."""
        before = known.settled.get(time_ms)
        if before is None or (asked_at_ms, _fullness(candle)) > (before[0], _fullness(before[1])):
            known.settled[time_ms] = (asked_at_ms, candle)
            known.seen.pop(time_ms, None)
            known.last_settled_ms = max(known.last_settled_ms, time_ms)

    # What has closed

    def _closed_ms(self, at_ms: int) -> int:
        """Candles that open before this time had closed at `at_ms`, also where nobody trades."""
        quiet_ms = self._facts_ms(at_ms) - QUIET_MS
        return max(quiet_ms - (quiet_ms - self.next_ms) % self._timeframe_ms, self._closed_before_ms)

    def _facts_ms(self, at_ms: int) -> int:
        """A time that has surely passed at the exchange: its clock says so, and so does the newest open time
        that was seen with what went by since."""
        if self._newest_ms < 0:
            return -1
        return at_ms + min(self._newest_ms - self._newest_at_ms, self._clock_ahead_ms)

    def _end_ms(self, at_ms: int) -> int:
        """Open times before this one can be given out: there is a real candle at or after each."""
        ends = [self._closed_before_ms]
        for known in self._symbols.values():
            ends.append(known.last_settled_ms + 1)
            ends += [time_ms + 1 for time_ms, seen in known.seen.items() if _is_old(seen, at_ms)]
        return max(ends)

    def _ready(self, time_ms: int, at_ms: int) -> dict[str, Candle | None] | None:
        """Each symbol's candle at an open time; None while one has to be waited for."""
        ready: dict[str, Candle | None] = {}
        for name, known in self._symbols.items():
            seen = known.seen.get(time_ms)
            if time_ms in known.settled:
                ready[name] = known.settled[time_ms][1]
            elif seen is not None and _is_old(seen, at_ms):
                ready[name] = seen.candle
            elif seen is None and known.missing(time_ms) and self._is_over(known, time_ms, at_ms):
                ready[name] = None if known.last_close is None else filled_candle(name, known.last_close)
            else:
                return None
        return ready

    def _is_over(self, known: _Symbol, time_ms: int, at_ms: int) -> bool:
        """Whether a candle that was asked for in vain is not waited for any longer."""
        late = self._facts_ms(at_ms) >= time_ms + self._timeframe_ms + LATE_MS
        return late or time_ms < max(known.newest_ms, self._closed_before_ms)


def _is_old(seen: _Seen, at_ms: int) -> bool:
    """Whether a closed candle that nobody confirmed is taken as it was seen."""
    return seen.newer_at_ms is not None and at_ms - seen.newer_at_ms >= UNCONFIRMED_MS


def _number(value: Any) -> Decimal:
    """A finite number from a number or its text. Raises ValueError or ArithmeticError."""
    if isinstance(value, bool) or value is None:
        raise ValueError("not a number")
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite():
        raise InvalidOperation("not finite")
    return number


def _ticks(value: Any, tick: Decimal) -> int:
    """A price in ticks, half to even (rulebook 2); raises ArithmeticError when it is too large."""
    price = _number(value)
    ticks = int(_CONTEXT.divide(price, tick).to_integral_value(ROUND_HALF_EVEN))
    if ticks > _LARGEST_TICKS:
        raise OverflowError("too large")
    return ticks


def _fullness(candle: Candle) -> tuple[float, int, int, int, int]:
    return candle.volume, candle.high, -candle.low, candle.close, candle.open


def _when(row: Row) -> str:
    """A row's open time as it was told, in at most 40 letters."""
    return repr(row[0] if len(row) else row)[:40]
