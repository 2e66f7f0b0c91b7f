"""A ccxt client of one exchange: cheap, exact, and with the markets of our symbols alone."""

import json
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.exchange_client import ccxt_errors, load_markets, make_client, retry_after_ms
from tests.data import ROOT
from tests.support.exchange import LocalExchange
from trading.errors import InputError

BTC, ETH = "BTC/USDT", "ETH/USDT"
PROBE = """
import sys
from actors.exchange_client import ccxt_errors, make_client
client = make_client({id!r}, {{}})
exchanges = [name for name in sys.modules if name.startswith("ccxt.async_support.") and name.count(".") == 2]
assert len(exchanges) < 6, exchanges
assert client.has["fetchOHLCV"] and client.id == {id!r}
if {whole}:
    import ccxt
    import ccxt.pro
    assert len(ccxt.exchanges) > 90 and len(ccxt.pro.exchanges) > 60
    assert isinstance(client, ccxt.async_support.Exchange)
    assert ccxt.RequestTimeout is ccxt_errors().RequestTimeout
    assert type(ccxt.kraken()) is ccxt.kraken and isinstance(client, getattr(ccxt.pro, {id!r}))
print("good")
"""


@pytest.fixture
async def exchange() -> AsyncIterator[LocalExchange]:
    async with LocalExchange() as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: LocalExchange) -> AsyncIterator[Any]:
    client = make_client("binanceus", exchange.ccxt_options())
    yield client
    await client.close()


@pytest.mark.parametrize(("exchange_id", "whole"), [("binanceus", True), ("kraken", False), ("okx", False)])
def test_one_exchange_is_imported_alone_and_all_of_ccxt_is_there_when_it_is_asked_for(
    exchange_id: str, whole: bool
) -> None:
    command = [sys.executable, "-c", PROBE.format(id=exchange_id, whole=whole)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "good", done.stderr


def test_unknown_exchange_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"exchange\.id: there is no 'krakn' in ccxt; did you mean 'kraken'"):
        make_client("krakn", {})


@pytest.mark.parametrize("options", [{"urls": 3}, {"options": "none"}, {"headers": []}])
def test_option_of_the_wrong_kind_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"exchange\.options"):
        make_client("binanceus", options)


def test_options_can_turn_neither_the_rate_limiter_off_by_default_nor_the_verbose_mode_on() -> None:
    client = make_client("binanceus", {"verbose": True, "options": {"defaultType": "spot"}})
    assert client.enableRateLimit and not client.verbose


async def test_numbers_are_the_text_of_the_exchange(exchange: LocalExchange, client: Any) -> None:
    exchange.set_price(BTC, "60000.10", bid="60000.09", ask="60000.10")
    await load_markets(client, [BTC])
    told = await client.fetch_bids_asks([BTC])
    assert float(told[BTC]["bid"]) == 60000.09 and isinstance(told[BTC]["bid"], str)


async def test_markets_come_from_the_file_once_they_are_in_it(
    exchange: LocalExchange, client: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "new" / "markets.json"
    await load_markets(client, [BTC], cache)
    assert list(client.markets) == [BTC] and client.market(BTC)["id"] == "BTCUSDT"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    await load_markets(client, [BTC, ETH], cache)
    assert set(json.loads(cache.read_text())) == {BTC, ETH}
    asked = len(exchange.truth().requests)
    known = dict(client.market(BTC))
    await load_markets(client, [BTC], cache)
    assert len(exchange.truth().requests) == asked and client.market(BTC) == known
    await load_markets(client, [BTC], cache, refresh=True)
    assert len(exchange.truth().requests) > asked


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"BTC/USDT": 1}', "\x00"])
async def test_file_that_cannot_be_read_is_made_anew(client: Any, tmp_path: Path, text: str) -> None:
    cache = tmp_path / "markets.json"
    cache.write_text(text)
    await load_markets(client, [BTC], cache)
    assert BTC in json.loads(cache.read_text())


async def test_folder_that_cannot_be_written_costs_only_the_quick_start(client: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await load_markets(client, [BTC], tmp_path / "file" / "markets.json")
    assert list(client.markets) == [BTC]


async def test_symbol_that_is_not_there_is_refused(client: Any) -> None:
    with pytest.raises(InputError, match=r"engine\.symbols: binanceus has no spot market 'BTC/USDX'"):
        await load_markets(client, ["BTC/USDX"])


async def test_wait_that_the_exchange_asks_for_is_read_from_its_header_or_its_words(
    exchange: LocalExchange, client: Any
) -> None:
    errors = ccxt_errors()
    exchange.fault(status=429, code=-1003, headers={"Retry-After": "7"})
    with pytest.raises((errors.RateLimitExceeded, errors.DDoSProtection)):
        await client.fetch_time()
    assert retry_after_ms(client, now_ms=0) == 7_000
    banned = '{"code": -1003, "msg": "Way too much request weight used; IP banned until 1700000009000."}'
    exchange.fault(status=418, body=banned)
    with pytest.raises(errors.DDoSProtection):
        await client.fetch_time()
    assert retry_after_ms(client, now_ms=1_700_000_000_000) == 9_000
    await client.fetch_time()
    assert retry_after_ms(client, now_ms=1_700_000_000_000) == 0
