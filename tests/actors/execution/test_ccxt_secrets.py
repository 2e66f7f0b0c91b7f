"""Keys, secrets, signatures and signed addresses show in nothing that the account tells or logs."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from actors.execution.ccxt_account import CcxtAccount
from actors.execution.ccxt_errors import LONGEST_TEXT, clean
from tests.support.accounts import BTC, limit, market, open_account
from tests.support.exchange import API_KEY, API_SECRET, LocalExchange
from trading.exchange_orders import Unknown

KEY, SECRET = "planted-key-7f3a", "planted-secret-91bc"


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("GET https://x/api/v3/order?symbol=BTC&signature=ab12 503", "503", "ab12"),
        ("signature=ab12&symbol=BTC", "symbol=BTC", "ab12"),
        ("{'X-MBX-APIKEY': 'k-77', 'a': 1}", "'a': 1", "k-77"),
        ('{"apiKey":"k-77","secret":"s-88","msg":"no"}', '"msg":"no"', "k-77"),
        ('{"apiKey":"k-77","secret":"s-88"}', "{", "s-88"),
        ("API-Sign: s-88; rest", "rest", "s-88"),
        ("Authorization: Bearer t-99 rest", "rest", "t-99"),
        (f"told {SECRET} by the exchange", "by the exchange", SECRET),
    ],
)
def test_clean_text_keeps_the_rest(text: str, kept: str, gone: str) -> None:
    told = clean(text, (KEY, SECRET))
    assert kept in told
    assert gone not in told


def test_clean_text_is_one_short_line() -> None:
    told = clean("a\nb\x1b[31m" + "c" * 9_000)
    assert told.startswith("a b [31m")
    assert len(told) <= LONGEST_TEXT + 3


async def trouble(exchange: LocalExchange, account: CcxtAccount) -> list[str]:
    """All texts of an account that everything happens to."""
    echo = f"you sent {API_KEY} and {API_SECRET}"
    told: list[Any] = [account, account._line, await account.send(limit("c1", "50000.00"))]
    faults: list[dict[str, Any]] = [
        {"code": -2010, "message": echo},
        {"code": -1006, "message": echo},
        {"status": 503, "body": f"<html>{echo}</html>"},
        {"status": 400, "body": f"<html>{echo}</html>"},
        {"body": f'{{"symbol": "{echo}"}}'},
        {"reset": True, "count": 2},
        {"cut": True},
    ]
    for number, fault in enumerate(faults):
        for method in ("POST", "GET", "DELETE"):
            exchange.clear()
            exchange.fault(method=method, **fault)
            if method == "POST":
                told.append(await account.send(market(f"m{number}")))
            elif method == "GET":
                told += [await account.ask(BTC, "c1"), await account.account((BTC,))]
            else:
                told.append(await account.cancel(BTC, f"m{number}", "12345"))
    exchange.set(revoked=True)
    told += [await account.send(market("z")), await account.rights()]
    await exchange.stop()
    told += [await account.ask(BTC, "c1"), await account.account((BTC,))]
    return [f"{each!r} {each}" for each in told]


async def test_secrets_show_in_no_answer_and_no_log_at_any_level(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    exchange = await LocalExchange().start()
    async with open_account(exchange, tmp_path, {"verbose": True}) as account:
        told = await trouble(exchange, account)
    printed = capfd.readouterr()
    logged = [f"{each.getMessage()} {each.exc_text} {each.args}" for each in caplog.records]
    stored = [each.read_text() for each in tmp_path.iterdir()]
    signatures = {
        text
        for request in exchange.truth().requests
        for name, text in request.params.items()
        if name == "signature"
    }
    assert any("503" in each for each in told)
    for secret in {API_KEY, API_SECRET, "signature=", *signatures}:
        for text in (*told, *logged, *stored, printed.out, printed.err):
            assert secret not in text, text


async def test_error_while_opening_shows_no_secret(tmp_path: Path) -> None:
    async with LocalExchange() as exchange:
        exchange.fault(count=-1, status=503, body=f"<html>{SECRET}</html>")
        with pytest.raises(Exception, match="does not tell its markets") as raised:
            await CcxtAccount.open(
                "binanceus", exchange.ccxt_options(), KEY, SECRET, (BTC,), tmp_path, timeout_ms=2_000
            )
    chain: BaseException | None = raised.value
    while chain is not None:
        assert SECRET not in f"{chain!r} {chain}"
        chain = chain.__cause__ or chain.__context__


async def test_key_that_is_wrong_is_told_without_the_key(tmp_path: Path) -> None:
    async with LocalExchange() as exchange:
        account = await CcxtAccount.open(
            "binanceus", exchange.ccxt_options(), KEY, SECRET, (BTC,), tmp_path, timeout_ms=2_000
        )
        told = await account.account((BTC,))
        await account.close()
    assert isinstance(told, Unknown)
    assert KEY not in told.why
    assert "-2015" in told.why
