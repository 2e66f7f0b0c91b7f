"""What `--set` takes: specs to exact values, and everything else to one sentence."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.sweep.space import Space, Value
from backtest.sweep.specs import space_of, split_specs
from trading.errors import InputError
from trading.settings import Settings

SETTINGS = Settings()


def dimension_values(key: str, spec: str, settings: Settings = SETTINGS) -> list[Value]:
    space = space_of([(key, spec)], settings)
    return [space.values(place)[0] for place in range(space.count)]


@pytest.mark.parametrize(
    ("key", "spec", "values"),
    [
        ("cross.fast", "5:50:15", [5, 20, 35, 50]),
        ("cross.fast", "5:49:15", [5, 20, 35]),
        ("cross.fast", "7:7:1", [7]),
        ("cross.fast", "5:7:10", [5]),
        ("cross.fast", "20, 5,10", [20, 5, 10]),
        ("cross.fast", "5..8", [5, 6, 7, 8]),
        ("strategies.cross.fast", "1,2", [1, 2]),
        ("risk.stop_loss_percent", "0.1:0.7:0.2", ["0.1", "0.3", "0.5", "0.7"]),
        ("risk.stop_loss_percent", "0.5:2:0.5", ["0.5", "1", "1.5", "2"]),
        ("risk.stop_loss_percent", "0,2.5", ["0", "2.5"]),
        ("risk.max_open_positions", "1:3:1", [1, 2, 3]),
        ("cross.weight", "0.25,1", ["0.25", "1"]),
        ("cross.enabled", "true,false", [True, False]),
        ("cross.valid_candles", "1:2:1", [1, 2]),
        ("engine.initial_capital_quote", "100,1000", ["100", "1000"]),
    ],
)
def test_spec_gives_its_values_exactly(key: str, spec: str, values: list[Value | str]) -> None:
    expected = [Decimal(each) if isinstance(each, str) else each for each in values]
    found = dimension_values(key, spec)
    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]


def test_range_of_decimals_has_six_of_them() -> None:
    space = space_of([("risk.stop_loss_percent", "1..2")], SETTINGS)
    assert space.count == 1_000_001
    assert space.values(0) == (Decimal(1),)
    assert space.values(123_457) == (Decimal("1.123457"),)
    assert space.values(1_000_000) == (Decimal(2),)


def test_single_values_are_settings_of_all_trials() -> None:
    fixed, swept = split_specs(
        [
            "risk.stop_loss_percent=3",
            "cross.fast=5:50:5",
            "a.b=1..2",
            "a.c=x,y",
            'exchange.options={"a":1,"b":2}',
        ]
    )
    assert fixed == ["risk.stop_loss_percent=3", 'exchange.options={"a":1,"b":2}']
    assert swept == [("cross.fast", "5:50:5"), ("a.b", "1..2"), ("a.c", "x,y")]


@pytest.mark.parametrize(
    ("key", "spec", "said"),
    [
        ("cross.fast", "50:5:5", "--set cross.fast=50:5:5: the range is reversed; 5 is under 50"),
        ("cross.fast", "9..5", "the range is reversed; 5 is under 9"),
        ("cross.fast", "5..5", "the range is empty; 5 must be over 5"),
        ("cross.fast", "5:50:0", "the step must be over 0, and 0 is not"),
        ("cross.fast", "5:50:-5", "the step must be over 0, and -5 is not"),
        ("cross.fast", "5:50", "a sweep takes LOW:HIGH:STEP, LOW..HIGH or A,B,C"),
        ("cross.fast", "5:50:5:5", "a sweep takes LOW:HIGH:STEP"),
        ("cross.fast", "1:1e400:1", "a sweep takes LOW:HIGH:STEP"),
        ("cross.fast", "5:50:0.5", "this setting takes whole numbers, and the step 0.5 is not one"),
        ("cross.fast", "5,,6", "a value is missing between the commas"),
        ("cross.fast", "5,", "a value is missing between the commas"),
        ("cross.fast", "5,6,5", "a value is there twice"),
        (
            "cross.fast",
            "0:5:1",
            "cross.fast: parameter 'fast': 0 is not a whole number from 1 to 10000 (in --set)",
        ),
        ("cross.fast", "5:10001:1", "10001 is not a whole number from 1 to 10000"),
        ("cross.fast", "5,many", "'many' is not a whole number from 1 to 10000"),
        (
            "cross.fats",
            "5,6",
            "cross.fats: sma_cross has no parameter 'fats'; did you mean 'fast'? (in --set)",
        ),
        ("cros.fast", "5,6", "there is no section or strategy 'cros'; did you mean 'cross'? (in --set)"),
        ("cross", "5,6", "a strategy needs a parameter after its name"),
        ("cross.name", "a,b", "a strategy's name cannot be swept"),
        ("cross.params", "1,2", "a strategy's params cannot be swept"),
        ("risk.stop_los_percent", "5,6", "unknown setting; did you mean 'stop_loss_percent'? (in --set)"),
        ("risk.stop_loss_percent", "5:200:5", "risk.stop_loss_percent: 200 is not a number from 0 to 100"),
        ("risk.stop_loss_percent", "1:2:0.0000001", "with at most 6 decimals (in --set)"),
        ("cross.enabled", "0:1:1", "cross.enabled: 0 is not true or false"),
        ("risk.max_price_jump_percent", "5,6", "it changes nothing between simulations"),
        ("vote.deadline_seconds", "1..2", "it changes nothing between simulations"),
        ("market.BTC/USDT.lot", "0.1,0.01", "it changes nothing between simulations"),
        ("control.listen", "a,b", "it changes nothing between simulations"),
        ("engine.symbols", "BTC/USDT,ETH/USDT", "it changes nothing between simulations"),
    ],
)
def test_bad_spec_is_one_sentence_that_names_the_option(key: str, spec: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        space_of([(key, spec)], SETTINGS)
    assert said in str(refused.value)
    assert "--set" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_same_setting_twice_is_refused_however_it_is_spelled() -> None:
    with pytest.raises(InputError, match=r"--set: cross\.fast is there twice"):
        space_of([("cross.fast", "1,2"), ("strategies.cross.fast", "3:4:1")], SETTINGS)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.data())
def test_place_of_a_combination_is_found_again(counts: list[int], data: st.DataObject) -> None:
    keys = ("cross.fast", "cross.slow", "risk.max_open_positions", "cross.valid_candles")
    specs = [(key, f"2:{count + 1}:1") for key, count in zip(keys, counts, strict=False)]
    space = space_of(specs, SETTINGS)
    indices = [data.draw(st.integers(0, count - 1)) for count in counts]
    assert space.values(space.place(indices)) == tuple(index + 2 for index in indices)


def test_grid_varies_its_last_setting_fastest() -> None:
    space: Space = space_of([("cross.fast", "1,2"), ("cross.slow", "5:7:1")], SETTINGS)
    assert [space.values(place) for place in range(4)] == [(1, 5), (1, 6), (1, 7), (2, 5)]
