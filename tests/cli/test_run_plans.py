"""What `run` refuses before anything starts."""

from pathlib import Path

import pytest

from cli.run_plans import Planned, paper_plan
from trading.errors import StorageError
from trading.settings import parse_settings


def paper(folder: Path, **sections: object) -> Planned:
    raw: dict[str, object] = {"database": {"url": f"sqlite:///{folder / 'autotrader.db'}"}}
    return paper_plan(parse_settings(raw | sections), None)


def test_paper_plan_again_goes_on_with_the_same_run(tmp_path: Path) -> None:
    assert paper(tmp_path).run == paper(tmp_path, risk={"stop_loss_percent": 2}).run


@pytest.mark.parametrize(
    ("section", "changed", "named"),
    [
        ("feed", {"seed": 2}, "seed 1"),
        ("engine", {"symbols": ["ETH/USDT"]}, "engine.symbols"),
        ("engine", {"timeframe": "4h"}, "engine.timeframe"),
        ("engine", {"initial_capital_quote": 5000}, "engine.initial_capital_quote"),
    ],
)
def test_paper_plan_of_another_account_is_refused_with_what_to_run(
    tmp_path: Path, section: str, changed: dict[str, object], named: str
) -> None:
    paper(tmp_path)
    with pytest.raises(StorageError, match="autotrader paper reset") as refused:
        paper(tmp_path, **{section: changed})
    assert named in str(refused.value)
