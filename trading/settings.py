"""The settings of autotrader.toml: one frozen class per section, a default for every value."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator

from trading.market import DEFAULT_LOT, DEFAULT_MIN_NOTIONAL, Market
from trading.setting_types import (
    Address,
    Capital,
    Count,
    DatabaseUrl,
    Flag,
    Fraction,
    LimitPercent,
    Name,
    Params,
    Percent,
    PerSecond,
    Positive,
    Quote,
    Seconds,
    Seed,
    Step,
    StrategyName,
    Symbol,
    TargetPercent,
    Timeframe,
    Weight,
)
from trading.settings_errors import settings_error
from trading.symbols import fault_in_symbols

# Settings that come from the environment alone, and are written nowhere.
SECRETS = ("api_key", "api_secret")
SECRET_OPTIONS = frozenset({"apikey", "secret", "password", "privatekey", "token"})


def folded_name(name: str) -> str:
    """A strategy's name as an environment variable can spell it: two names may not fold into one."""
    return name.lower().replace("-", "_")


class Section(BaseModel):
    """What all sections share: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class EngineSettings(Section):
    """What is traded, and with how much."""

    mode: Literal["paper", "live"] = "paper"
    """`paper`, or `live` together with `run --live` and exchange keys [paper]"""
    symbols: tuple[Symbol, ...] = ("BTC/USDT",)
    """Spot markets as BASE/QUOTE, all in one quote currency; they are sized in this order [BTC/USDT]"""
    timeframe: Timeframe = "1h"
    """Length of a candle: a whole number and s, m, h, d or w [1h]"""
    initial_capital_quote: Capital = Decimal(10_000)
    """What the account starts with, in the quote currency [10000]"""

    @field_validator("symbols")
    @classmethod
    def _one_account(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        fault = fault_in_symbols(symbols) if symbols else "the list is empty; at least one symbol is needed"
        if fault:
            raise ValueError(fault)
        return symbols


class FeedSettings(Section):
    """Where live candles come from."""

    source: Literal["simulated", "exchange", "replay"] = "simulated"
    """`simulated`, `exchange` or `replay` [simulated]"""
    seed: Seed = 1
    """Seed of the simulated market [1]"""
    candles_per_second: PerSecond = Decimal(1)
    """Speed of the simulated market; it starts with enough history to trade at once [1]"""


class ExchangeSettings(Section):
    """The exchange; its keys come from the environment or from .env only."""

    id: Name = "binanceus"
    """Any ccxt id [binanceus]"""
    options: dict[str, Any] = {}
    """Handed to ccxt as they are, `urls` included [{}]"""
    api_key: SecretStr | None = None
    """Only from AUTOTRADER__EXCHANGE__API_KEY or a .env of mode 0600 [none]"""
    api_secret: SecretStr | None = None
    """Only from AUTOTRADER__EXCHANGE__API_SECRET or a .env of mode 0600 [none]"""

    @field_validator("options")
    @classmethod
    def _no_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name in options:
            if name.lower() in SECRET_OPTIONS:
                raise ValueError(
                    f"{name!r} is a secret; it belongs in AUTOTRADER__EXCHANGE__API_KEY or _API_SECRET"
                )
        return options


class CostSettings(Section):
    """What a simulated fill costs."""

    fee_percent: Percent = Decimal("0.1")
    """Fee in percent of a fill's notional [0.1]"""
    slippage_percent: Percent = Decimal("0.05")
    """How far a market order fills from the price, against us, in percent [0.05]"""


class VoteSettings(Section):
    """When the strategies' signals become an outcome."""

    confidence_threshold: Percent = Decimal(50)
    """A BUY or SELL with a score under this is HOLD, 0 to 100 [50]"""
    quorum: Fraction = Decimal("0.5")
    """Part of the enabled weight that must answer, 0 to 1 [0.5]"""
    deadline_seconds: Seconds = Decimal(2)
    """How long a live vote waits for a strategy [2]"""


class MarketSettings(Section):
    """One symbol's rules, where the exchange's own are not known."""

    tick: Step | None = None
    """Price step [the finest decimal of the symbol's file, at most 8]"""
    lot: Step = DEFAULT_LOT
    """Amount step [0.00001]"""
    min_notional_quote: Quote = DEFAULT_MIN_NOTIONAL
    """Smallest price x amount of an order, in quote [10]"""


class RiskSettings(Section):
    """Limits on orders, positions and losses."""

    position_size_percent: Percent = Decimal(5)
    """A new position's size in percent of equity [5]"""
    stop_loss_percent: Percent = Decimal(5)
    """The stop, in percent under the entry price; 0 is off [5]"""
    trailing_stop_percent: Percent = Decimal(0)
    """The trailing stop, in percent under the highest close since the entry; 0 is off [0]"""
    take_profit_percent: TargetPercent = Decimal(0)
    """The target, in percent over the entry price; 0 is off [0]"""
    cooldown_candles_after_stop: Count = 0
    """Closes at which BUYs are refused after a stop [0]"""
    daily_loss_limit_percent: LimitPercent = Decimal(15)
    """Loss since 00:00 UTC that blocks entries for the day, in percent [15]"""
    kill_switch_percent: LimitPercent = Decimal(50)
    """Loss since the start that sells everything and stops trading, in percent [50]"""
    max_drawdown_percent: Percent = Decimal(0)
    """Fall from the equity's peak that fires the kill switch, in percent; 0 is off [0]"""
    min_order_notional_quote: Quote = Decimal(10)
    """Smallest entry, in quote [10]"""
    max_open_positions: Count = 5
    """Open positions and waiting buys together [5]"""
    max_exposure_percent: Percent = Decimal(100)
    """Positions and waiting buys in percent of equity [100]"""
    max_orders_per_minute: Count = 30
    """Entries sent within 60 seconds [30]"""
    max_gap_candles: Count = 60
    """After a hole longer than this, BUYs wait until the strategies have warmed up again [60]"""
    stale_after_seconds: Seconds | None = None
    """Live: BUYs are refused when the newest candle closed longer ago [timeframe + 10 s]"""
    max_price_jump_percent: Percent = Decimal(20)
    """Live: a price further than this from the last one needs a second observation [20]"""
    stop_limit_offset_percent: Percent = Decimal(3)
    """Live: how far the limit of a stop-limit order is under the stop, in percent [3]"""


class StrategySettings(Section):
    """One voter."""

    name: StrategyName
    """Unique; letters, digits, _ and -"""
    type: Name
    """A built-in type, an installed one, or a class in the file `path`"""
    weight: Weight = Decimal(1)
    """Weight of its vote [1]"""
    enabled: Flag = True
    """Whether it votes [true]"""
    valid_candles: Positive | None = None
    """At how many closes a signal counts [what the type declares, mostly 1]"""
    every_candles: Positive | None = None
    """It is asked at each n-th close only [what the type declares, mostly 1]"""
    path: Name | None = None
    """A Python file that holds the strategy, relative to the settings file [none]"""
    params: Params = {}
    """The type's own parameters [what the type declares]"""


class DatabaseSettings(Section):
    """Where everything is stored."""

    url: DatabaseUrl = "sqlite:///autotrader.db"
    """sqlite:///FILE or postgresql://...; it holds paper or money, never both
    [sqlite:///autotrader.db, with mode = "live" sqlite:///autotrader-live.db]"""


class ControlSettings(Section):
    """Where the control plane listens; beyond loopback only with TLS."""

    listen: Address = "127.0.0.1:50051"
    """gRPC, as HOST:PORT [127.0.0.1:50051]"""
    web_listen: Address = "127.0.0.1:8443"
    """gRPC-web and the phone client, as HOST:PORT [127.0.0.1:8443]"""
    tls_cert: Name | None = None
    """File with the certificate [none]"""
    tls_key: Name | None = None
    """File with the certificate's key [none]"""
    tls_client_ca: Name | None = None
    """File with the authority whose client certificates are accepted [none]"""


DEFAULT_STRATEGIES = (
    StrategySettings(name="cross", type="sma_cross", params={"fast": 20, "slow": 50}),
    StrategySettings(name="technical", type="technical"),
)


class Settings(Section):
    """All settings of a run."""

    engine: EngineSettings = EngineSettings()
    feed: FeedSettings = FeedSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    costs: CostSettings = CostSettings()
    vote: VoteSettings = VoteSettings()
    market: dict[Symbol, MarketSettings] = {}
    risk: RiskSettings = RiskSettings()
    strategies: tuple[StrategySettings, ...] = DEFAULT_STRATEGIES
    database: DatabaseSettings = DatabaseSettings()
    control: ControlSettings = ControlSettings()

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, strategies: tuple[StrategySettings, ...]) -> tuple[StrategySettings, ...]:
        names: set[str] = set()
        for strategy in strategies:
            folded = folded_name(strategy.name)
            if folded in cls.model_fields:
                raise ValueError(f"the name {strategy.name!r} is taken by a section of the settings")
            if folded in names:
                raise ValueError(f"the name {strategy.name!r} is there twice; each must be unique")
            names.add(folded)
        if not names:
            raise ValueError("the list is empty; at least one strategy is needed")
        return strategies

    def market_rules(self, symbol: str, finest: Decimal) -> Market:
        """A symbol's rules from its section; `finest` is the tick where none is set."""
        return market_rules(symbol, self.market.get(symbol), finest)


def market_rules(symbol: str, section: MarketSettings | None, finest: Decimal) -> Market:
    """A symbol's rules from its section, if it has one; `finest` is the tick where none is set."""
    rules = section or MarketSettings()
    return Market(symbol, rules.tick or finest, rules.lot, rules.min_notional_quote)


def parse_settings(raw: Mapping[str, Any]) -> Settings:
    """The settings of a nested mapping; raises SettingsError, one sentence for the first fault."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise settings_error(error, raw, Settings) from None
