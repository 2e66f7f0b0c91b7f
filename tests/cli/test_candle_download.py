"""Downloads beside the command line: patience with an exchange, saving, and ranges in any order."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.candle_download import AskedRange, Downloaded, download_all
from cli.exchange_history import ExchangeHistory
from cli.exchange_patience import Patience
from tests.support.candle_server import Answer, CandleServer, serving
from tests.support.downloads import DAY_MS, FILE, HOUR_MS, LISTED_MS, NOON_MS, hours, opens
from trading.errors import OperationError


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def monotonic(self) -> float:
        return sum(self.waits)

    def patience(self) -> Patience:
        return Patience(self.sleep, self.monotonic, lambda: NOON_MS, Random(1), lambda _: None)


@pytest.fixture
def exchange() -> Iterator[CandleServer]:
    """An exchange with 3,500 closed hours and one that is still open."""
    with serving(CandleServer(LISTED_MS, NOON_MS + 60_000)) as server:
        yield server


def fetched(server: CandleServer, folder: Path, clock: Clock, asked: AskedRange) -> Downloaded:
    history = ExchangeHistory.open("binanceus", server.options, clock.patience())
    quiet: Any = lambda *_: None  # noqa: E731
    return download_all(history, ["BTC/USDT"], [HOUR_MS], asked, folder, NOON_MS, clock.monotonic, quiet)[0]


ALL = AskedRange(LISTED_MS, NOON_MS)


def test_exchange_that_stays_down_is_given_up_and_what_came_is_kept(
    exchange: CandleServer, tmp_path: Path
) -> None:
    exchange.faults = [lambda rows: rows, *[Answer(503, b"busy")] * 100]
    clock = Clock()
    with pytest.raises(OperationError, match=r"not available .*busy.* the same command goes on"):
        fetched(exchange, tmp_path, clock, ALL)
    assert 60 < sum(clock.waits) <= 120
    assert all(0.25 <= wait <= 30 for wait in clock.waits) and len(set(clock.waits)) == len(clock.waits)
    assert opens(tmp_path / FILE) == hours(LISTED_MS, LISTED_MS + 1_000 * HOUR_MS)


@pytest.mark.parametrize("asked", ["120000", "Wed, 15 Nov 2024 12:00:00 GMT"])
def test_exchange_that_asks_for_a_longer_wait_than_patience_is_given_up_at_once(
    exchange: CandleServer, tmp_path: Path, asked: str
) -> None:
    exchange.always = Answer(429, headers={"Retry-After": asked})
    clock = Clock()
    with pytest.raises(OperationError, match=r"asks for fewer requests, and asks to come back in [0-9]+ s"):
        fetched(exchange, tmp_path, clock, ALL)
    assert clock.waits == []


def test_exchange_that_names_a_moment_to_come_back_is_waited_for(
    exchange: CandleServer, tmp_path: Path
) -> None:
    exchange.faults = [Answer(418, headers={"Retry-After": "Wed, 15 Nov 2023 12:00:40 GMT"})]
    clock = Clock()
    assert fetched(exchange, tmp_path, clock, ALL).candles == 3_500
    assert clock.waits == [40.0]


def test_exchange_that_refuses_is_not_asked_again(exchange: CandleServer, tmp_path: Path) -> None:
    exchange.faults = [Answer(400, b'{"code": -1121, "msg": "Invalid symbol."}')]
    clock = Clock()
    with pytest.raises(OperationError, match=r"binanceus refuses: .*Invalid symbol"):
        fetched(exchange, tmp_path, clock, ALL)
    assert clock.waits == []


def test_long_download_is_saved_while_it_goes_on(exchange: CandleServer, tmp_path: Path) -> None:
    clock = Clock()
    on_disk: list[int] = []

    def look() -> None:
        clock.sleep(1.5)
        on_disk.append(len(opens(tmp_path / FILE)) if (tmp_path / FILE).exists() else 0)

    exchange.on_candles = look
    fetched(exchange, tmp_path, clock, ALL)
    assert on_disk == [0, 0, 2_000, 2_000]


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_downloads_in_any_order_give_the_whole_range_without_a_break(
    exchange: CandleServer, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any_order")
    exchange.missing = set(data.draw(st.lists(st.sampled_from(hours(LISTED_MS, NOON_MS)), max_size=30)))
    first, last = NOON_MS, 0
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(-50, 3_498))
        stop = data.draw(st.integers(max(start + 1, 1), 3_500))
        from_ms, to_ms = LISTED_MS + start * HOUR_MS, LISTED_MS + stop * HOUR_MS
        first, last = min(first, from_ms), max(last, to_ms)
        exchange.faults = data.draw(
            st.lists(st.sampled_from([Answer(503), lambda rows: rows[:3]]), max_size=3)
        )
        fetched(exchange, folder, Clock(), AskedRange(from_ms, to_ms))
        wanted = [each for each in hours(max(first, LISTED_MS), last) if each not in exchange.missing]
        assert (opens(folder / FILE) if (folder / FILE).exists() else []) == wanted


@pytest.mark.parametrize("windowed", [False, True])
def test_download_across_a_long_hole_keeps_both_sides_and_never_asks_again(
    exchange: CandleServer, tmp_path: Path, windowed: bool
) -> None:
    """A page that reaches over a time, not over a number of candles, is empty within a hole."""
    exchange.windowed = windowed
    exchange.listed_ms = NOON_MS - 400 * DAY_MS
    exchange.missing = set(hours(NOON_MS - 380 * DAY_MS, NOON_MS - 100 * DAY_MS))
    clock = Clock()
    exchange.on_candles = lambda: clock.sleep(5.0)
    asked = AskedRange(NOON_MS - 3_000 * DAY_MS, NOON_MS)
    fetched(exchange, tmp_path, clock, asked)
    wanted = [each for each in hours(exchange.listed_ms, NOON_MS) if each not in exchange.missing]
    assert opens(tmp_path / FILE) == wanted
    assert len(exchange.asked) < 40
    exchange.asked.clear()
    assert fetched(exchange, tmp_path, clock, asked).candles == len(wanted)
    assert exchange.asked == []
