"""The engine's state as messages of the contract."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from actors.persistence.units import Units
from autotrader.v1 import common_pb2, engine_pb2, portfolio_pb2
from control.read_model.live import (
    add_live_symbol,
    add_protection,
    equity_now,
    holdings,
    kill_steps,
    unreconciled,
)
from control.rows import SIDES, decimal_text, millionths_text, percent_text, timestamp
from trading.decisions import OutcomeDecided, Refused
from trading.ledger import Position, dust_of
from trading.live_prices import mark_price
from trading.state import EngineState, SymbolState
from trading.vote import Vote


def vote_message(vote: Vote) -> common_pb2.Vote:
    """A vote that was counted."""
    return common_pb2.Vote(
        strategy=vote.strategy,
        side=SIDES[vote.side.value],
        confidence_percent=millionths_text(vote.confidence),
        weight=millionths_text(vote.weight),
        open_time=timestamp(vote.open_time_ms),
        reasons=vote.reasons,
    )


def symbol_messages(
    state: EngineState, units: Units, outcomes: Mapping[str, OutcomeDecided]
) -> Iterator[engine_pb2.SymbolStatus]:
    """Every symbol, in the order of the settings."""
    for market in state.rules.markets:
        symbol = state.symbols[market.symbol]
        message = engine_pb2.SymbolStatus(
            symbol=market.symbol,
            last_price_quote=decimal_text(units.level(market.symbol, mark_price(symbol))),
        )
        add_live_symbol(message, symbol, market, units)
        decided = outcomes.get(market.symbol)
        if decided is not None:
            _add_outcome(message, decided)
        yield message


def _add_outcome(message: engine_pb2.SymbolStatus, decided: OutcomeDecided) -> None:
    outcome = decided.outcome
    message.outcome = SIDES[outcome.side.value]
    message.outcome_why = outcome.why.value
    message.score_percent = outcome.score_percent
    message.votes.extend(map(vote_message, outcome.votes))
    if isinstance(decided.verdict, Refused):
        message.refusal = decided.verdict.reason.value


def position_messages(state: EngineState, units: Units) -> list[portfolio_pb2.Position]:
    """The open positions, in the order of the settings."""
    return [
        _position_message(state, symbol, symbol.position, units)
        for symbol in state.symbols.values()
        if symbol.position is not None
    ]


def _position_message(
    state: EngineState, symbol: SymbolState, held: Position, units: Units
) -> portfolio_pb2.Position:
    name, price = held.symbol, mark_price(symbol)
    cost = units.quote(dust_of(held).entry_notional)
    worth = units.notional(name, price, held.amount)
    message = portfolio_pb2.Position(
        symbol=name,
        amount_base=decimal_text(units.amount(name, held.amount)),
        entry_price_quote=decimal_text(units.price(name, held.entry_price)),
        entry_notional_quote=decimal_text(units.quote(held.entry_notional)),
        entry_fee_quote=decimal_text(units.quote(held.entry_fee)),
        entry_time=timestamp(held.entry_time_ms),
        entry_order_id=held.entry_order_id,
        stop_quote=decimal_text(units.level(name, held.stop)),
        target_quote=decimal_text(units.level(name, held.target)),
        last_price_quote=decimal_text(units.price(name, price)),
        unrealized_profit_quote=decimal_text(worth - cost),
        unrealized_profit_percent=percent_text(worth - cost, cost),
        notional_quote=decimal_text(worth),
        closing=symbol.exit is not None,
        votes=map(vote_message, held.votes),
        sold_base=decimal_text(units.part(name, held.sold)),
    )
    add_protection(message, state, symbol, held)
    return message


def account_message(state: EngineState, units: Units) -> engine_pb2.EngineStatus:
    """The money and the switches; what else a status has is not the engine's to say."""
    equity, base = units.quote(equity_now(state)), units.quote(state.day_base)
    capital = units.quote(state.rules.initial_capital)
    message = engine_pb2.EngineStatus(
        killed=state.killed,
        day_blocked=state.day_blocked,
        day_end=timestamp(state.day_end_ms),
        quote=state.rules.quote,
        equity_quote=decimal_text(equity),
        cash_quote=decimal_text(units.quote(state.cash)),
        initial_capital_quote=decimal_text(capital),
        total_return_percent=percent_text(equity - capital, capital),
        day_base_quote=decimal_text(base),
        day_result_quote=decimal_text(equity - base),
        day_result_percent=percent_text(equity - base, base) if base else decimal_text(Decimal(0)),
        open_positions=sum(1 for _ in state.positions()),
        sequence=state.sequence,
        unreconciled=unreconciled(state),
        external=holdings(state),
        kill_steps=kill_steps(state, units),
    )
    if state.open_time_ms >= 0:
        message.open_time.CopyFrom(timestamp(state.open_time_ms))
    return message
