"""Settings of an engine on a local exchange, in a folder of its own."""

import os
from pathlib import Path
from typing import Any

from cli.config import load_settings
from tests.support.exchange import API_KEY, API_SECRET, ExchangeProcess
from trading.settings import Settings
from trading.settings_file import toml_value

KEYS = {"AUTOTRADER__EXCHANGE__API_KEY": API_KEY, "AUTOTRADER__EXCHANGE__API_SECRET": API_SECRET}


def write_settings(folder: Path, options: dict[str, Any], mode: str = "paper", engine: str = "") -> Path:
    """An autotrader.toml for BTC/USDT and ETH/USDT at the exchange of these options."""
    file = folder / "autotrader.toml"
    file.write_text(
        f"""
[engine]
mode = "{mode}"
symbols = ["BTC/USDT", "ETH/USDT"]
timeframe = "1m"
initial_capital_quote = 5000
{engine}

[feed]
source = "exchange"

[exchange]
options = {toml_value(options)}
"""
    )
    return file


def write_keys(folder: Path, key: str = API_KEY, secret: str = API_SECRET, mode: int = 0o600) -> None:
    """A .env with the exchange's keys."""
    file = folder / ".env"
    file.write_text(f"AUTOTRADER__EXCHANGE__API_KEY={key}\nAUTOTRADER__EXCHANGE__API_SECRET={secret}\n")
    os.chmod(file, mode)


def exchange_settings(folder: Path, exchange: ExchangeProcess, mode: str = "paper") -> Settings:
    """The settings of an engine on this exchange; `live` with its keys."""
    file = write_settings(folder, exchange.ccxt_options(), mode)
    if mode == "live":
        write_keys(folder)
    return load_settings(file).settings
