"""`data download` with the real ccxt against a local exchange."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cli.main import run
from tests.data import ROOT
from tests.support.candle_server import Answer, CandleServer, Kline, kline, serving
from tests.support.downloads import DAY_MS, FILE, HOUR_MS, LISTED_MS, NOON_MS, hours, opens
from trading.history import load_history


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CandleServer]:
    """An exchange with 3,500 closed hours and one that is still open."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AUTOTRADER__")]:
        monkeypatch.delenv(name)
    with serving(CandleServer(LISTED_MS, NOON_MS + 60_000)) as server:
        monkeypatch.setenv("AUTOTRADER__EXCHANGE__OPTIONS", json.dumps(server.options))
        yield server


def date(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()


def download(*arguments: str, from_ms: int = LISTED_MS) -> int:
    return run(["data", "download", "BTC/USDT", "--timeframe", "1h", "--from", date(from_ms), *arguments])


def bounds(asked: list[dict[str, str]]) -> list[int]:
    return [(int(each["startTime"]) - LISTED_MS) // HOUR_MS for each in asked]


def test_download_writes_what_the_exchange_has_one_file_a_symbol_and_timeframe(
    exchange: CandleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["BTC/USDT", "ETH/USDT", "--timeframe", "1h", "--timeframe", "4h", "--out", "new/data"]
    assert run(["data", "download", *arguments, "--from", "2023-01-01", "--json"]) == 0
    found = {Path(each["file"]).name: each for each in json.loads(capsys.readouterr().out)["files"]}
    assert set(found) == {
        f"binanceus_{base}-USDT_{tf}.parquet" for base in ("BTC", "ETH") for tf in ("1h", "4h")
    }
    assert {path.name for path in Path("new/data").iterdir()} == set(found)
    one = found["binanceus_ETH-USDT_1h.parquet"]
    assert (one["candles"], one["added"], one["missing"], one["dropped"]) == (3_500, 3_500, 0, {})
    table = pl.read_parquet(one["file"])
    wanted = [kline(open_ms, HOUR_MS) for open_ms in hours(LISTED_MS, NOON_MS)]
    assert opens(Path(one["file"])) == [row[0] for row in wanted]
    for column, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        assert table[name].to_list() == [float(row[column]) for row in wanted]
    assert load_history("ETH/USDT", Path(one["file"])).market.tick.as_tuple().exponent == -1


def test_download_leaves_out_the_candle_that_is_still_open(exchange: CandleServer) -> None:
    exchange.now_ms = NOON_MS - 1
    assert download(from_ms=NOON_MS - 5 * HOUR_MS) == 0
    assert opens() == hours(NOON_MS - 5 * HOUR_MS, NOON_MS - HOUR_MS)
    exchange.now_ms = NOON_MS
    assert download(from_ms=NOON_MS - 5 * HOUR_MS) == 0
    assert opens() == hours(NOON_MS - 5 * HOUR_MS, NOON_MS)


def test_download_to_a_time_excludes_it(exchange: CandleServer) -> None:
    assert download("--to", date(LISTED_MS + 10 * HOUR_MS)) == 0
    assert opens() == hours(LISTED_MS, LISTED_MS + 10 * HOUR_MS)


def test_download_again_asks_only_for_what_follows(exchange: CandleServer) -> None:
    assert download() == 0
    before = FILE.read_bytes()
    assert bounds(exchange.asked) == [0, 1000, 2000, 3000]
    exchange.asked.clear()
    assert download() == 0
    assert exchange.asked == [] and FILE.read_bytes() == before
    exchange.now_ms += 2 * HOUR_MS
    assert download() == 0
    assert bounds(exchange.asked) == [3_500]
    assert opens() == hours(LISTED_MS, NOON_MS + 2 * HOUR_MS)


def test_download_from_an_earlier_time_fetches_the_part_before(exchange: CandleServer) -> None:
    assert download(from_ms=LISTED_MS + 2_500 * HOUR_MS) == 0
    exchange.asked.clear()
    assert download() == 0
    assert bounds(exchange.asked) == [0, 1000, 2000]
    assert opens() == hours(LISTED_MS, NOON_MS)
    backward = FILE.read_bytes()
    FILE.unlink()
    assert download() == 0
    assert FILE.read_bytes() == backward


def test_download_from_a_later_time_leaves_no_break(exchange: CandleServer) -> None:
    assert download("--to", date(LISTED_MS + 10 * HOUR_MS)) == 0
    assert download(from_ms=NOON_MS - 10 * HOUR_MS) == 0
    assert opens() == hours(LISTED_MS, NOON_MS)


def swapped(rows: list[Kline]) -> list[Kline]:
    rows[0], rows[700] = rows[700], rows[0]
    return rows


@pytest.mark.parametrize(
    "fault",
    [
        Answer(429, headers={"Retry-After": "1"}),
        Answer(503, b"<html>busy</html>"),
        Answer(500, b""),
        Answer(200, b'[[1700000000000,"1","2"', cut=True),
        Answer(200, b"<html>hello</html>"),
        Answer(200, b"null"),
        Answer(200, b"[[1,2],[3"),
        Answer(200, b'["what", "is", "this"]'),
        lambda rows: [],
        lambda rows: rows[:7],
        lambda rows: [kline(rows[0][0] - HOUR_MS, HOUR_MS), *rows],
        lambda rows: [*rows, kline(NOON_MS + 9 * HOUR_MS, HOUR_MS)],
        swapped,
    ],
    ids=[
        "429", "503", "500", "cut", "html", "null", "half", "texts",
        "empty", "short", "overlap", "future", "unsorted",
    ],
)  # fmt: skip
def test_download_through_a_fault_gets_every_candle(
    exchange: CandleServer, fault: Answer | Callable[[list[Kline]], list[Kline]]
) -> None:
    exchange.faults = [lambda rows: rows, fault]
    begun = time.monotonic()
    assert download() == 0
    assert opens() == hours(LISTED_MS, NOON_MS)
    assert exchange.faults == []
    if isinstance(fault, Answer) and fault.status == 429:
        assert time.monotonic() - begun >= 1


def test_download_does_not_follow_a_candle_with_a_time_ahead(exchange: CandleServer) -> None:
    ahead = LISTED_MS + 2_700 * HOUR_MS
    exchange.faults = [lambda rows: [*rows[:-1], kline(ahead, HOUR_MS)]]
    assert download() == 0
    assert opens() == hours(LISTED_MS, NOON_MS)


def bad(column: int, value: object) -> Callable[[list[Kline]], list[Kline]]:
    def bend(rows: list[Kline]) -> list[Kline]:
        rows[5][column] = value
        return rows

    return bend


@pytest.mark.parametrize(
    ("fault", "named", "left"),
    [
        (bad(1, "0"), "price not positive", 3_499),
        (bad(4, None), "price not positive", 3_499),
        (bad(5, "-1"), "volume negative", 3_499),
        (bad(2, "5"), "high too low", 3_499),
        (bad(3, "99999"), "low too high", 3_499),
        (bad(0, LISTED_MS + 5 * HOUR_MS + 1), "off the grid", 3_499),
        (lambda rows: [rows[0], *rows], "repeated time", 3_500),
    ],
)
def test_download_drops_counts_and_reports_bad_rows(
    exchange: CandleServer,
    capsys: pytest.CaptureFixture[str],
    fault: Callable[[list[Kline]], list[Kline]],
    named: str,
    left: int,
) -> None:
    exchange.faults = [fault]
    assert download("--json") == 0
    found = json.loads(capsys.readouterr().out)["files"][0]
    assert found["dropped"] == {named: 1}
    assert (found["candles"], found["missing"]) == (left, 3_500 - left)
    assert load_history("BTC/USDT", FILE).candles.height == 3_500


def test_download_interrupted_keeps_what_came_and_goes_on(exchange: CandleServer) -> None:
    arguments = ["BTC/USDT", "--timeframe", "1h", "--from", date(LISTED_MS)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "data", "download", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def interrupt() -> None:
        if len(exchange.asked) == 3:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)

    exchange.on_candles = interrupt
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "")
    assert said == "interrupted: what was downloaded is kept, and the same command goes on\n"
    assert opens() == hours(LISTED_MS, LISTED_MS + 2_000 * HOUR_MS)
    exchange.asked.clear()
    assert download() == 0
    assert bounds(exchange.asked) == [2_000, 3_000]
    assert opens() == hours(LISTED_MS, NOON_MS)
    assert {path.name for path in Path().iterdir()} == {FILE.name}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["BTC/USD"], "symbol: binanceus has no spot market 'BTC/USD'; did you mean 'BTC/USDT'?"),
        (
            ["XYZ/ABC"],
            "symbol: binanceus has no spot market 'XYZ/ABC'; there are 2, such as BTC/USDT, ETH/USDT",
        ),
        (["btc"], "symbol: 'btc' is not BASE/QUOTE"),
        (["BTC/USDT", "--exchange", "binancus"], "there is no 'binancus' in ccxt; did you mean 'binanceus'?"),
        (["BTC/USDT", "--exchange", "zaif"], "exchange: zaif offers no candle history"),
        (
            ["BTC/USDT", "--timeframe", "7m"],
            "--timeframe: binanceus has no candles of '7m'; allowed: 1s, 1m, 3m",
        ),
        (["BTC/USDT", "--timeframe", "soon"], "timeframe: 'soon' is not a whole number"),
        (["BTC/USDT", "--to", "2022-12-31"], "--from: 2023-01-01T00:00:00Z is not before --to 2022-12-31"),
        (["BTC/USDT", "--to", "soon"], "--to: 'soon' is not a date"),
        (["BTC/USDT", "--from", "2200-01-01"], "--from: 2200-01-01T00:00:00Z is in the future"),
        (["BTC/USDT", "--out", "taken"], "--out: taken is a file, not a folder"),
        (["BTC/USDT", "--config", "nothing.toml"], "--config: nothing.toml does not exist"),
    ],
)
def test_download_of_what_cannot_be_ends_with_two_and_nothing_fetched(
    exchange: CandleServer, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    Path("taken").touch()
    assert run(["data", "download", "--from", "2023-01-01", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert said in printed.err
    assert exchange.asked == []
    assert {path.name for path in Path().iterdir()} == {"taken"}


def test_download_of_a_range_without_candles_ends_with_two_after_the_others(
    exchange: CandleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download("--to", date(LISTED_MS - DAY_MS), from_ms=LISTED_MS - 9 * DAY_MS) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: binanceus has no candles of BTC/USDT 1h from 2023-06-")
    assert not FILE.exists()
    day = ["--timeframe", "1d", "--to", date(LISTED_MS + HOUR_MS)]
    assert download(*day, from_ms=LISTED_MS - DAY_MS // 2) == 2
    assert "no candles of BTC/USDT 1d from" in capsys.readouterr().err
    assert opens() == [LISTED_MS]
    assert not Path("binanceus_BTC-USDT_1d.parquet").exists()


def test_download_over_another_file_is_refused_and_leaves_it(
    exchange: CandleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "sample", str(FILE), "--candles", "50"]) == 0
    before = FILE.read_bytes()
    assert download() == 2
    said = capsys.readouterr().err
    assert f"{FILE}: exists, but not as a download of BTC/USDT 1h from binanceus" in said
    assert FILE.read_bytes() == before and exchange.asked == []


def test_download_without_a_network_ends_with_one_and_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(CandleServer(LISTED_MS, NOON_MS)) as gone:
        monkeypatch.setenv("AUTOTRADER__EXCHANGE__OPTIONS", json.dumps(gone.options))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert download() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: binanceus: it cannot be reached (") and said.count("\n") == 1
    assert "Connection refused" in said and "check the network" in said


def test_download_takes_its_exchange_and_timeframe_from_the_settings(exchange: CandleServer) -> None:
    Path("autotrader.toml").write_text(
        '[engine]\ntimeframe = "1d"\n[exchange]\nid = "binanceus"\noptions = { rateLimit = 1.5, '
        f'urls = {{ api = {{ public = "http://127.0.0.1:{exchange.port}/api/v3" }} }} }}\n'
    )
    del os.environ["AUTOTRADER__EXCHANGE__OPTIONS"]
    assert run(["data", "download", "BTC/USDT", "--from", "2023-11-01"]) == 0
    assert len(opens(Path("binanceus_BTC-USDT_1d.parquet"))) == 14
