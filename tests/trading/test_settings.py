"""Settings: defaults, bounds, exact decimals, and one sentence for each fault."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import SettingsError, StrategyError
from trading.market import Market
from trading.settings import Settings, parse_settings
from trading.strategies.registry import made_strategies

CROSS = {"name": "cross", "type": "sma_cross"}


def sentence(raw: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_settings_without_a_file_are_the_documented_defaults() -> None:
    settings = parse_settings({})
    assert settings == Settings()
    assert settings.engine.symbols == ("BTC/USDT",)
    assert (settings.costs.fee_percent, settings.costs.slippage_percent) == (Decimal("0.1"), Decimal("0.05"))
    assert settings.risk.model_dump() == {
        "position_size_percent": 5,
        "stop_loss_percent": 5,
        "trailing_stop_percent": 0,
        "take_profit_percent": 0,
        "cooldown_candles_after_stop": 0,
        "daily_loss_limit_percent": 15,
        "kill_switch_percent": 50,
        "max_drawdown_percent": 0,
        "min_order_notional_quote": 10,
        "max_open_positions": 5,
        "max_exposure_percent": 100,
        "max_orders_per_minute": 30,
        "max_gap_candles": 60,
        "stale_after_seconds": None,
        "max_price_jump_percent": 20,
        "stop_limit_offset_percent": 3,
    }
    assert [(each.name, each.type, int(each.weight)) for each in settings.strategies] == [
        ("cross", "sma_cross", 1),
        ("technical", "technical", 1),
    ]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"risk": {"stop_los_percent": 3}},
            "risk.stop_los_percent: unknown setting; did you mean 'stop_loss_percent'?",
        ),
        (
            {"risk": {"fee_percent": 1}},
            "risk.fee_percent: unknown setting; did you mean 'costs.fee_percent'?",
        ),
        (
            {"stop_loss_percent": 3},
            "stop_loss_percent: unknown setting; did you mean 'risk.stop_loss_percent'?",
        ),
        ({"rsik": {}}, "rsik: unknown setting; did you mean 'risk'?"),
        ({"risk": 5}, "risk: 5 is not a table"),
        (
            {"risk": {"stop_loss_percent": "five"}},
            "risk.stop_loss_percent: 'five' is not a number from 0 to 100",
        ),
        ({"risk": {"stop_loss_percent": True}}, "risk.stop_loss_percent: True is not a number"),
        ({"risk": {"stop_loss_percent": Decimal("NaN")}}, "risk.stop_loss_percent: NaN is not a number"),
        ({"risk": {"stop_loss_percent": float("inf")}}, "risk.stop_loss_percent: inf is not a number"),
        ({"risk": {"stop_loss_percent": -1}}, "risk.stop_loss_percent: -1 is not a number from 0 to 100"),
        ({"risk": {"stop_loss_percent": 101}}, "risk.stop_loss_percent: 101 is not a number from 0 to 100"),
        ({"risk": {"stop_loss_percent": Decimal("0.0000001")}}, "with at most 6 decimals"),
        ({"risk": {"kill_switch_percent": 0}}, "risk.kill_switch_percent: 0 is not a number from 0.000001"),
        (
            {"risk": {"max_open_positions": Decimal("2.5")}},
            "risk.max_open_positions: 2.5 is not a whole number",
        ),
        ({"vote": {"quorum": Decimal("1.01")}}, "vote.quorum: 1.01 is not a number from 0 to 1"),
        (
            {"engine": {"initial_capital_quote": 0}},
            "engine.initial_capital_quote: 0 is not a number from 0.00000001",
        ),
        ({"engine": {"initial_capital_quote": 10**40}}, "engine.initial_capital_quote: 1000"),
        ({"engine": {"mode": "demo"}}, "engine.mode: 'demo' is not 'paper' or 'live'"),
        (
            {"engine": {"timeframe": "1x"}},
            "engine.timeframe: '1x' is not a whole number with a unit s, m, h, d or w",
        ),
        ({"engine": {"symbols": "BTC/USDT"}}, "engine.symbols: 'BTC/USDT' is not a list"),
        ({"engine": {"symbols": []}}, "engine.symbols: the list is empty"),
        ({"engine": {"symbols": ["btcusdt"]}}, "'btcusdt' is not BASE/QUOTE"),
        ({"engine": {"symbols": ["BTC/USDT", "BTC/USDT"]}}, "BTC/USDT is there twice"),
        ({"engine": {"symbols": ["BTC/USDT", "ETH/EUR"]}}, "different quote currencies"),
        ({"strategies": []}, "strategies: the list is empty"),
        ({"strategies": [CROSS, CROSS]}, "strategies: the name 'cross' is there twice"),
        ({"strategies": [{**CROSS, "name": "a-b"}, {**CROSS, "name": "A_B"}]}, "'A_B' is there twice"),
        ({"strategies": [{**CROSS, "name": "risk"}]}, "the name 'risk' is taken by a section"),
        ({"strategies": [{**CROSS, "name": "my cross"}]}, "'my cross' is not 1 to 64 letters, digits"),
        ({"strategies": [{"name": "cross"}]}, "strategies.cross.type: is missing"),
        (
            {"strategies": [{**CROSS, "weigth": 1}]},
            "strategies.cross.weigth: unknown setting; did you mean 'weight'?",
        ),
        ({"strategies": [{**CROSS, "weight": -1}]}, "strategies.cross.weight: -1 is not a number from 0"),
        (
            {"strategies": [{**CROSS, "enabled": "yes"}]},
            "strategies.cross.enabled: 'yes' is not true or false",
        ),
        (
            {"strategies": [{**CROSS, "valid_candles": 0}]},
            "strategies.cross.valid_candles: 0 is not a whole number",
        ),
        (
            {"strategies": [{**CROSS, "params": {"fast": [1]}}]},
            "strategies.cross.params: fast = [1] is not a number",
        ),
        ({"market": {"btc": {}}}, "market.\"btc\": 'btc' is not BASE/QUOTE"),
        (
            {"market": {"BTC/USDT": {"tik": 1}}},
            "market.\"BTC/USDT\".tik: unknown setting; did you mean 'tick'?",
        ),
        (
            {"market": {"BTC/USDT": {"tick": 0}}},
            'market."BTC/USDT".tick: 0 is not a number from 0.000000000001',
        ),
        ({"exchange": {"options": {"apiKey": "abc"}}}, "exchange.options: 'apiKey' is a secret"),
        ({"control": {"listen": "50051"}}, "control.listen: '50051' is not HOST:PORT"),
        (
            {"database": {"url": "mysql://x"}},
            "database.url: 'mysql://x' is not a URL with sqlite:/// or postgresql://",
        ),
    ],
)
def test_settings_with_a_fault_are_refused_in_one_sentence(raw: dict[str, Any], said: str) -> None:
    assert said in sentence(raw)


def test_settings_with_several_faults_name_the_first_and_count_the_rest() -> None:
    said = sentence({"risk": {"stop_loss_percent": -1, "kill_switch_percent": 101, "x": 1}})
    assert said.startswith("risk.x: unknown setting") and said.endswith("(and 2 more)")


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        ({"exchange": {"api_key": 91919}}, "91919"),
        ({"database": {"url": "mysql://me:hunter2@host/x"}}, "hunter2"),
        ({"database": {"url": "mysql://host/x?password=hunter2"}}, "hunter2"),
    ],
)
def test_settings_fault_in_a_secret_does_not_show_it(raw: dict[str, Any], secret: str) -> None:
    assert secret not in sentence(raw)


@given(st.decimals(min_value=0, max_value=100, places=6))
def test_percent_with_six_decimals_is_kept_exactly(value: Decimal) -> None:
    assert parse_settings({"risk": {"stop_loss_percent": value}}).risk.stop_loss_percent == value


@given(st.integers(1, 99_999_999).filter(lambda units: units % 10), st.integers(7, 40))
def test_percent_with_more_decimals_is_refused(units: int, places: int) -> None:
    value = Decimal(units).scaleb(-places)
    assert "with at most 6 decimals" in sentence({"risk": {"stop_loss_percent": value}})


def test_market_rules_without_a_section_are_the_rulebooks() -> None:
    settings = parse_settings({"market": {"ETH/USDT": {"tick": Decimal("0.05"), "min_notional_quote": 5}}})
    finest = Decimal("0.001")
    assert settings.market_rules("BTC/USDT", finest) == Market(
        "BTC/USDT", finest, Decimal("0.00001"), Decimal(10)
    )
    assert settings.market_rules("ETH/USDT", finest).tick == Decimal("0.05")
    assert settings.market_rules("ETH/USDT", finest).min_notional == 5


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (
            {"type": "sma_cros"},
            "strategies.mine: type: there is no strategy 'sma_cros'; did you mean 'sma_cross'?",
        ),
        ({"type": "sma_cross", "params": {"fast": 50, "slow": 20}}, "strategies.mine: parameter 'fast'"),
        ({"type": "sma_cross", "params": {"fats": 5}}, "did you mean 'fast'?"),
        ({"type": "custom", "path": "nowhere.py"}, "strategies.mine: "),
    ],
)
def test_strategy_that_cannot_be_made_is_refused_by_name(strategy: dict[str, Any], said: str) -> None:
    settings = parse_settings({"strategies": [{"name": "mine", **strategy}]})
    with pytest.raises(StrategyError) as caught:
        made_strategies(settings)
    assert said in str(caught.value) and "\n" not in str(caught.value)
