"""How a vectorised strategy writes down what it says, row by row."""

import polars as pl


def answers(
    buy: pl.Expr, sell: pl.Expr, confidence: pl.Expr, buy_reason: pl.Expr | str, sell_reason: pl.Expr | str
) -> list[pl.Expr]:
    """The columns `side`, `confidence` and `reasons`: BUY where `buy`, SELL where `sell`, else HOLD 0.

    Reasons are words, or an expression of words per row. Where `buy` or `sell` is null, it is not so.
    """
    return [
        either(buy, sell, pl.lit("BUY"), pl.lit("SELL")).fill_null("HOLD").alias("side"),
        pl.when(buy | sell).then(confidence.cast(pl.Float64)).otherwise(0.0).alias("confidence"),
        either(buy, sell, _words(buy_reason), _words(sell_reason)).alias("reasons"),
    ]


def either(first: pl.Expr, second: pl.Expr, first_words: pl.Expr, second_words: pl.Expr) -> pl.Expr:
    """The first words where the first is so, the second words where the second is, else null."""
    return pl.when(first).then(first_words).when(second).then(second_words)


def _words(reason: pl.Expr | str) -> pl.Expr:
    return pl.lit(reason) if isinstance(reason, str) else reason
