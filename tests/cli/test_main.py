"""The command line from outside: exit codes, one sentence on stderr, and nothing written on bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from cli.main import COMMANDS, run
from tests.data import ROOT
from tests.support.engine import Commands
from tests.trading.candle_tables import candles, changed, parquet
from trading.history import load_history


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AUTOTRADER__")]:
        monkeypatch.delenv(name)


@pytest.fixture
def autotrader(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def in_a_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def files_here() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dta",), "there is no command 'dta'; did you mean 'data'?"),
        (("data",), "Missing command"),
        (("data", "vrify"), "No such command 'vrify'. Did you mean 'verify'?"),
        (("data", "verify"), "Missing argument"),
        (("data", "verify", "--loud", "x"), "No such option: --loud"),
        (
            ("data", "verify", "nothing.parquet"),
            "nothing.parquet: cannot be read (No such file or directory)",
        ),
        (("data", "sample", "out.parquet", "--candles", "many"), "--candles"),
        (("data", "sample", "out.parquet", "--candles", "1"), "--candles"),
        (("data", "sample", "out.parquet", "--timeframe", "1x"), "timeframe: '1x' is not"),
        (("data", "sample", "out.parquet", "--symbol", "btc"), "symbol: 'btc' is not BASE/QUOTE"),
        (
            ("data", "sample", "out.csv"),
            "out.csv: the name of a file of candles to write must end in .parquet",
        ),
        (("data", "sample", "no/out.parquet"), "no is not a folder"),
        (("data", "import", "nothing.csv", "out.parquet"), "nothing.csv: cannot be read"),
        (("data", "list", "nowhere"), "nowhere is not a folder"),
        (("config", "show", "--config", "nothing.toml"), "--config: nothing.toml does not exist"),
        (("--config", "nothing.toml", "strategies"), "--config: nothing.toml does not exist"),
        (("-v",), "a command is missing after -v"),
        (("config", "set", "risk.stop_los", "3"), "risk.stop_los: unknown setting; did you mean"),
        (("config", "set", "cross.fast", "60"), "strategies.cross: parameter 'fast'"),
        (
            ("config", "set", "database.url", "sqlite:///x.db"),
            "database.url: changes are stored in this database",
        ),
        (("config", "set", "exchange.api_key", "abc"), "exchange.api_key: a secret comes only from"),
        (("config", "reset", "risk.stop_loss_percent"), "risk.stop_loss_percent: is not changed at run time"),
        (("paper", "reset"), "there is no database"),
        (("db", "check"), "there is no database"),
    ],
)
def test_bad_input_ends_with_two_one_sentence_and_nothing_written(
    arguments: tuple[str, ...], said: str, autotrader: Commands
) -> None:
    done = autotrader(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert said in done.err
    assert files_here() == set()


def test_bad_input_ends_a_process_with_two_and_one_sentence() -> None:
    done = in_a_process("data", "verify", "nothing.parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nothing.parquet: cannot be read (No such file or directory)\n"


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ('type = "sma_cros"', "there is no strategy 'sma_cros'; did you mean 'sma_cross'?"),
        ('type = "sma_cross"\nparams = { fast = 50, slow = 20 }', "parameter 'fast'"),
        ('type = "custom"\npath = "broken.py"', "broken.py"),
        ('type = "custom"\npath = "missing.py"', "missing.py"),
    ],
)
def test_strategy_with_a_fault_ends_with_two(strategy: str, said: str, autotrader: Commands) -> None:
    Path("broken.py").write_text("raise RuntimeError('not today')\n")
    Path("autotrader.toml").write_text(f'[[strategies]]\nname = "mine"\n{strategy}\n')
    done = autotrader("strategies")
    assert done.code == 2
    assert done.err.startswith("error: strategies.mine: ") and done.err.count("\n") == 1
    assert said in done.err


def test_help_loads_nothing_heavy_and_lists_every_command() -> None:
    probe = (
        "import sys; from cli.main import run; code = run(['--help']);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"ray", "ccxt", "pandas", "polars", "pydantic", "sqlalchemy", "numpy", "typer", "rich"}
    assert not heavy & set(done.stderr.split())
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: autotrader {name} ")


def test_failure_that_nobody_expected_shows_a_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr("cli.doctor._python", broken)
    assert run(["doctor"]) == 1
    quiet = capsys.readouterr().err
    assert quiet.startswith("error: unexpected ZeroDivisionError") and quiet.count("\n") == 1
    assert run(["doctor", "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupted_command_ends_with_130() -> None:
    Path("slow.py").write_text("import time\nopen('started', 'w').close()\ntime.sleep(60)\n")
    Path("autotrader.toml").write_text('[[strategies]]\nname = "mine"\ntype = "custom"\npath = "slow.py"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "strategies"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not Path("started").exists():
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == ""


def test_init_writes_the_defaults_and_refuses_to_overwrite(autotrader: Commands) -> None:
    assert autotrader("init", "desk").code == 0
    assert {"desk/autotrader.toml", "desk/.env.example"} <= files_here()
    shown = autotrader("config", "show", "--json", "--config", "desk/autotrader.toml").json
    assert shown["risk.stop_loss_percent"] == {"value": 5, "source": "file"}
    again = autotrader("init", "desk", "--yes")
    assert again.code == 2 and "exists already" in again.err


def test_config_show_hides_secrets(autotrader: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOTRADER__EXCHANGE__API_KEY", "very-secret")
    monkeypatch.setenv("AUTOTRADER__DATABASE__URL", "sqlite:///x.db?password=hunter2")
    done = autotrader("config", "show", "--json")
    assert done.code == 0, done.err
    assert "very-secret" not in done.out and "hunter2" not in done.out
    assert done.json["exchange.api_key"] == {"value": "(hidden)", "source": "environment"}


def test_config_changed_at_run_time_wins_until_it_is_reset(autotrader: Commands) -> None:
    Path("autotrader.toml").write_text("[risk]\nstop_loss_percent = 2\n")

    def shown() -> object:
        return autotrader("config", "show", "--json").json["risk.stop_loss_percent"]

    assert shown() == {"value": 2, "source": "file"}
    assert autotrader("config", "set", "risk.stop_loss_percent", "3.25").code == 0
    assert shown() == {"value": 3.25, "source": "run time"}
    assert autotrader("config", "set", "engine.timeframe", "4h").code == 0
    done = autotrader("config", "reset", "--json")
    assert done.json == {"reset": ["risk.stop_loss_percent", "engine.timeframe"]}
    assert shown() == {"value": 2, "source": "file"}


def test_config_set_with_a_fault_leaves_the_stored_changes_alone(autotrader: Commands) -> None:
    assert autotrader("config", "set", "cross.fast", "30").code == 0
    assert autotrader("config", "set", "cross.slow", "25").code == 2
    shown = autotrader("config", "show", "--json").json
    assert (shown["cross.fast"]["value"], shown["cross.slow"]["value"]) == (30, 50)


def test_database_is_made_checked_and_has_no_account_yet(autotrader: Commands) -> None:
    assert autotrader("db", "upgrade").code == 0
    assert autotrader("db", "check", "--json").json == {"runs": 0, "problems": []}
    assert autotrader("paper", "reset", "--json").json == {"archived": None}


def test_strategies_lists_types_with_bounds_and_the_configured_ones(autotrader: Commands) -> None:
    listed = autotrader("strategies", "--json").json
    types = {each["name"]: each for each in listed["types"]}
    assert {"sma_cross", "technical", "trend", "mean_reversion", "momentum", "breakout"} <= set(types)
    fast = types["sma_cross"]["parameters"][0]
    assert fast["name"] == "fast" and fast["default"] == 20 and fast["low"] == 1
    assert [each["name"] for each in listed["configured"]] == ["cross", "technical"]


def test_doctor_of_a_sound_installation_finds_nothing_wrong() -> None:
    done = in_a_process("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["ok"], found
    assert {"python", "import ray", "free disk", "database", "clock", ".env"} <= {
        each["check"] for each in found["checks"]
    }


def test_doctor_finds_an_open_dotenv(autotrader: Commands) -> None:
    Path(".env").write_text("AUTOTRADER__EXCHANGE__API_KEY=key\n")
    Path(".env").chmod(0o644)
    done = autotrader("doctor", "--json")
    wrong = [each["check"] for each in done.json["checks"] if not each["ok"]]
    assert done.code == 1
    assert wrong == [".env", "settings"]


@pytest.fixture
def messy() -> Iterator[Path]:
    table = changed("volume", 3, -1.0, count=10)
    for column in table.values():
        column[5], column[6] = column[6], column[5]
        column.append(column[9])
    pl.DataFrame(table).write_csv("messy.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    yield Path("messy.csv")


def test_import_refuses_bad_rows_and_writes_nothing(messy: Path, autotrader: Commands) -> None:
    done = autotrader("data", "import", messy, "out.parquet")
    assert done.code == 2 and "row 4 (2021-01-01T03:00:00Z): volume -1.0" in done.err
    assert files_here() == {"messy.csv"}


def test_import_cleaning_says_what_it_dropped(messy: Path, autotrader: Commands) -> None:
    done = autotrader("data", "import", messy, "out.parquet", "--clean", "--symbol", "BTC/USDT", "--json")
    written = done.json
    assert written["rows"] == 9
    assert written["repaired"] == {"repeated time": 1, "out of order": 1, "volume negative": 1}
    history = load_history("BTC/USDT", Path("out.parquet"))
    assert history.candles.height == 10 and history.candles["filled"].to_list().index(True) == 3
    assert "exists already" in autotrader("data", "import", messy, "out.parquet", "--clean").err


def test_verify_reports_holes_with_zero_and_bad_rows_with_one(tmp_path: Path, autotrader: Commands) -> None:
    table = {name: column[:3] + column[5:] for name, column in candles(10).items()}
    holed = autotrader("data", "verify", parquet(tmp_path, table), "--json").json[0]
    assert (holed["rows"], holed["holes"], holed["missing"], holed["longest_hole"]) == (8, 1, 2, 2)
    assert holed["longest_hole_after"] == "2021-01-01T02:00:00Z" and holed["bad_rows"] == 0
    bad = autotrader("data", "verify", parquet(tmp_path, changed("high", 2, 1.0)), "--json")
    assert bad.code == 1
    assert bad.json[0]["faults"] == {"high too low": 1}
    assert autotrader("data", "verify", parquet(tmp_path, table)).code == 0


def test_verify_counts_prices_far_from_the_close_before(tmp_path: Path, autotrader: Commands) -> None:
    done = autotrader("data", "verify", parquet(tmp_path, changed("low", 2, 10.0)), "--json")
    assert done.json[0]["outliers"] == 1


def test_sample_is_repeatable_and_marked_wherever_it_shows(autotrader: Commands) -> None:
    for name in ("one", "two"):
        done = autotrader("data", "sample", f"{name}.parquet", "--candles", 500, "--seed", 7)
        assert done.code == 0 and "SIMULATED" in done.out
    assert pl.read_parquet("one.parquet").equals(pl.read_parquet("two.parquet"))
    listed = autotrader("data", "list", "--json").json
    found = [(each["symbol"], each["timeframe"], each["rows"], each["simulated"]) for each in listed["files"]]
    assert found == [("BTC/USDT", "1h", 500, True)] * 2
    assert "SIMULATED" in autotrader("data", "list").out
    assert load_history("BTC/USDT", Path("one.parquet")).candles.height == 500


def test_tables_are_readable_at_80_columns(
    tmp_path: Path, autotrader: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path, candles(), "btcusdt_a_file_with_a_rather_long_name_2017-2023.parquet")
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (("data", "list"), ("config", "show"), ("doctor",)):
        done = autotrader(*arguments)
        assert done.code == 0
        assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_backtest_with_an_empty_date_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    parquet(Path(), candles(10), "hour.parquet")
    assert run(["backtest", "--data", "BTC/USDT=hour.parquet", option, "", "--out", "results"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {option}: '' is not a date")
    assert files_here() == {"hour.parquet"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--replay", "hour.parquet"), "error: --replay: 'hour.parquet' is not SYMBOL=FILE"),
        (
            ("--replay", "BTC/USDT=hour.parquet", "--set", "cross.fast=60"),
            "error: strategies.cross: parameter 'fast'",
        ),
    ],
)
def test_replay_with_a_wrong_option_is_refused_before_ray_is_loaded(
    arguments: tuple[str, ...], said: str
) -> None:
    probe = (
        "import sys; from cli.main import run; code = run(sys.argv[1:]);"
        "sys.exit(3 if 'ray' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "run", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1
    assert files_here() == set()


def test_file_that_cannot_be_written_is_named_without_being_called_a_bug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parquet(Path(), candles(10), "hour.parquet")
    Path("results/summary.json").mkdir(parents=True)
    assert run(["backtest", "--data", "BTC/USDT=hour.parquet", "--out", "results"]) == 1
    said = capsys.readouterr().err
    assert "summary.json" in said and "bug" not in said and said.count("\n") == 1
