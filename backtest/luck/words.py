"""The verdict in plain words."""

SURELY_LUCK = 0.2
HARDLY_LUCK = 0.05


def sentence_of(trials: int, probability: float | None) -> str:
    """How likely the best of so many trials looks this good by luck, in one sentence."""
    who = f"Of {trials:,} settings tried, the best" if trials > 1 else "The one setting tried"
    if probability is None:
        return f"{who} cannot be judged: it traded too little, or the days are too few."
    return f"{who} would look this good by luck with probability {percent(probability)}."


def advice_of(
    probability: float | None, excess_sharpe: float | None, overfitting_probability: float | None
) -> str:
    """What to do about it, in one sentence."""
    if probability is None:
        return "Test on more days, or with settings that trade more often."
    if excess_sharpe is not None and excess_sharpe <= 0:
        return "It earned nothing that the market did not give by itself: there is nothing here to trade."
    if probability >= SURELY_LUCK:
        return "Luck alone gives as much: do not trade it, nor search on the same candles for a better one."
    if probability >= HARDLY_LUCK:
        return "It may be luck: test it on candles that the sweep has not seen before any money is at risk."
    if overfitting_probability is not None and overfitting_probability >= 0.5:
        return (
            "Luck alone hardly explains it, but which setting is the best is not known (the winner of one "
            "half of the days is no leader in the other): take one from the middle of a good region."
        )
    return "Luck alone hardly explains it: confirm it on candles that the sweep has not seen."


def percent(probability: float) -> str:
    """A probability for a reader: under 0.1 %, 0.4 %, 3.2 %, 37 %, over 99 %."""
    value = 100 * probability
    if value < 0.1:
        return "under 0.1 %"
    if value > 99:
        return "over 99 %"
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"
