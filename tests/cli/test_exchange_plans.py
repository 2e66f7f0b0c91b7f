"""Paper money on an exchange's live prices: what `run` starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.market_data.exchange.spec import ExchangeFeed
from actors.persistence.runs import Mode
from cli.exchange_plans import LEAST_HISTORY_CANDLES, open_time_at, paper_exchange_plan
from cli.run_plans import Planned, paper_plan
from tests.support.exchange import ExchangeProcess
from tests.support.live_settings import exchange_settings
from trading.errors import InputError, OperationError, StorageError
from trading.settings import Settings, parse_settings

MINUTE_MS = 60_000
SILENT = {"urls": {"api": {"public": "http://127.0.0.1:1/api/v3", "private": "http://127.0.0.1:1/api/v3"}}}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path_factory.mktemp("exchange")) as process:
        yield process


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: ExchangeProcess) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path
    exchange.call("clear")


def planned(settings: Settings) -> Planned:
    return paper_exchange_plan(settings, None)


def changed(settings: Settings, section: str, **values: object) -> Settings:
    tree = settings.model_dump()
    tree[section].update(values)
    return parse_settings(tree)


def test_paper_plan_on_an_exchange_has_its_filters_and_its_time(
    folder: Path, exchange: ExchangeProcess
) -> None:
    exchange.call("set_market", "BTC/USDT", tick="0.5", lot="0.001", min_notional="25")
    made = planned(exchange_settings(folder, exchange))
    now_ms = exchange.truth().now_ms
    btc = made.plan.rules.markets[0]
    assert f"{btc.price(btc.price_step):.2f} {btc.amount(btc.amount_step):.4f}" == "0.50 0.0010"
    assert btc.min_notional == 25 * 10**made.plan.rules.quote_decimals
    assert made.run.first_open_ms in (
        open_time_at(now_ms, MINUTE_MS),
        open_time_at(now_ms - 5_000, MINUTE_MS),
    )
    assert made.plan.anchor_ms == made.run.first_open_ms - LEAST_HISTORY_CANDLES * MINUTE_MS
    exchange.call("set_market", "BTC/USDT", tick="0.01", lot="0.00001", min_notional="10")


def test_paper_plan_on_an_exchange_sends_no_orders_and_says_what_it_is(
    folder: Path, exchange: ExchangeProcess
) -> None:
    made = planned(exchange_settings(folder, exchange))
    assert made.run.mode is Mode.PAPER and made.plan.exchange is None
    assert made.plan.rules.live is not None and not made.plan.rules.on_exchange
    assert made.title == "PAPER money, live prices of binanceus: BTC/USDT, ETH/USDT"
    feed = made.plan.feed
    assert isinstance(feed, ExchangeFeed)
    assert (feed.symbols, feed.run_id, feed.anchor_ms) == (
        ["BTC/USDT", "ETH/USDT"],
        made.run.id,
        made.plan.anchor_ms,
    )


def test_paper_plan_again_goes_on_as_it_began_whatever_the_exchange_says(
    folder: Path, exchange: ExchangeProcess
) -> None:
    settings = exchange_settings(folder, exchange)
    first = planned(settings)
    away = changed(settings, "exchange", options=SILENT)
    again = planned(away)
    assert (again.run, again.plan.rules) == (first.run, first.plan.rules)


def test_paper_plan_gives_the_longest_warm_up(folder: Path, exchange: ExchangeProcess) -> None:
    settings = exchange_settings(folder, exchange)
    slow = {"name": "slow", "type": "sma_cross", "params": {"fast": 20, "slow": 900}}
    made = planned(parse_settings({**settings.model_dump(), "strategies": [slow]}))
    assert made.run.first_open_ms - made.plan.anchor_ms >= 900 * MINUTE_MS


@pytest.mark.parametrize(
    ("section", "values", "sentence"),
    [
        ("engine", {"symbols": ["BTC/USDT", "ETC/USDT"]}, "engine.symbols: binanceus has no spot market"),
        ("engine", {"timeframe": "7m"}, "engine.timeframe: binanceus has no candles of '7m'"),
        ("exchange", {"id": "binanceuz"}, "exchange.id: there is no 'binanceuz'"),
    ],
)
def test_plan_of_what_the_exchange_does_not_have_is_refused_and_nothing_begins(
    folder: Path, exchange: ExchangeProcess, section: str, values: dict[str, object], sentence: str
) -> None:
    settings = changed(exchange_settings(folder, exchange), section, **values)
    with pytest.raises(InputError) as refused:
        planned(settings)
    assert sentence in str(refused.value)
    assert not (folder / "autotrader.db").exists()


def test_plan_of_a_halted_symbol_is_refused(folder: Path, exchange: ExchangeProcess) -> None:
    exchange.call("set", halted=["ETH/USDT"])
    with pytest.raises(InputError, match="takes no orders for ETH/USDT"):
        planned(exchange_settings(folder, exchange))


def test_first_plan_while_the_exchange_is_away_fails_with_one_sentence(
    folder: Path, exchange: ExchangeProcess
) -> None:
    settings = changed(exchange_settings(folder, exchange), "exchange", options=SILENT)
    with pytest.raises(OperationError, match="binanceus"):
        planned(settings)
    assert not (folder / "autotrader.db").exists()


def test_first_plan_survives_a_fault_of_the_exchange(folder: Path, exchange: ExchangeProcess) -> None:
    exchange.call("fault", path="/exchangeInfo", status=503)
    assert planned(exchange_settings(folder, exchange)).run.id == 1


@pytest.mark.parametrize("simulated_first", [True, False])
def test_account_on_other_candles_is_refused_with_what_to_run(
    folder: Path, exchange: ExchangeProcess, simulated_first: bool
) -> None:
    settings = exchange_settings(folder, exchange)
    plans: list[Callable[[], Planned]] = [lambda: paper_plan(settings, None), lambda: planned(settings)]
    first, second = plans if simulated_first else reversed(plans)
    first()
    with pytest.raises(StorageError, match=r"feed: .*autotrader paper reset"):
        second()


def test_account_with_other_symbols_is_refused_before_the_exchange_is_asked(
    folder: Path, exchange: ExchangeProcess
) -> None:
    settings = exchange_settings(folder, exchange)
    planned(settings)
    asked = len(exchange.truth().requests)
    with pytest.raises(StorageError, match=r"engine\.symbols: .* BTC/USDT, ETH/USDT"):
        planned(changed(settings, "engine", symbols=["ETH/USDT"]))
    assert len(exchange.truth().requests) == asked
