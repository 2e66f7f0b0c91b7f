"""The newest best prices: what is not believed, and for how long they are live."""

from decimal import Decimal
from typing import Any

import pytest

from actors.market_data.exchange.quotes import STALE_SECONDS, QuoteBook

BTC, ETH = "BTC/USDT", "ETH/USDT"
FIRST = 1_000


def ticker(bid: Any, ask: Any, amount: Any = "1", number: int | None = None) -> dict[str, Any]:
    return {"bid": bid, "ask": ask, "bidVolume": amount, "askVolume": amount, "info": {"u": number}}


@pytest.fixture
def book() -> QuoteBook:
    return QuoteBook([BTC, ETH], FIRST)


def test_newest_quote_is_given_once_for_each_cursor(book: QuoteBook) -> None:
    book.put(BTC, ticker("99", "100"), 7, at=0.0)
    book.put(BTC, ticker("100", "101.50"), 8, at=1.0)
    (quote,) = book.after(0, at=1.0)
    assert (quote.bid, quote.ask, quote.time_ms) == (Decimal(100), Decimal("101.50"), 8)
    assert book.after(book.cursor, at=1.0) == ()


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ("101", "100"),
        ("0", "100"),
        ("-1", "100"),
        ("NaN", "100"),
        ("100", "Infinity"),
        (None, "100"),
        ("100", None),
        ("<script>", "100"),
        (float("nan"), 100),
    ],
)
def test_bad_prices_are_dropped_and_counted(book: QuoteBook, bid: Any, ask: Any) -> None:
    book.put(BTC, ticker(bid, ask), 7, at=0.0)
    assert book.after(0, at=0.0) == () and book.dropped == 1


def test_quote_with_an_older_number_is_late_unless_the_numbers_began_anew(book: QuoteBook) -> None:
    book.put(BTC, ticker("99", "100", number=50), 7, at=0.0)
    book.put(BTC, ticker("90", "91", number=49), 7, at=0.1)
    assert [quote.bid for quote in book.after(0, at=0.1)] == [99] and book.dropped == 1
    book.put(BTC, ticker("95", "96", number=3), 7, at=8.0)
    assert [quote.bid for quote in book.after(0, at=8.0)] == [95]


def test_quote_that_is_too_old_is_not_given_out(book: QuoteBook) -> None:
    book.put(BTC, ticker("99", "100"), 7, at=0.0)
    book.put(ETH, ticker("9", "10"), 7, at=5.0)
    at = STALE_SECONDS + 1
    assert [quote.symbol for quote in book.after(0, at)] == [ETH]
    assert book.older_than(STALE_SECONDS, at) == [BTC]


def test_polled_quote_that_never_changes_is_an_observation_and_no_sign_of_life(book: QuoteBook) -> None:
    book.put(BTC, ticker("99", "100"), 0, at=0.0, polled=True)
    for second in range(1, 12):
        cursor = book.cursor
        book.put(BTC, ticker("99", "100"), 1_000 * second, at=float(second), polled=True)
        assert len(book.after(cursor, float(second))) == (1 if second <= STALE_SECONDS else 0)
    book.put(BTC, ticker("99", "100", amount="2"), 12_000, at=12.0, polled=True)
    assert len(book.after(0, at=12.0)) == 1


def test_cursor_from_another_time_counts_as_none(book: QuoteBook) -> None:
    book.put(BTC, ticker("99", "100"), 7, at=0.0)
    for cursor in (0, FIRST - 1, FIRST + 10**9):
        assert len(book.after(cursor, at=0.0)) == 1


def test_symbol_that_was_not_asked_for_is_passed_over(book: QuoteBook) -> None:
    book.put("DOGE/USDT", ticker("1", "2"), 7, at=0.0)
    assert book.after(0, at=0.0) == ()
