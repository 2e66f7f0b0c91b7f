"""What `run` and `doctor` ask an exchange before anything trades; ccxt is loaded by the first question."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from cli.clock import now_ms
from trading.errors import AutotraderError, OperationError
from trading.exchange_orders import Account, Filter, Unknown
from trading.settings import ExchangeSettings, Settings
from trading.timeframe import timeframe_ms

if TYPE_CHECKING:
    from actors.execution.ccxt_account import CcxtAccount, KeyRights

Got = TypeVar("Got")

ANSWER_SECONDS, SHORT_SECONDS = 20.0, 5.0
AGAIN_SECONDS = (0.3, 1.0)


@dataclass(frozen=True)
class Markets:
    """The exchange's time in ms, how far that is ahead of this machine's, and the rules for the symbols, in
    the order of the settings."""

    now_ms: int
    ahead_ms: int
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Checked:
    """What a key may do, and the account that it is for."""

    rights: "KeyRights"
    account: Account


def markets_of(settings: Settings) -> Markets:
    """Ask for public facts; no key is used. Raises InputError for an exchange, a symbol or a timeframe that
    is not there, OperationError when the exchange cannot be reached."""
    return _run(settings, _markets(settings), ANSWER_SECONDS)


def account_of(settings: Settings, seconds: float = ANSWER_SECONDS) -> Checked:
    """Ask what the keys may do and what the account holds. Raises as `markets_of` does."""
    return _run(settings, _account(settings), seconds)


def cache_folder(exchange: ExchangeSettings) -> Path:
    """Where the markets of this exchange, at the address in its options, are kept between starts."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    options = json.dumps(exchange.options, sort_keys=True, default=str)
    address = hashlib.sha256(options.encode()).hexdigest()[:12]
    return home / "autotrader" / "exchange" / f"{exchange.id}-{address}"


def _run(settings: Settings, asking: Coroutine[Any, Any, Got], seconds: float) -> Got:
    name = settings.exchange.id

    async def in_time() -> Got:
        async with asyncio.timeout(seconds):
            return await asking

    try:
        return asyncio.run(in_time())
    except AutotraderError:
        raise
    except TimeoutError:
        raise OperationError(f"exchange: {name} did not answer within {seconds:g} s") from None
    except Exception as error:
        # The text of such an error may hold an address with a signature: its kind has to do.
        raise OperationError(f"exchange: {name} cannot be asked ({type(error).__name__})") from None


async def _markets(settings: Settings) -> Markets:
    from actors.exchange_client import load_markets, make_client
    from actors.execution.ccxt_markets import filter_of
    from actors.market_data.exchange.asking import Asking, ServerClock
    from actors.market_data.exchange.rows import timeframe_of

    exchange, symbols = settings.exchange, settings.engine.symbols
    client = make_client(exchange.id, exchange.options)
    try:
        timeframe_of(client, timeframe_ms(settings.engine.timeframe))
        asking = Asking(client, time.monotonic, now_ms, Random())
        clock = ServerClock(asking, time.monotonic, now_ms)
        for question in (lambda: asking.ask(lambda: load_markets(client, symbols)), clock.refresh):
            await _patiently(question, lambda: asking.silent_seconds)
        filters = tuple(filter_of(client, client.markets[symbol]) for symbol in symbols)
        return Markets(clock.now_ms(), clock.ahead_ms(), filters)
    finally:
        await client.close()


async def _patiently(
    question: Callable[[], Awaitable[Got]], silent_seconds: Callable[[], float] = lambda: 0.0
) -> Got:
    """Ask a few times, not before the exchange may be asked again; the last refusal counts."""
    for pause in AGAIN_SECONDS:
        try:
            return await question()
        except OperationError:
            await asyncio.sleep(max(pause, silent_seconds()))
    return await question()


async def _account(settings: Settings) -> Checked:
    from actors.execution.ccxt_account import CcxtAccount

    exchange, symbols = settings.exchange, settings.engine.symbols
    key, secret = (
        each.get_secret_value() if each else "" for each in (exchange.api_key, exchange.api_secret)
    )
    folder = cache_folder(exchange)
    account = await CcxtAccount.open(exchange.id, exchange.options, key, secret, symbols, folder)
    try:
        held = await _patiently(lambda: _held(account, settings))
        return Checked(await account.rights(), held)
    finally:
        await account.close()


async def _held(account: "CcxtAccount", settings: Settings) -> Account:
    held = await account.account(settings.engine.symbols)
    if isinstance(held, Unknown):
        raise OperationError(f"exchange: {settings.exchange.id} does not tell the account: {held.why}")
    return held
