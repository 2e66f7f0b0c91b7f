"""Where strategies come from, and what is said when they cannot be had."""

import multiprocessing
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.trading.strategies.walks import walk
from trading.errors import StrategyError
from trading.strategies import registry
from trading.strategies.evaluate import evaluate
from trading.strategies.registry import available, make, strategy_class
from trading.strategies.sma_cross import SmaCross

MINE = '''
from dataclasses import dataclass
from trading.strategies import Integer, Strategy, buy, hold


@dataclass
class Note:
    text: str


class FridayDip(Strategy):
    """Buys after falling closes."""

    closes = Integer(2, low=1, high=10)
    warmup_candles = 11
    memory_candles = 11

    def analyze(self, market, news):
        moves = market.candles["close"].tail(self.closes + 1).diff().drop_nulls()
        return buy(80, Note("it fell").text) if (moves < 0).all() else hold()
'''


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my_strategy.py"
    path.write_text(MINE)
    return path


def refused(text: str | bytes, tmp_path: Path, type_name: str = "custom") -> str:
    """The sentence about a strategy file of this text."""
    path = tmp_path / "bad.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StrategyError) as raised:
        make(type_name, {}, path)
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == [path]
    return str(raised.value).replace(str(path), "FILE")


def test_available_lists_every_built_in_with_its_parameters() -> None:
    types = {each.name: each for each in available()}
    assert list(types) == ["sma_cross", "technical", "trend", "mean_reversion", "momentum", "breakout"]
    assert [info.name for info in types["sma_cross"].parameters] == ["fast", "slow"]
    assert all(each.doc and each.source == "built in" for each in types.values())
    for each in types.values():
        defaults = {info.name: info.default for info in each.parameters}
        assert make(each.name, defaults).params == defaults
        assert make(each.name, {}).type_name() == each.name


def test_make_unknown_type_suggests_the_right_one() -> None:
    with pytest.raises(StrategyError, match="there is no strategy 'sma_kross'; did you mean 'sma_cross'"):
        make("sma_kross", {})


def test_make_wrong_parameter_suggests_the_right_one() -> None:
    with pytest.raises(StrategyError, match="parameter 'fsat' is unknown; did you mean 'fast'"):
        make("sma_cross", {"fsat": 3})


@pytest.mark.parametrize("type_name", ["FridayDip", "friday_dip", "custom"])
def test_make_from_a_file_by_any_of_its_names(mine: Path, type_name: str) -> None:
    strategy = make(type_name, {"closes": "3"}, mine)
    assert strategy.params == {"closes": 3}
    assert strategy.memory_candles == 11
    said = evaluate(strategy, "A/B", "1h", walk(300, 2))
    assert said.errors == {}
    assert 1 in said.sides
    assert sorted(mine.parent.iterdir()) == [mine]


def _sides(path: Path) -> list[int]:
    sides: list[int] = evaluate(make("custom", {}, path), "A/B", "1h", walk(60, 2)).sides.tolist()
    return sides


def test_make_from_a_file_again_in_another_process_says_the_same(mine: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_sides, (mine,)) == _sides(mine)


def test_make_from_a_changed_file_takes_the_new_text(mine: Path) -> None:
    assert make("custom", {}, mine).params == {"closes": 2}
    mine.write_text(MINE.replace("Integer(2", "Integer(5"))
    assert make("custom", {}, mine).params == {"closes": 5}


def test_make_from_a_file_with_several_asks_for_one_by_name(tmp_path: Path) -> None:
    two = MINE + "\n\nclass Other(FridayDip):\n    pass\n\n\nclass _Hidden(FridayDip):\n    pass\n"
    assert refused(two, tmp_path) == (
        "type: the file FILE has no strategy 'custom'; allowed: friday_dip, other"
    )
    assert "did you mean 'friday_dip'?" in refused(two, tmp_path, "fridaydip")


def test_make_from_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        StrategyError, match=r"path: the strategy file .*gone\.py cannot be read: No such file"
    ):
        make("custom", {}, tmp_path / "gone.py")
    with pytest.raises(StrategyError, match="cannot be read: Is a directory"):
        make("custom", {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import trading\nx = 1 / 0\n", "cannot be loaded: ZeroDivisionError: division by zero (line 2)"),
        ("def f(:\n", "cannot be loaded: SyntaxError: invalid syntax (bad.py, line 1)"),
        (
            "import no_such_module_here\n",
            "ModuleNotFoundError: No module named 'no_such_module_here' (line 1)",
        ),
        ("raise SystemExit(1)\n", "SystemExit: 1 (line 1)"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines (line 1)"),
        ("x = 1\n", "path: the file FILE defines no class that is a Strategy"),
        ("from trading.strategies import Strategy\n", "defines no class that is a Strategy"),
        ("", "defines no class that is a Strategy"),
        (b"\x00\xff\xfe binary", "cannot be loaded: "),
        (b"PAR1\x15\x04", "cannot be loaded: "),
    ],
)
def test_make_from_a_bad_file_gives_the_reason_in_one_sentence(
    text: str | bytes, words: str, tmp_path: Path
) -> None:
    assert words in refused(text, tmp_path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", "the class Mine has no analyze"),
        ("warmup_candles = 0\n    analyze = None", "warmup_candles: 0 is not a whole number from 1 on"),
        ("memory_candles = 2.5\n    analyze = None", "memory_candles: 2.5 is not a whole number"),
        ("analyze = None\n    def check(self): self.nothing", "'custom' cannot be made: AttributeError: "),
        (
            "analyze = None\n    x = Integer(5, low=6, high=7)",
            "parameter 'x': 5 is not a whole number from 6 to 7",
        ),
    ],
)
def test_make_of_a_bad_class_names_the_fault(body: str, words: str, tmp_path: Path) -> None:
    text = f"from trading.strategies import Integer, Strategy\n\n\nclass Mine(Strategy):\n    {body}\n"
    assert words in refused(text, tmp_path)


def test_make_from_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        name: EntryPoint(name, value, registry.ENTRY_POINT_GROUP)
        for name, value in {
            "brought": "trading.strategies.sma_cross:SmaCross",
            "gone": "no_such_package:Thing",
            "number": "math:pi",
        }.items()
    }
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    assert strategy_class("brought") is SmaCross
    with pytest.raises(
        StrategyError, match="installed strategy 'gone' cannot be loaded: ModuleNotFoundError"
    ):
        make("gone", {})
    with pytest.raises(StrategyError, match="'number' is not a strategy class"):
        make("number", {})
    with pytest.raises(StrategyError, match="did you mean 'brought'"):
        make("brougth", {})
