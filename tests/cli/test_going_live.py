"""Trading with money: what it takes, what is refused, and that no key shows anywhere."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.persistence.runs import Mode, Run
from cli.config import load_settings
from cli.exchange_plans import paper_exchange_plan, stored_run
from cli.going_live import KEYS
from cli.live_plan import live_plan
from cli.run import engine_settings
from cli.run_plans import Planned, with_control
from tests.support.engine import Commands
from tests.support.exchange import API_KEY, API_SECRET, ExchangeProcess
from tests.support.live_settings import exchange_settings, write_keys, write_settings
from trading.client_ids import client_id
from trading.errors import InputError, OperationError, StorageError
from trading.settings import Settings

FOREIGN = client_id("0123abcd", "another")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path_factory.mktemp("exchange")) as process:
        yield process


@pytest.fixture
def exchange(process: ExchangeProcess) -> Iterator[ExchangeProcess]:
    process.call("set", can_withdraw=False, ip_restricted=True, tells_rights=True)
    yield process
    process.call("clear")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in KEYS.values():
        monkeypatch.setenv(variable, "restored after the test")
        monkeypatch.delenv(variable)
    return tmp_path


@pytest.fixture
def autotrader(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture
def live(folder: Path, exchange: ExchangeProcess) -> Settings:
    return exchange_settings(folder, exchange, "live")


def begun(settings: Settings) -> Run | None:
    return stored_run(settings, Mode.LIVE)


def planned(settings: Settings) -> Planned:
    return live_plan(settings, None, yes_live=True)


# What it takes.


@pytest.mark.parametrize(
    ("mode", "arguments"), [("live", []), ("paper", ["--live"]), ("paper", ["--live", "--yes-live"])]
)
def test_run_with_half_of_what_money_takes_is_refused_and_names_both(
    autotrader: Commands, folder: Path, mode: str, arguments: list[str]
) -> None:
    write_settings(folder, {}, mode)
    said = autotrader("run", *arguments)
    assert said.code == 2 and 'engine.mode = "live"' in said.err and "--live" in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--live"], "there is no terminal to confirm at; --yes-live"),
        (["--live", "--yes-live", "--set", "feed.source=simulated"], "feed.source: it is 'simulated'"),
        (["--live", "--replay", "BTC/USDT=btc.parquet"], "--live: stored candles are replayed without money"),
    ],
)
def test_run_live_where_it_cannot_be_is_refused(
    autotrader: Commands, folder: Path, arguments: list[str], sentence: str
) -> None:
    write_settings(folder, {}, "live")
    write_keys(folder)
    said = autotrader("run", *arguments)
    assert said.code == 2 and sentence in said.err


def test_run_yes_live_without_live_is_refused(autotrader: Commands, folder: Path) -> None:
    write_settings(folder, {})
    said = autotrader("run", "--yes-live")
    assert said.code == 2 and "--yes-live without --live" in said.err


def test_run_live_without_keys_names_the_variable(autotrader: Commands, folder: Path) -> None:
    write_settings(folder, {}, "live")
    said = autotrader("run", "--live", "--yes-live")
    assert said.code == 2 and "AUTOTRADER__EXCHANGE__API_KEY in the environment" in said.err


def test_run_live_with_keys_that_others_can_read_is_refused_without_showing_them(
    autotrader: Commands, folder: Path
) -> None:
    write_settings(folder, {}, "live")
    write_keys(folder, mode=0o644)
    said = autotrader("run", "--live", "--yes-live")
    assert said.code == 2 and "chmod 600" in said.err
    assert API_KEY not in said.err and API_SECRET not in said.err


def test_keys_reach_the_processes_of_a_live_engine_alone(folder: Path) -> None:
    write_settings(folder, {}, "live")
    write_keys(folder)
    engine_settings(None, [], live=True, yes_live=True)
    assert [os.environ.get(variable) for variable in KEYS.values()] == [API_KEY, API_SECRET]
    engine_settings(None, ["engine.mode=paper"], live=False, yes_live=False)
    assert [os.environ.get(variable) for variable in KEYS.values()] == [None, None]


# What is begun.


def test_live_plan_trades_on_the_exchange_in_a_database_of_its_own(folder: Path, live: Settings) -> None:
    made = planned(live)
    spec = made.plan.exchange
    assert spec is not None and made.plan.rules.on_exchange and made.run.mode is Mode.LIVE
    assert (spec.run_id, spec.engine_id, spec.symbols) == (
        made.run.id,
        made.run.engine_id,
        ("BTC/USDT", "ETH/USDT"),
    )
    assert made.title == "LIVE money on binanceus: BTC/USDT, ETH/USDT"
    assert made.plan.database_url == spec.database_url == f"sqlite:///{folder / 'autotrader-live.db'}"
    assert not (folder / "autotrader.db").exists()


def test_live_plan_holds_no_key_and_shows_none(
    folder: Path, live: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_settings(folder / "autotrader.toml")
    made = with_control(planned(live), loaded, {})
    printed = capsys.readouterr()
    stored = (folder / "autotrader-live.db").read_bytes()
    for secret in (API_KEY, API_SECRET):
        assert secret not in repr(made) + printed.out + printed.err and secret.encode() not in stored


def test_live_plan_shows_what_is_agreed_to(live: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    planned(live)
    said = capsys.readouterr().err
    for text in (
        "exchange       binanceus at the addresses in exchange.options",
        "it holds 10,000 USDT",
        "BTC/USDT, ETH/USDT, candles of 1m",
        "5,000 USDT; all else on the account is left alone",
        "each position  5 %, 250.00 USDT",
        "stop           5 % under the entry",
        "trailing stop  off",
        "kill switch    50 %, 2,500.00 USDT lost",
        "autotrader-live.db: a new run begins",
    ):
        assert text in said
    assert "WARNING" not in said


def test_live_plan_again_goes_on_and_keeps_its_engine_id(live: Settings) -> None:
    first, again = planned(live), planned(live)
    assert again.run == first.run and again.run.engine_id == first.run.engine_id


def test_live_plan_again_while_the_exchange_is_away_warns_and_goes_on(
    live: Settings, exchange: ExchangeProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    first = planned(live)
    exchange.call("fault", status=503, count=-1)
    assert planned(live).run == first.run
    assert "WARNING: nothing could be checked" in capsys.readouterr().err


# What is refused.


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"can_withdraw": True}, "THIS KEY CAN WITHDRAW"),
        ({"ip_restricted": False}, "this key works from any address"),
        ({"tells_rights": False}, "the exchange does not say what this key may do"),
    ],
)
def test_live_plan_with_a_doubtful_key_warns(
    live: Settings,
    exchange: ExchangeProcess,
    capsys: pytest.CaptureFixture[str],
    state: dict[str, bool],
    sentence: str,
) -> None:
    exchange.call("set", **state)
    planned(live)
    assert f"WARNING: {sentence}" in capsys.readouterr().err


def test_live_plan_with_a_key_that_may_not_trade_is_refused(
    live: Settings, exchange: ExchangeProcess
) -> None:
    exchange.call("set", can_trade=False)
    with pytest.raises(InputError, match="this key may not trade"):
        planned(live)
    assert begun(live) is None


def test_live_plan_with_a_wrong_key_fails_without_showing_it(
    folder: Path, live: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write_keys(folder, key="planted-key", secret="planted-secret")
    settings = load_settings(folder / "autotrader.toml").settings
    with pytest.raises(OperationError) as failed:
        planned(settings)
    said = str(failed.value) + capsys.readouterr().err
    assert "-2015" in said or "-2014" in said or "-2008" in said
    assert "planted" not in said and "signature=" not in said
    assert begun(live) is None


def test_first_live_plan_with_too_little_money_is_refused_with_both_numbers(
    live: Settings, exchange: ExchangeProcess
) -> None:
    exchange.call("transfer", "USDT", "-6000.5")
    try:
        with pytest.raises(InputError, match=r"5,000 USDT are wanted, but the account has 3,999\.5 USDT"):
            planned(live)
    finally:
        exchange.call("transfer", "USDT", "6000.5")
    assert begun(live) is None


def test_first_live_plan_leaves_what_open_buys_hold(live: Settings, exchange: ExchangeProcess) -> None:
    buy = exchange.call(
        "order_by_hand", "BTC/USDT", "BUY", "LIMIT", "0.2", price="50000", newClientOrderId="h"
    )
    assert buy is not None
    try:
        with pytest.raises(InputError, match=r"but the account has 0 USDT free"):
            planned(live)
    finally:
        exchange.call("cancel_by_hand", "h")


def test_live_plan_beside_another_engines_orders_is_refused(
    live: Settings, exchange: ExchangeProcess
) -> None:
    exchange.call("order_by_hand", "ETH/USDT", "BUY", "LIMIT", "0.1", price="2000", newClientOrderId=FOREIGN)
    try:
        with pytest.raises(InputError, match="another engine has orders open on this account"):
            planned(live)
    finally:
        exchange.call("cancel_by_hand", FOREIGN)


def test_live_plan_beside_its_own_orders_goes_on(live: Settings, exchange: ExchangeProcess) -> None:
    own = client_id(planned(live).run.engine_id, "an order")
    exchange.call("order_by_hand", "ETH/USDT", "BUY", "LIMIT", "0.1", price="2000", newClientOrderId=own)
    try:
        assert planned(live).run.id == 1
    finally:
        exchange.call("cancel_by_hand", own)


# The typed word.


@pytest.mark.parametrize("typed", ["live", "yes", ""])
def test_any_other_word_begins_nothing(live: Settings, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    with pytest.raises(InputError, match="is not LIVE: nothing was started"):
        live_plan(live, None, yes_live=False)
    assert begun(live) is None


def test_the_word_begins_a_run_and_is_asked_for_again(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("LIVE\nno\n"))
    assert live_plan(live, None, yes_live=False).run.mode is Mode.LIVE
    with pytest.raises(InputError, match="is not LIVE"):
        live_plan(live, None, yes_live=False)


# Paper and money apart.


@pytest.mark.parametrize("paper_first", [True, False])
def test_one_database_holds_paper_or_money(
    folder: Path, exchange: ExchangeProcess, live: Settings, paper_first: bool
) -> None:
    shared = {"database": {"url": f"sqlite:///{folder / 'shared.db'}"}}
    money = Settings.model_validate({**live.model_dump(), **shared})
    paper = Settings.model_validate(
        {**money.model_dump(), "engine": {**money.engine.model_dump(), "mode": "paper"}}
    )
    plans: list[Callable[[], Planned]] = [lambda: paper_exchange_plan(paper, None), lambda: planned(money)]
    first, second = plans if paper_first else reversed(plans)
    first()
    with pytest.raises(StorageError, match=r"engine\.mode: the account in this database has"):
        second()


def test_paper_reset_never_touches_a_live_run(autotrader: Commands, live: Settings) -> None:
    planned(live)
    said = autotrader("paper", "reset", "--yes")
    assert said.code == 2 and "is live, not paper" in said.err
    assert begun(live) is not None


def test_live_account_that_differs_is_not_sent_to_paper_reset(live: Settings) -> None:
    planned(live)
    engine = live.engine.model_copy(update={"timeframe": "5m"})
    with pytest.raises(StorageError, match="trades with money") as refused:
        planned(live.model_copy(update={"engine": engine}))
    assert "paper reset" not in str(refused.value)


def test_config_set_of_the_mode_is_refused(autotrader: Commands, folder: Path) -> None:
    write_settings(folder, {})
    said = autotrader("config", "set", "engine.mode", "live")
    assert said.code == 2 and "paper and live store changes in a database each" in said.err


def test_config_set_holds_for_the_next_live_start(autotrader: Commands, live: Settings) -> None:
    planned(live)
    assert autotrader("config", "set", "risk.stop_loss_percent", "3").code == 0
    settings = engine_settings(None, [], live=True, yes_live=True).settings
    assert planned(settings).plan.rules.limits.stop_loss_percent == 3_000_000


# The doctor.


def test_doctor_tells_of_exchange_clock_and_key_and_shows_none(autotrader: Commands, live: Settings) -> None:
    said = autotrader("doctor", "--json")
    found = {each["check"]: (each["ok"], each["found"]) for each in said.json["checks"]}
    assert found["exchange"] == (True, "binanceus answers and has BTC/USDT, ETH/USDT")
    assert found["exchange clock"][0] and found["exchange clock"][1].startswith("0.")
    assert found["exchange key"] == (True, "may trade: yes; may withdraw: no; bound to addresses: yes")
    assert API_KEY not in said.out + said.err and API_SECRET not in said.out + said.err


@pytest.mark.parametrize("state", [{"can_trade": False}, {"can_withdraw": True}])
def test_doctor_of_a_key_that_is_not_right_fails(
    autotrader: Commands, live: Settings, exchange: ExchangeProcess, state: dict[str, bool]
) -> None:
    exchange.call("set", **state)
    said = autotrader("doctor", "--json")
    checks = {each["check"]: each["ok"] for each in said.json["checks"]}
    assert said.code == 1 and not checks["exchange key"] and checks["exchange"]


def test_doctor_without_keys_asks_for_nothing_that_needs_them(
    autotrader: Commands, folder: Path, exchange: ExchangeProcess
) -> None:
    write_settings(folder, exchange.ccxt_options())
    said = autotrader("doctor", "--json")
    checks = [each["check"] for each in said.json["checks"]]
    assert "exchange clock" in checks and "exchange key" not in checks
