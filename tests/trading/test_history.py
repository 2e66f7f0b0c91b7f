"""Candle files: what is refused, what is read, and how holes are filled."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data import shared_file
from tests.trading.candle_tables import HOUR_MS, START, START_MS, candles, changed, parquet
from trading.errors import CandleError, InputError
from trading.history import History, load_histories, load_history
from trading.settings import MarketSettings

NAN = float("nan")
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def refusal(file: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_history("BTC/USDT", file, **options)
    said = str(caught.value)
    assert "\n" not in said and str(file) in said
    return said


def load(file: Path) -> History:
    return load_history("BTC/USDT", file)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed("open", 2, NAN), "row 3 (2021-01-01T02:00:00Z): a price is not a positive number"),
        (changed("open", 2, None), "row 3 (2021-01-01T02:00:00Z): a price is not a positive number"),
        (changed("close", 0, float("inf")), "row 1 (2021-01-01T00:00:00Z): a price is not a positive number"),
        (changed("low", 0, 0.0), "row 1 (2021-01-01T00:00:00Z): a price is not a positive number"),
        (changed("low", 4, -5.0), "row 5 (2021-01-01T04:00:00Z): a price is not a positive number"),
        (
            changed("volume", 1, -0.1),
            "row 2 (2021-01-01T01:00:00Z): volume -0.1 is not a number of at least 0",
        ),
        (changed("volume", 1, NAN), "row 2 (2021-01-01T01:00:00Z): volume nan is not a number"),
        (
            changed("high", 3, 103.5),
            "row 4 (2021-01-01T03:00:00Z): high 103.5 is under open 103.0 or close 104.0",
        ),
        (
            changed("low", 3, 103.5),
            "row 4 (2021-01-01T03:00:00Z): low 103.5 is over open 103.0 or close 104.0",
        ),
        (changed("timestamp", 2, None), "row 3: timestamp None is not a time"),
        (
            changed("timestamp", 4, START + timedelta(hours=3)),
            "row 5 (2021-01-01T03:00:00Z): its open time was there",
        ),
        (
            changed("timestamp", 4, START - timedelta(hours=3)),
            "row 5 (2020-12-31T21:00:00Z): its open time is before",
        ),
        (
            changed("timestamp", 4, START + timedelta(minutes=250)),
            "row 5 (2021-01-01T04:10:00Z): its open time is off",
        ),
        (changed("timestamp", 4, START + timedelta(hours=4, microseconds=1)), "row 5: timestamp"),
    ],
)
def test_file_with_a_bad_row_is_refused_with_row_and_rule(tmp_path: Path, table: Any, said: str) -> None:
    assert said in refusal(parquet(tmp_path, table))


def without(column: str) -> dict[str, list[Any]]:
    table = candles()
    del table[column]
    return table


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (without("volume"), "has no column 'volume'"),
        (without("timestamp"), "has no column 'timestamp'"),
        (candles(0), "has no rows"),
        (candles(1), "has one open time; a timeframe needs two"),
        (candles(symbol=["BTC", "BTC", "ETH", "BTC", "BTC"]), "mixes symbols (BTC, ETH)"),
        (candles(timestamp=[START] * 5), "a timeframe needs two"),
        (candles(timestamp=["soon"] * 5), "has no readable timestamp"),
        (candles(timestamp=[START + timedelta(milliseconds=10 * index) for index in range(5)]), "10 ms"),
        (
            candles(timestamp=[START + timedelta(hours=each, minutes=30) for each in range(5)]),
            "row 1 (2021-01-01T00:30",
        ),
    ],
)
def test_file_that_is_no_run_of_candles_is_refused(tmp_path: Path, table: Any, said: str) -> None:
    assert said in refusal(parquet(tmp_path, table))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("blank.csv", b" \n\n", "is empty"),
        ("binary.csv", bytes(range(256)) * 20, "is not Parquet or CSV"),
        ("binary.parquet", bytes(range(256)) * 20, "is not a Parquet file"),
        ("text.parquet", b"timestamp,open\n1,2\n", "is not a Parquet file"),
        ("cut.parquet", b"PAR1" + b"\x00" * 50, "cannot be read as a table"),
        ("latin.csv", "timestamp,open\nä,ö\n".encode("latin-1"), "latin.csv: "),
        ("words.csv", b"lorem ipsum\ndolor\n", "has no column 'timestamp'"),
        ("header.csv", b"timestamp,open,high,low,close,volume\n", "has no rows"),
        (
            "ragged.csv",
            b"timestamp,open,high,low,close,volume\n1,2,3,4,5,6,7,8\n",
            "cannot be read as a table",
        ),
    ],
)
def test_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert said in refusal(file)


def test_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nothing.parquet")
    assert "Is a directory" in refusal(tmp_path)


def test_file_with_several_bad_rows_counts_them(tmp_path: Path) -> None:
    table = changed("volume", 1, -1.0)
    table["open"][3] = NAN
    assert refusal(parquet(tmp_path, table)).endswith("(and 1 more bad rows)")


def test_price_that_rounds_to_no_tick_is_refused(tmp_path: Path) -> None:
    file = parquet(tmp_path, changed("low", 2, 0.4))
    said = refusal(file, section=MarketSettings(tick=Decimal(1)))
    assert "row 3 (2021-01-01T02:00:00Z): low 0.4 rounds to 0 with a tick of 1" in said


def in_units(per_second: int) -> list[int]:
    return [(START_MS // 1000 + 3600 * index) * per_second for index in range(5)]


@pytest.mark.parametrize(
    "timestamps",
    [
        in_units(1),
        in_units(1_000),
        in_units(1_000_000),
        in_units(1_000_000_000),
        [float(each) for each in in_units(1)],
        [(START + timedelta(hours=index)).replace(tzinfo=None) for index in range(5)],
        [(START + timedelta(hours=index)).isoformat() for index in range(5)],
        [str(each) for each in in_units(1_000)],
    ],
)
def test_timestamps_of_any_kind_are_read_as_utc(tmp_path: Path, timestamps: list[Any]) -> None:
    history = load(parquet(tmp_path, candles(timestamp=timestamps)))
    assert history.open_times_ms.tolist() == [START_MS + HOUR_MS * index for index in range(5)]
    assert history.candles["timestamp"].dtype == pl.Datetime("ms", "UTC")


@pytest.mark.parametrize(
    "spelled",
    [
        lambda moment: str(int(moment.timestamp())),
        lambda moment: moment.isoformat(),
        lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
        lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda moment: (moment + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
    ],
)
def test_csv_gives_the_same_history_as_parquet(tmp_path: Path, spelled: Callable[[datetime], str]) -> None:
    table = candles()
    texts = pl.DataFrame(table | {"timestamp": [spelled(moment) for moment in table["timestamp"]]})
    texts.write_csv(tmp_path / "candles.csv")
    assert load(tmp_path / "candles.csv").candles.equals(load(parquet(tmp_path, table)).candles)


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Decimal(20, 8), pl.String])
def test_prices_of_other_types_are_taken_by_their_text(tmp_path: Path, dtype: Any) -> None:
    prices = [33333.33, 0.1, 4.35, 1e-7, 7.0]
    table = pl.DataFrame(candles(open=prices, high=prices, low=prices, close=prices))
    file = tmp_path / "candles.parquet"
    table.with_columns(pl.col("open", "high", "low", "close").cast(dtype)).write_parquet(file)
    history = load(file)
    assert history.market.tick == Decimal("1E-7")
    assert history.candles["close"].to_list() == prices


def test_integer_prices_have_a_tick_of_one(tmp_path: Path) -> None:
    prices = [3, 1, 4, 1, 5]
    history = load(parquet(tmp_path, candles(open=prices, high=prices, low=prices, close=prices)))
    assert history.market.tick == 1
    assert history.candles["close_ticks"].to_list() == prices


def test_market_section_gives_tick_lot_and_minimum(tmp_path: Path) -> None:
    section = MarketSettings(tick=Decimal("0.5"), lot=Decimal("0.1"), min_notional_quote=Decimal(3))
    table = changed("close", 0, 100.75)
    history = load_history("BTC/USDT", parquet(tmp_path, table), section)
    assert (history.market.tick, history.market.lot, history.market.min_notional) == (
        Decimal("0.5"),
        Decimal("0.1"),
        Decimal(3),
    )
    assert history.candles["close"][0] == 101.0
    assert history.candles["close_ticks"][0] == 202


def test_columns_of_a_history_are_exactly_those_promised(tmp_path: Path) -> None:
    schema = load(parquet(tmp_path, candles(extra=[1] * 5))).candles.schema
    prices = ["open", "high", "low", "close"]
    assert dict(schema) == {
        "timestamp": pl.Datetime("ms", "UTC"),
        **dict.fromkeys([*prices, "volume"], pl.Float64()),
        **{f"{name}_ticks": pl.Int64() for name in prices},
        "filled": pl.Boolean(),
    }


def naive_fill(table: dict[str, list[Any]]) -> list[tuple[int, float, float, float, float, float, bool]]:
    rows: list[tuple[int, float, float, float, float, float, bool]] = []
    for moment, *prices, volume in zip(*table.values(), strict=True):
        open_ms = round(moment.timestamp() * 1000)
        while rows and rows[-1][0] + HOUR_MS < open_ms:
            close = rows[-1][4]
            rows.append((rows[-1][0] + HOUR_MS, close, close, close, close, 0.0, True))
        rows.append((open_ms, *prices, volume, False))
    return rows


@IN_A_FOLDER
@given(holes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_holes_of_any_shape_are_filled_with_the_last_close(tmp_path: Path, holes: list[int]) -> None:
    # Steps of one hour are made the most common ones.
    steps = [*holes, *[1] * (len(holes) + 1)]
    hours = [0, *np.cumsum(steps).tolist()]
    table = candles(len(hours), timestamp=[START + timedelta(hours=each) for each in hours])
    history = load(parquet(tmp_path, table))
    columns = ("open", "high", "low", "close", "volume", "filled")
    made = zip(
        history.open_times_ms.tolist(), *(history.candles[name].to_list() for name in columns), strict=True
    )
    assert list(made) == naive_fill(table)


def test_hole_of_hundreds_of_thousands_of_candles_is_filled_at_once(tmp_path: Path) -> None:
    hours = [0, 1, 2, 600_000, 600_001]
    table = candles(timestamp=[START + timedelta(hours=each) for each in hours])
    begin = time.process_time()
    history = load(parquet(tmp_path, table))
    assert time.process_time() - begin < 5
    assert history.candles.height == 600_002
    assert history.candles["filled"].sum() == 599_997


def test_span_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    seconds = [0, 1, 2, 3, 1_000_000_000]
    table = candles(timestamp=[START + timedelta(seconds=each) for each in seconds])
    assert "at most 20000000 are allowed" in refusal(parquet(tmp_path, table))


def test_weekly_candles_open_on_mondays(tmp_path: Path) -> None:
    monday = datetime(2021, 1, 4, tzinfo=UTC)
    good = candles(timestamp=[monday + timedelta(weeks=each) for each in range(5)])
    assert load(parquet(tmp_path, good)).timeframe_ms == 7 * 24 * HOUR_MS
    bad = candles(timestamp=[START + timedelta(weeks=each) for each in range(5)])
    assert "off the grid of the timeframe 1w" in refusal(parquet(tmp_path, bad))


def test_histories_of_different_timeframes_are_refused(tmp_path: Path) -> None:
    hourly = parquet(tmp_path, candles())
    minutes = candles(timestamp=[START + timedelta(minutes=each) for each in range(5)])
    with pytest.raises(CandleError, match=r"its timeframe is 1m, that of .* 1h; one run has one timeframe"):
        load_histories([("BTC/USDT", hourly), ("ETH/USDT", parquet(tmp_path, minutes, "minutes.parquet"))])


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        (("BTC/USDT", "BTC/USDT"), "BTC/USDT is there twice"),
        (("BTC/USDT", "ETH/EUR"), "different quote currencies"),
        (("BTC/USDT", "eth"), "'eth' is not BASE/QUOTE"),
    ],
)
def test_histories_that_do_not_go_together_are_refused(
    tmp_path: Path, symbols: tuple[str, str], said: str
) -> None:
    file = parquet(tmp_path, candles())
    with pytest.raises(InputError, match=said):
        load_histories([(symbol, file) for symbol in symbols])


def test_shared_minutes_are_completed_to_two_full_years() -> None:
    history = load_history("BTC/USD", shared_file("btcusd_bitfinex_1m_2017-2018.parquet"))
    assert history.candles.height == 2 * 525_600
    assert history.candles["filled"].sum() == 25_492
    real = history.candles.filter(~pl.col("filled"))
    original = pl.read_parquet(shared_file("btcusd_bitfinex_1m_2017-2018.parquet"))
    assert real["timestamp"].equals(original["timestamp"])
    nearest = (original["close"].to_numpy() * 1e8).round() / 1e8
    assert np.array_equal(real["close"].to_numpy(), nearest)
