"""What a plan refuses, and what its id follows from."""

from typing import Any

import pytest

from backtest.sweep.plan import Applied
from tests.backtest.sweep.conftest import CROSS, MakePlan
from trading.errors import InputError
from trading.settings import parse_settings

WIDE = ("cross.fast=1:10000:1", "cross.slow=2:10000:1", "risk.stop_loss_percent=1:11:0.001")


@pytest.mark.parametrize(
    ("specs", "options", "said"),
    [
        ((), {}, "--set: nothing to sweep; give at least one range"),
        (
            ("cross.fast=1:5:1",),
            {"method": "gird"},
            "--method: there is no method 'gird'; did you mean 'grid'?",
        ),
        (("cross.fast=1:5:1",), {"trials": 3}, "--trials: a grid makes all of its 5 trials"),
        (
            ("cross.fast=1:5:1",),
            {"method": "random", "trials": 0},
            "--trials: 0 is not a whole number from 1 on",
        ),
        (("cross.fast=1..5",), {}, "--set cross.fast=1..5: a grid needs steps, such as 1:5:STEP"),
        (
            WIDE,
            {},
            "--set: these are 999,999,990,000 trials, and at most 1,000,000 are allowed; --max-trials raises",
        ),
        (("cross.fast=1:5:1",), {"max_trials": 4}, "--set: these are 5 trials, and at most 4 are allowed"),
        (
            ("cross.fast=1:5:1",),
            {"max_trials": 14, "walk_forward": 2},
            "--set: these are 15 trials in 3 passes, and at most 14 are allowed",
        ),
        (
            WIDE,
            {"method": "random", "trials": 2_000_000},
            "--trials: these are 2,000,000 trials, and at most 1,000,000 are allowed",
        ),
        (
            ("cross.fast=1:5:1",),
            {"objective": "sharp"},
            "--objective: there is no figure 'sharp'; did you mean 'sharpe'?",
        ),
        (
            ("cross.fast=1:5:1",),
            {"objective": "candles"},
            "--objective: 'candles' is the same for every trial",
        ),
        (
            ("cross.slow=10,900",),
            {},
            "--data: the range ends after 800 candles, and the strategies warm up for 901 with",
        ),
        (
            ("cross.slow=10,300",),
            {"walk_forward": 3},
            "--walk-forward: the first window ends after 200 candles, and the strategies warm up for 301",
        ),
        (
            ("cross.fast=1:5:1",),
            {"walk_forward": 400},
            "--walk-forward: 400 windows need 802 candles at least",
        ),
        (
            ("cross.fast=1:5:1",),
            {"strategies": [*CROSS, {"name": "trnd", "type": "trned"}]},
            "strategies.trnd: type: there is no strategy 'trned'; did you mean 'trend'?",
        ),
        (("cross.fast=1:5:1",), {"from_ms": 1_900_000_000_000}, "no candle opens in this range"),
    ],
)
def test_plan_that_cannot_be_made_is_refused_with_one_sentence(
    plan_of: MakePlan, specs: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        plan_of(*specs, **options)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_random_makes_no_more_trials_than_there_are_combinations(plan_of: MakePlan) -> None:
    assert plan_of("cross.fast=1:5:1", method="random", trials=90).trials == 5
    assert plan_of("risk.stop_loss_percent=1..5", method="random").trials == 100


@pytest.mark.parametrize(
    ("specs", "options"),
    [
        (("cross.fast=1:6:1",), {}),
        (("cross.fast=1,2,3,4,5",), {}),
        (("cross.fast=1:5:1",), {"seed": 2}),
        (("cross.fast=1:5:1",), {"objective": "calmar"}),
        (("cross.fast=1:5:1",), {"walk_forward": 1}),
        (("cross.fast=1:5:1",), {"from_ms": 1_600_500_000_000}),
        (("cross.fast=1:5:1",), {"to_ms": 1_601_500_000_000}),
        (("cross.fast=1:5:1",), {"strategies": [*CROSS, {"name": "technical", "type": "technical"}]}),
    ],
)
def test_id_is_the_same_for_the_same_plan_alone(
    plan_of: MakePlan, specs: tuple[str, ...], options: dict[str, Any]
) -> None:
    assert plan_of("cross.fast=1:5:1").id == plan_of("cross.fast=1:5:1").id
    assert plan_of(*specs, **options).id != plan_of("cross.fast=1:5:1").id


def test_id_follows_from_a_strategy_files_text(plan_of: MakePlan, strategy_file: Any) -> None:
    before = plan_of("own.level=1,2", strategies=strategy_file("pass")).id
    assert plan_of("own.level=1,2", strategies=strategy_file("pass")).id == before
    assert plan_of("own.level=1,2", strategies=strategy_file("here")).id != before


def test_settings_of_a_trial_are_those_of_the_file_with_its_values(plan_of: MakePlan) -> None:
    plan = plan_of("cross.fast=2:4:1", "risk.stop_loss_percent=0.5:2:0.5", "cross.weight=1,3")
    applied = Applied(plan.settings, plan.space)
    for place in (plan.space.count - 1, 0, 5):
        fast, stop, weight = plan.space.values(place)
        strategies = [CROSS[0] | {"params": {"fast": fast, "slow": 8}, "weight": weight}]
        asked = parse_settings({"strategies": strategies, "risk": {"stop_loss_percent": stop}})
        found = applied.at(place)
        assert found.strategies == asked.strategies
        assert found.risk.stop_loss_percent == asked.risk.stop_loss_percent
        assert found.risk.position_size_percent == 20
    assert found.engine.symbols == ("BTC/USDT",)


def test_plan_forgets_secrets_and_addresses(plan_of: MakePlan) -> None:
    plan = plan_of("cross.fast=1:5:1")
    assert not {"exchange", "control", "database"} & set(plan.facts["settings"])
    assert plan.settings.exchange.api_key is None
