"""What the oracle holds and hands back: positions, orders, the result (rulebook 8, INTERFACE trades.csv)."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.oracle.money import exact_decimal
from tests.oracle.vote import Answer

WAITING, FILLED, CANCELLED, REFUSED = "waiting", "filled", "cancelled", "refused"
# A waiting exit keeps the first of these that asked for it.
EXIT_RANK = ("kill_switch", "close_all", "signal")


@dataclass
class Order:
    """An approved order; `status_reason` says why it was cancelled or refused at its fill."""

    symbol: str
    side: str
    reason: str
    decided_close_ms: int
    amount: Fraction
    sizing_price: Fraction | None = None
    votes: list[Answer] = field(default_factory=list)
    status: str = WAITING
    status_reason: str = ""


@dataclass
class Position:
    """What is held in one symbol; `stop` and `target` are prices, None when there is none."""

    symbol: str
    entry_time_ms: int
    entry_price: Fraction
    amount: Fraction
    entry_fee: Fraction
    stop: Fraction | None
    target: Fraction | None
    votes: list[Answer]
    highest_close: Fraction = Fraction(0)

    @property
    def entry_notional(self) -> Fraction:
        """Entry price x amount."""
        return self.entry_price * self.amount

    def unrealised(self, mark: Fraction) -> Fraction:
        """(mark - entry price) x amount, without fees."""
        return (mark - self.entry_price) * self.amount


@dataclass
class Result:
    """What a simulation gives.

    `trades`: a dict per trade with the columns of trades.csv; times in ms, money in Decimal, `profit_percent`
    in Fraction, `votes` the entry's answers, None where an open trade has nothing.
    `equity`: a dict per open time: time_ms, equity, cash (Decimal), drawdown_percent (float), and the state
    after step 3 and its commands: realised, day_base, peak, reference (Fraction), blocked, killed,
    paused (bool), positions.
    `outcomes`: a dict per vote: time_ms, symbol, outcome, verdict (approved, refused, none), reason, votes.
    `orders`: every approved order with its final status. `fills`: a dict each, in order.
    """

    trades: list[dict[str, Any]] = field(default_factory=list)
    equity: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)


def open_trade(position: Position) -> dict[str, Any]:
    """The row of a position that is still open."""
    return {
        "symbol": position.symbol,
        "entry_time": position.entry_time_ms,
        "entry_price": exact_decimal(position.entry_price),
        "amount": exact_decimal(position.amount),
        "entry_fee": exact_decimal(position.entry_fee),
        "exit_time": None,
        "exit_price": None,
        "exit_fee": None,
        "exit_reason": "open",
        "realized_profit": None,
        "profit_percent": None,
        "votes": list(position.votes),
    }


def closed_trade(position: Position, fill: dict[str, Any]) -> dict[str, Any]:
    """The row of a position that this fill closed."""
    exit_notional = Fraction(fill["price"]) * position.amount
    realized = exit_notional - position.entry_notional - position.entry_fee - Fraction(fill["fee"])
    return open_trade(position) | {
        "exit_time": fill["time_ms"],
        "exit_price": fill["price"],
        "exit_fee": fill["fee"],
        "exit_reason": fill["reason"],
        "realized_profit": exact_decimal(realized),
        "profit_percent": realized / position.entry_notional * 100,
    }
