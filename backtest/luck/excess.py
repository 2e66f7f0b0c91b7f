"""Returns over what the market's drift gives: a long-only strategy in a rising market earns without skill."""

import numpy as np

from backtest.luck.best_of_many import Floats
from backtest.trial import Study
from trading.history import History
from trading.timeframe import DAY_MS


def market_returns(study: Study) -> Floats:
    """Each symbol's daily returns (days x symbols), for the same days as a trial's daily returns.

    Between the last closes of UTC days, the first open in range before the first; 0 on days without
    candles of the symbol.
    """
    firsts = [history.first_row_from(study.first_open_ms) for history in study.histories]
    days = np.unique(
        np.concatenate(
            [
                each.open_times_ms[first:] // DAY_MS
                for each, first in zip(study.histories, firsts, strict=True)
            ]
        )
    )
    columns = [_returns(each, first, days) for each, first in zip(study.histories, firsts, strict=True)]
    return np.stack(columns, axis=1)


def _returns(history: History, first: int, days: np.typing.NDArray[np.int64]) -> Floats:
    if first == history.candles.height:
        return np.zeros(len(days))
    prices = np.append(history.candles["close"].to_numpy(), history.candles["open"][first])
    rows = np.searchsorted(history.open_times_ms, (days + 1) * DAY_MS) - 1
    path = prices[np.concatenate([[-1], np.where(rows < first, -1, rows)])]
    returns: Floats = path[1:] / path[:-1] - 1
    return returns


def excess_returns(returns: Floats, market: Floats) -> Floats:
    """Each trial's daily returns (days x trials) less what the market (days x symbols) gave at the same
    mean exposure.

    The exposure is the regression's beta, so what is left has Jensen's alpha as its mean (Jensen 1968):
    being in the market at the right time earns it, being in it does not.
    """
    beta = np.linalg.lstsq(market - market.mean(axis=0), returns - returns.mean(axis=0), rcond=None)[0]
    excess: Floats = returns - market @ beta
    return excess
