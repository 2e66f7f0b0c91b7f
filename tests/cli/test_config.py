"""Where settings come from: file, environment, .env, changes at run time, --set; and what is refused."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cli.config import LoadedSettings, load_settings
from trading.errors import SettingsError
from trading.settings import Settings, parse_settings
from trading.settings_file import settings_file

MY_STRATEGIES = """
[[strategies]]
name = "my-cross"
type = "sma_cross"
params = { fast = 5, slow = 10 }
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "autotrader.toml", mode: int = 0o644) -> Path:
    file = Path(name)
    file.write_text(text)
    file.chmod(mode)
    return file


def load(
    *overrides: str, changes: dict[str, str] | None = None, environment: dict[str, str] | None = None
) -> LoadedSettings:
    return load_settings(None, overrides, changes, environment or {})


def refusal(*overrides: str, **options: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(*overrides, **options)
    said = str(caught.value)
    assert "\n" not in said
    return said


def source_of(loaded: LoadedSettings, key: str) -> str:
    return next(source for name, _, source in loaded.listed() if name == key)


def test_settings_without_anything_are_the_defaults() -> None:
    loaded = load()
    assert loaded.settings == Settings() and loaded.file is None
    assert {source for _, _, source in loaded.listed()} == {"default"}


def test_each_source_wins_over_those_before_it() -> None:
    key, name = "risk.stop_loss_percent", "AUTOTRADER__RISK__STOP_LOSS_PERCENT"
    seen = []

    def see(loaded: LoadedSettings) -> None:
        seen.append((loaded.settings.risk.stop_loss_percent, source_of(loaded, key)))

    see(load())
    write("[risk]\nstop_loss_percent = 1.5\n")
    see(load())
    write(f"{name}=2.5\n", ".env")
    see(load())
    see(load(environment={name: "3.5"}))
    see(load(environment={name: "3.5"}, changes={key: "4.5"}))
    see(load(f"{key}=6.5", environment={name: "3.5"}, changes={key: "4.5"}))
    assert seen == [
        (Decimal(5), "default"),
        (Decimal("1.5"), "file"),
        (Decimal("2.5"), "environment"),
        (Decimal("3.5"), "environment"),
        (Decimal("4.5"), "run time"),
        (Decimal("6.5"), "--set"),
    ]


def test_values_of_a_file_keep_every_decimal() -> None:
    write("[costs]\nfee_percent = 0.100001\n")
    assert load().settings.costs.fee_percent == Decimal("0.100001")


def test_strategies_are_changed_by_name() -> None:
    write(MY_STRATEGIES)
    environment = {"AUTOTRADER__MY_CROSS__SLOW": "33", "AUTOTRADER__MY_CROSS__EVERY_CANDLES": "2"}
    loaded = load(
        "my-cross.fast=7", "my-cross.weight=0.25", "my-cross.enabled=false", environment=environment
    )
    strategy = loaded.settings.strategies[0]
    assert strategy.params == {"fast": 7, "slow": 33}
    assert (strategy.weight, strategy.enabled, strategy.every_candles) == (Decimal("0.25"), False, 2)
    assert source_of(loaded, "my-cross.fast") == "--set"
    assert source_of(loaded, "my-cross.slow") == "environment"
    assert source_of(loaded, "my-cross.type") == "file"
    assert source_of(loaded, "my-cross.valid_candles") == "default"


def test_default_strategies_are_changed_by_name_too() -> None:
    first = load("cross.fast=10", "strategies.cross.slow=20").settings.strategies[0]
    assert first.params == {"fast": 10, "slow": 20}


def test_lists_and_tables_come_from_the_environment_as_json() -> None:
    environment = {
        "AUTOTRADER__ENGINE__SYMBOLS": '["BTC/USDT", "ETH/USDT"]',
        "AUTOTRADER__EXCHANGE__OPTIONS": '{"urls": {"api": "http://localhost"}}',
        "AUTOTRADER__STRATEGIES": '[{"name": "only", "type": "technical"}]',
        "AUTOTRADER__ONLY__WEIGHT": "2",
        "AUTOTRADER__MARKET__BTC_USDT__TICK": "0.5",
    }
    settings = load(environment=environment).settings
    assert settings.engine.symbols == ("BTC/USDT", "ETH/USDT")
    assert settings.exchange.options == {"urls": {"api": "http://localhost"}}
    assert [(each.name, each.weight) for each in settings.strategies] == [("only", Decimal(2))]
    assert settings.market["BTC/USDT"].tick == Decimal("0.5")


def test_list_separated_by_commas_is_a_list_too() -> None:
    assert load("engine.symbols=BTC/USDT, ETH/USDT").settings.engine.symbols == ("BTC/USDT", "ETH/USDT")


def test_other_variables_are_not_settings() -> None:
    assert load(environment={"AUTOTRADER_TEST_DATA": "x", "HOME": "y"}).settings == Settings()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("risk.stop_los=1", "risk.stop_los: unknown setting; did you mean 'stop_loss_percent'? (in --set)"),
        ("crss.fast=1", "crss.fast: there is no section or strategy 'crss'; did you mean 'cross'?"),
        ("cross=1", "cross: a strategy needs a parameter after its name, such as 'cross.weight'"),
        ("risk.stop_loss_percent", "--set: 'risk.stop_loss_percent' is not KEY=VALUE"),
        ("=3", "--set: '=3' is not KEY=VALUE"),
        ("risk.stop_loss_percent=", "risk.stop_loss_percent: '' is not a number"),
        ("risk.stop_loss_percent=NaN", "risk.stop_loss_percent: 'NaN' is not a number"),
        ("risk.stop_loss_percent=1e999999999999", "risk.stop_loss_percent: "),
        ("risk.stop_loss_percent=" + "9" * 5000, "risk.stop_loss_percent: "),
        ("risk.stop_loss_percent.x=1", "risk.stop_loss_percent: {'x': 1} is not a number"),
        ("cross.enabled=no", "strategies.cross.enabled: 'no' is not true or false"),
        ("exchange.api_key=abc", "exchange.api_key: a secret comes only from AUTOTRADER__EXCHANGE__API_KEY"),
        ('exchange={"api_secret": "abc"}', "exchange.api_secret: a secret comes only from"),
        ("strategies=5", "strategies: 5 is not a list"),
    ],
)
def test_override_with_a_fault_is_refused(override: str, said: str) -> None:
    assert said in refusal(override)


def test_variable_that_is_unknown_is_refused_with_a_suggestion() -> None:
    said = refusal(environment={"AUTOTRADER__RISK__STOP_LOS_PERCENT": "3"})
    assert (
        said
        == "risk.stop_los_percent: unknown setting; did you mean 'stop_loss_percent'? (in the environment)"
    )


def test_change_at_run_time_that_fits_no_more_is_refused_by_its_source() -> None:
    said = refusal(changes={"gone.fast": "3"})
    assert said.startswith("gone.fast: there is no section or strategy 'gone'")
    assert said.endswith("(in the changes at run time)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (bytes(range(256)), "is not a text file in UTF-8"),
        (b"[risk]\0", "is not a text file in UTF-8"),
        (b"#" * (1 << 20) + b"\n", "is larger than 1 MiB"),
        (b"[risk\n", "is not TOML: "),
        (b"[risk]\nstop_loss_percent = " + b"9" * 5000, "is not TOML: "),
        (b"[risk]\nstop_loss_percent = 1e99999999999999999999", "is not TOML: "),
        (b"a = " + b"[" * 5000, "is not TOML: "),
        (b"[risk]\nstop_los_percent = 3", "risk.stop_los_percent: unknown setting"),
        (b"[risk]\nstop_loss_percent = nan", "risk.stop_loss_percent: NaN is not a number"),
        (b"[exchange]\napi_key = 'abc'", "exchange.api_key: a secret comes only from"),
        (b"exchange = 5", "exchange: 5 is not a table"),
    ],
)
def test_file_with_a_fault_is_refused(content: bytes, said: str) -> None:
    Path("autotrader.toml").write_bytes(content)
    refused = refusal()
    assert said in refused and "autotrader.toml" in refused and "abc" not in refused


def test_file_that_was_named_must_exist() -> None:
    with pytest.raises(SettingsError, match=r"--config: nothing\.toml does not exist"):
        load_settings(Path("nothing.toml"))


def test_secrets_from_a_private_dotenv_are_taken() -> None:
    write(
        "AUTOTRADER__EXCHANGE__API_KEY=key\nAUTOTRADER__EXCHANGE__API_SECRET='hunter2'\nOTHER=1\n",
        ".env",
        0o600,
    )
    loaded = load()
    key, secret = loaded.settings.exchange.api_key, loaded.settings.exchange.api_secret
    assert key is not None and key.get_secret_value() == "key"
    assert secret is not None and secret.get_secret_value() == "hunter2"
    assert source_of(loaded, "exchange.api_key") == "environment"
    assert "hunter2" not in repr(loaded)


@pytest.mark.parametrize(
    "line",
    ["AUTOTRADER__EXCHANGE__API_KEY=key", "AUTOTRADER__DATABASE__URL=postgresql://me:hunter2@host/db"],
)
def test_secrets_in_a_dotenv_that_others_may_read_are_refused(line: str) -> None:
    write(line + "\n", ".env")
    said = refusal()
    assert "holds secrets" in said and "chmod 600" in said and "hunter2" not in said


def test_dotenv_without_secrets_may_be_read_by_others() -> None:
    write("AUTOTRADER__RISK__STOP_LOSS_PERCENT=3\nAUTOTRADER__EXCHANGE__API_KEY=\n", ".env")
    loaded = load()
    assert loaded.settings.risk.stop_loss_percent == 3
    assert loaded.settings.exchange.api_key is None


def test_dotenv_stands_beside_the_file_that_was_named(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    write("[risk]\nstop_loss_percent = 1\n", "there/mine.toml")
    write("AUTOTRADER__RISK__STOP_LOSS_PERCENT=2\n", "there/.env")
    assert load_settings(folder / "mine.toml", environment={}).settings.risk.stop_loss_percent == 2


@pytest.mark.parametrize(("mode", "allowed"), [(0o644, False), (0o600, True)])
def test_password_in_a_file_needs_a_private_file(mode: int, allowed: bool) -> None:
    write('[database]\nurl = "postgresql://me:hunter2@host/db"\n', mode=mode)
    if allowed:
        assert load().settings.database.url.endswith("@host/db")
    else:
        said = refusal()
        assert "database.url" in said and "hunter2" not in said


def test_strategy_file_is_found_beside_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file = write(
        '[[strategies]]\nname = "mine"\ntype = "custom"\npath = "mine.py"\n', "there/autotrader.toml"
    )
    assert load_settings(file, environment={}).settings.strategies[0].path == "there/mine.py"


def test_template_read_back_gives_the_same_settings() -> None:
    write(settings_file(Settings()))
    assert load().settings == Settings()


def test_template_of_other_settings_reads_back_too() -> None:
    other = parse_settings(
        {
            "engine": {"symbols": ["BTC/USDT", "ETH/USDT"], "initial_capital_quote": Decimal("1234.56")},
            "exchange": {"options": {"urls": {"api": 'http://"x"'}, "fast": True, "depth": 5}},
            "market": {"BTC/USDT": {"tick": Decimal("0.00000001")}},
            "risk": {"stale_after_seconds": 30},
            "strategies": [
                {"name": "a", "type": "sma_cross", "valid_candles": 3, "params": {"fast": 5}},
                {"name": "b", "type": "custom", "path": "/somewhere/b.py", "weight": Decimal("0.5")},
            ],
        }
    )
    write(settings_file(other))
    assert load().settings == other


def test_listed_keys_are_those_that_set_takes() -> None:
    write(MY_STRATEGIES + '[market."BTC/USDT"]\ntick = 0.5\n')
    for key, value, _ in load().listed():
        if isinstance(value, Decimal):
            assert load(f"{key}={value}").settings == load().settings
            assert source_of(load(f"{key}={value}"), key) == "--set"
            assert source_of(load(changes={key: json.dumps(float(value))}), key) == "run time"
