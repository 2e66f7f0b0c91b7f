"""A small world for the engine of a live run: a model of an exchange that loses answers, and a clock.

The model plays the exchange and the tracking of orders: what the engine intends is sent once, and what is
known of each order is reported, sometimes late, twice, or first as unknown.
"""

import random
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from tests.trading.accounts import BTC, START_MS, WIDE
from trading.candles import Candle
from trading.client_ids import client_id
from trading.decisions import AnyDecision
from trading.engine import Engine
from trading.events import (
    AnyEvent,
    CandlesClosed,
    EngineResumed,
    Kill,
    Price,
    PricesSeen,
    RunStarted,
    SignalsCollected,
)
from trading.exact_settings import live_market
from trading.exchange_orders import Account, Execution, Filter, OwnTrade, Standing
from trading.exchange_units import live_orders, placement_of, report_event
from trading.journal import Entry
from trading.market import market_units, quote_decimals, to_units
from trading.order_reports import find_order, says_something_new
from trading.orders import FINAL, Order, OrderKind, OrderState
from trading.reconciliation import compare, worth_telling
from trading.rules import PERCENT, Costs, Limits, Live, Rules, Seat, VoteRules
from trading.signals import Side, buy, hold, sell

MINUTE_MS = 60_000
ENGINE = "0123abcd"
EXTERNAL = {"BTC": Decimal(3), "USDT": Decimal(5_000)}
SAID = {Side.BUY: buy(100), Side.SELL: sell(100), Side.HOLD: hold(100)}
FEE = Decimal("0.001")


def live_rules(on_exchange: bool = True, **limits: int) -> Rules:
    """One market with steps of 0.01 and 0.00001, one strategy, stops at 5 %."""
    market = live_market(Filter(BTC, Decimal("0.01"), Decimal("0.00001"), Decimal(10)))
    decimals = quote_decimals([market])
    wanted: Limits = replace(
        WIDE, stop_loss_percent=5 * PERCENT, min_order_notional=to_units(Decimal(10), decimals)
    )
    return Rules(
        quote="USDT",
        quote_decimals=decimals,
        initial_capital=to_units(Decimal(10_000), decimals),
        timeframe_ms=MINUTE_MS,
        markets=(market_units(market, decimals),),
        costs=Costs(PERCENT // 10, PERCENT // 20),
        vote=VoteRules(50 * PERCENT, 500_000),
        limits=replace(wanted, **limits),
        seats=(Seat("cross", 1_000_000),),
        live=Live(on_exchange, MINUTE_MS + 10_000, 20 * PERCENT, 3 * PERCENT),
    )


@dataclass
class Sent:
    """An order as the model holds it."""

    order_id: str
    client_id: str
    exchange_id: str
    side: Side
    kind: OrderKind
    amount: Decimal
    trigger: Decimal | None
    state: OrderState = OrderState.OPEN
    filled: Decimal = Decimal(0)
    executions: tuple[Execution, ...] = ()
    told_at_ms: int = 0
    unknown_first: bool = False
    cancel_at_ms: int = 0
    why: str = ""


@dataclass
class World:
    """An engine, an exchange and a clock. `faults` 0 to 1: how often something goes wrong."""

    seed: int = 0
    faults: float = 0.0
    rules: Rules = field(default_factory=live_rules)
    price: Decimal = Decimal(60_000)
    now_ms: int = START_MS + 1_000
    balances: dict[str, Decimal] = field(
        default_factory=lambda: {"BTC": EXTERNAL["BTC"], "USDT": EXTERNAL["USDT"] + 10_000}
    )
    sent: dict[str, Sent] = field(default_factory=dict)
    liquid: bool = True
    longest_bare_ms: int = 0
    least_base: Decimal = EXTERNAL["BTC"]

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        started = RunStarted(self.rules, START_MS - MINUTE_MS, START_MS - MINUTE_MS)
        self.engine = Engine.start(started)
        self.entries = [Entry(0, started)]
        self.decisions: list[AnyDecision] = []
        self.trades = 0
        self.open_time_ms = START_MS - 2 * MINUTE_MS
        self.bare_ms = 0
        self.handle(EngineResumed(self.now_ms))

    # What happens.

    def handle(self, event: AnyEvent) -> list[AnyDecision]:
        """Give the engine an event; then send what it wants."""
        decisions = self.engine.handle(event)
        self.entries.append(Entry(self.engine.state.sequence, event, tuple(decisions)))
        self.decisions += decisions
        self._work()
        return decisions

    def candle(self, said: Side = Side.HOLD) -> list[AnyDecision]:
        """The next candle closes at the present price, and the strategy says something."""
        self.open_time_ms += MINUTE_MS
        ticks = self.ticks(self.price)
        found = self.handle(CandlesClosed(self.open_time_ms, (Candle(BTC, ticks, ticks, ticks, ticks, 1.0),)))
        signal = replace(SAID[said], strategy="cross", symbol=BTC, open_time_ms=self.open_time_ms)
        self.now_ms = max(self.now_ms, self.open_time_ms + MINUTE_MS + 100)
        return found + self.handle(
            SignalsCollected(self.open_time_ms, (signal,), taken_ms=self.now_ms, prices=(self.quote(),))
        )

    def quote(self) -> Price:
        """The best prices."""
        ticks = self.ticks(self.price)
        return Price(BTC, ticks, ticks)

    def ticks(self, price: Decimal) -> int:
        """A price in ticks."""
        return int(price / self.rules.markets[0].tick)

    def move(self, price: Decimal | int) -> None:
        """The price moves; stops at the exchange wake up."""
        self.price = Decimal(price)
        for sent in list(self.sent.values()):
            awake = sent.trigger is not None and self.price <= sent.trigger
            if sent.state is OrderState.OPEN and awake and self.liquid:
                self._fill(sent, sent.amount - sent.filled)

    def pass_time(self, ms: int) -> None:
        """Time passes; reports come, prices are seen, the account is compared."""
        end_ms = self.now_ms + ms
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + 500)
            self._finish_cancels()
            self.report()
            self.handle(PricesSeen(self.now_ms, (self.quote(),)))
            self.compare()
            self._look_after_the_bare()

    def kill(self) -> None:
        """The operator throws the kill switch."""
        self.handle(Kill(request_id=f"kill-{self.now_ms}", by="test", time_ms=self.now_ms, why="test"))

    # The exchange.

    def _work(self) -> None:
        """Send what the engine wants and was not sent; cancel what it wants cancelled."""
        market = self.rules.markets[0]
        for order in live_orders(self.engine.state):
            if order.id not in self.sent:
                assert order.state is OrderState.WAITING
                self._send(order, placement_of(order, market, ENGINE).amount)
            sent = self.sent[order.id]
            if order.cancelling and not sent.cancel_at_ms:
                sent.cancel_at_ms = self.now_ms + self._delay_ms()

    def _send(self, order: Order, amount: Decimal) -> None:
        market = self.rules.markets[0]
        trigger = market.price(order.trigger) if order.trigger else None
        name = client_id(ENGINE, order.id)
        assert all(each.client_id != name for each in self.sent.values()), "sent twice"
        sent = Sent(order.id, name, f"x{len(self.sent)}", order.side, order.kind, amount, trigger)
        self.sent[order.id] = sent
        sent.told_at_ms = self.now_ms + self._delay_ms()
        sent.unknown_first = self._unlucky()
        if self._unlucky() or self._refuses(sent):
            sent.state, sent.why = OrderState.REFUSED, "the exchange refused it"
        elif order.kind is OrderKind.MARKET:
            part = Decimal("0.5") if self._unlucky() else Decimal(1)
            lot = market.lot * market.amount_step
            filled = (amount * part // lot * lot) if self.liquid else Decimal(0)
            if filled:
                self._fill(sent, filled)
            if filled < amount:
                sent.state = OrderState.EXPIRED

    def _refuses(self, sent: Sent) -> bool:
        return sent.trigger is not None and self.price <= sent.trigger

    def _fill(self, sent: Sent, amount: Decimal) -> None:
        self.trades += 1
        notional = amount * self.price
        if sent.side is Side.BUY:
            fee, currency = amount * FEE, "BTC"
            self.balances["BTC"] += amount - fee
            self.balances["USDT"] -= notional
        else:
            fee, currency = notional * FEE, "USDT"
            self.balances["BTC"] -= amount
            self.balances["USDT"] += notional - fee
        assert self.balances["BTC"] >= self.least_base, "sold more than was bought"
        sent.filled += amount
        sent.executions += (Execution(str(self.trades), self.price, amount, fee, currency, self.now_ms),)
        sent.state = OrderState.FILLED if sent.filled == sent.amount else OrderState.PARTLY_FILLED

    def _finish_cancels(self) -> None:
        for sent in list(self.sent.values()):
            if sent.state not in FINAL and 0 < sent.cancel_at_ms <= self.now_ms:
                sent.state = OrderState.CANCELLED

    def owner_cancels(self) -> None:
        """The owner cancels every open order by hand."""
        for sent in list(self.sent.values()):
            if sent.state not in FINAL:
                sent.state = OrderState.CANCELLED

    def report(self) -> None:
        """Tell the engine what is known of its orders, as execution would."""
        state, market = self.engine.state, self.rules.markets[0]
        for sent in list(self.sent.values()):
            order = find_order(state, state.symbols[BTC], sent.order_id)
            if order is None or self.now_ms < sent.told_at_ms:
                continue
            told = sent.state
            if sent.unknown_first and self.now_ms < sent.told_at_ms + 4_000:
                told = OrderState.UNKNOWN
            known = told is not OrderState.UNKNOWN
            event = report_event(
                state,
                order,
                market,
                self.now_ms,
                state=told,
                exchange_id=sent.exchange_id if known and told is not OrderState.REFUSED else "",
                executions=sent.executions if known else (),
                why=sent.why,
            )
            if says_something_new(state, event):
                self.handle(event)
                if self._unlucky():
                    self.handle(event)

    def compare(self) -> None:
        """Look at the account."""
        found = compare(self.engine.state, self.account(), ENGINE)
        if found is not None and worth_telling(self.engine.state, found):
            self.handle(found)

    def account(self) -> Account:
        """The account as the exchange tells it."""
        trades = tuple(
            OwnTrade(BTC, sent.side, sent.exchange_id, each)
            for sent in self.sent.values()
            for each in sent.executions
        )
        opened = tuple(
            Standing(
                each.client_id,
                each.exchange_id,
                BTC,
                each.side,
                each.kind,
                each.amount,
                each.state,
                each.filled,
            )
            for each in self.sent.values()
            if each.state not in FINAL
        )
        return Account(self.now_ms, dict(self.balances), opened, trades)

    def _delay_ms(self) -> int:
        return self.chance.choice((500, 1_500)) if self._unlucky() else 0

    def _unlucky(self) -> bool:
        return self.chance.random() < self.faults

    # What must hold.

    def _look_after_the_bare(self) -> None:
        """Measure for how long a position has stood without a working stop or a sale on its way."""
        position = self.engine.state.symbols[BTC].position
        stops = [
            each for each in self.sent.values() if each.kind is OrderKind.STOP and each.state not in FINAL
        ]
        if position is None or stops or self.engine.state.symbols[BTC].exit is not None:
            self.bare_ms = self.now_ms
        self.longest_bare_ms = max(self.longest_bare_ms, self.now_ms - (self.bare_ms or self.now_ms))

    def open_stops(self) -> list[Sent]:
        """The stops that stand at the exchange."""
        return [each for each in self.sent.values() if each.state not in FINAL]

    def check(self) -> None:
        """Ledger and exchange agree, and what is held is protected; for a quiet moment."""
        state, market = self.engine.state, self.rules.markets[0]
        symbol = state.symbols[BTC]
        assert symbol.live is not None
        dust = symbol.live.dust.amount if symbol.live.dust else 0
        held = symbol.position.amount if symbol.position else 0
        assert market.amount(held + dust) == self.balances["BTC"] - EXTERNAL["BTC"]
        cash = Decimal(state.cash).scaleb(-state.rules.quote_decimals)
        assert cash == self.balances["USDT"] - EXTERNAL["USDT"]
        assert state.books is not None and state.books.unreconciled == ""
        open_amounts = [each.amount - each.filled for each in self.open_stops()]
        if symbol.position is None:
            assert open_amounts == [], "flat leaves no stop"
        else:
            assert symbol.exit is None
            assert open_amounts == [market.amount(market.stepped(held))]
        for trade_order in self.sent.values():
            executed = sum((each.amount for each in trade_order.executions), Decimal(0))
            assert executed == trade_order.filled <= trade_order.amount
