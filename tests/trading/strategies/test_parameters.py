"""Declared parameters: what is taken, what is refused, and in which words."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.strategies import Choice, Integer, MarketView, Number, Signal, Strategy, StrategyError, hold
from trading.strategies.parameters import ParameterInfo
from trading.strategies.sma_cross import SmaCross

NUMBERS = st.one_of(st.integers(), st.floats(), st.decimals())


class Example(Strategy):
    """Declares one of each."""

    count = Integer(20, low=1, high=100, doc="how many")
    share = Number(0.5, low=0, high=1)
    mode = Choice("calm", options=("calm", "wild"))

    def analyze(self, market: MarketView, news: tuple[object, ...]) -> Signal:
        return hold()


class Derived(Example):
    extra = Integer(1, low=0, high=2)


@given(st.integers(-1000, 1000), st.sampled_from([int, float, Decimal, str]))
def test_integer_any_number_is_taken_exactly_within_its_bounds(value: int, kind: type) -> None:
    if 1 <= value <= 100:
        strategy = Example(count=kind(value))
        assert strategy.count == value
        assert type(strategy.count) is int
    else:
        with pytest.raises(StrategyError, match=r"'count': .* is not a whole number from 1 to 100"):
            Example(count=kind(value))


@given(NUMBERS)
def test_number_whatever_number_is_in_bounds_or_refused(value: float | Decimal) -> None:
    try:
        share = Example(share=value).share
    except StrategyError as error:
        assert "'share'" in str(error)
        assert "is not a number from 0 to 1" in str(error)
    else:
        assert type(share) is float
        assert 0 <= share <= 1
        assert share == pytest.approx(float(value))


NOT_WHOLE = [2.5, "2.5", "", "many", None, True, [1], float("nan"), Decimal("NaN"), "Infinity", "1e999999"]


@pytest.mark.parametrize("value", NOT_WHOLE)
def test_integer_not_a_whole_number_is_refused(value: object) -> None:
    with pytest.raises(StrategyError, match="parameter 'count'"):
        Example(count=value)


def test_integer_of_very_many_digits_is_refused_in_few_words() -> None:
    with pytest.raises(StrategyError, match="'count': a number of too many digits is not a whole number"):
        Example(count=10**6000)


def test_choice_unknown_word_is_refused_with_the_options() -> None:
    assert Example(mode="wild").mode == "wild"
    with pytest.raises(StrategyError, match="parameter 'mode': 'mad' is not one of calm, wild"):
        Example(mode="mad")


def test_strategy_wrong_name_suggests_the_right_one() -> None:
    with pytest.raises(StrategyError, match="parameter 'cuont' is unknown; did you mean 'count'"):
        Example(cuont=3)


def test_strategy_without_parameters_says_what_is_given_by_default() -> None:
    assert Example().params == {"count": 20, "share": 0.5, "mode": "calm"}


def test_parameter_changed_on_an_instance_is_still_checked() -> None:
    strategy = Example()
    with pytest.raises(StrategyError):
        strategy.count = 101
    assert strategy.count == 20


def test_parameters_of_a_derived_class_come_after_those_of_its_base() -> None:
    infos = Derived.parameters()
    assert [info.name for info in infos] == ["count", "share", "mode", "extra"]
    count, _, mode, _ = infos
    assert count == ParameterInfo("count", "integer", 20, 1, 100, (), "how many")
    assert mode.options == ("calm", "wild")


def test_check_fast_not_under_slow_is_refused() -> None:
    with pytest.raises(StrategyError, match="'fast': 50 is not under slow, which is 50"):
        SmaCross(fast=50)
