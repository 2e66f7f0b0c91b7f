"""What the README shows works as it stands there."""

import re
import tomllib
from pathlib import Path

from cli.main import COMMANDS
from trading.settings import Settings
from trading.simulated_market import SimulatedMarket, simulated_candles
from trading.strategies.evaluate import evaluate
from trading.strategies.lookahead import check_no_lookahead
from trading.strategies.registry import make

README = (Path(__file__).parent.parent / "README.md").read_text()
HOUR_MS = 3_600_000


def block(language: str) -> str:
    """The first code block of this language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_readme_strategy_in_under_30_lines_speaks_and_does_not_look_ahead(tmp_path: Path) -> None:
    code = block("python")
    assert len(code.splitlines()) < 30
    (tmp_path / "dip.py").write_text(code)
    (chosen,) = Settings.model_validate(tomllib.loads(block("toml"))).strategies
    strategy = make(chosen.type, chosen.params, tmp_path / str(chosen.path))
    candles = simulated_candles(SimulatedMarket("BTC/USDT", 1, HOUR_MS), 0, 3_000)
    said = evaluate(strategy, "BTC/USDT", "1h", candles)
    sides = {signal.side for row in range(len(said)) if (signal := said.signal(row, "dip", "BTC/USDT", 0))}
    assert sides == {"BUY", "SELL", "HOLD"}
    check_no_lookahead(strategy, "BTC/USDT", "1h", candles, said, seed=1)


def test_readme_names_every_command_and_no_other() -> None:
    table = README.split("## Commands")[1].split("## ")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    shown = {word.split()[0] for cell in first_cells for word in re.findall(r"`([^`]+)`", cell)}
    assert shown == set(COMMANDS)


def test_readme_names_only_files_that_exist() -> None:
    root = Path(__file__).parent.parent
    table = README.split("## Where each rule lives")[1].split("## ")[0]
    named = [name for name in re.findall(r"`([\w/]+\.py)`", table) if "/" in name]
    assert named and [name for name in named if not (root / name).exists()] == []
