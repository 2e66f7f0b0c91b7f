"""What the shell says of a live run."""

import pytest

from autotrader.v1 import engine_pb2, portfolio_pb2
from cli.portfolio import _order, _position
from cli.status import _show
from tests.tui.test_live import live_position, live_status, live_stop


def test_status_says_real_money_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    status = live_status()
    status.unreconciled = "the account differs\x1b[31m"
    status.killed = "operator"
    status.kill_steps.append("BTC/USDT: 0.0125 is being sold")
    status.symbols[0].blocked = "sold by hand"
    status.actors[0].facts.add(name="price_age_ms", value="320")
    _show(status, [live_position(portfolio_pb2.PROTECTION_MISSING)], [])
    said = capsys.readouterr().out
    assert said.startswith("LIVE  REAL MONEY on binanceus (")
    assert "BOOKS NOT RECONCILED: the account differs\\x1b[31m; no entries until they are" in said
    assert "still to do: BTC/USDT: 0.0125 is being sold" in said
    assert "BTC/USDT: STOP MISSING since 11:58:55 UTC" in said
    assert "BTC/USDT BLOCKED: sold by hand" in said
    assert "external 3.5 BTC (not the engine's)" in said
    assert "market_data: price age ms 320" in said


def test_status_of_a_simulation_says_nothing_of_an_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    status = live_status()
    status.mode, status.exchange = engine_pb2.TRADING_MODE_SIMULATED, ""
    del status.external[:]
    _show(status, [], [])
    said = capsys.readouterr().out
    assert said.startswith("SIMULATED  paper money on a simulated market (simulated market, seed 1)")
    assert not {"external", "RECONCILED", "MISSING"} & set(said.split())


def test_positions_say_who_watches_the_stop() -> None:
    assert _position(live_position(portfolio_pb2.PROTECTION_EXCHANGE))[-1].endswith("\nstop on the exchange")


def test_orders_show_a_stop_that_waits_at_its_trigger() -> None:
    stop = live_stop()
    row = _order(stop)
    assert row[2:6] == (
        "SELL stop",
        "0.003 of 0.0078",
        "57,000.00",
        "partly filled",
    )
    stop.cancelling = "an exit comes"
    assert _order(stop)[-2:] == ("cancelling", "stop: an exit comes")
