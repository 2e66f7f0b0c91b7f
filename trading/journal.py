"""The journal: every event that the engine handled and every decision that followed, as bytes.

An engine given the same events makes the same decisions, so the events alone are the truth and the
decisions are kept to be read and checked.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from trading.decisions import AnyDecision
from trading.engine import Engine
from trading.events import AnyEvent, RunStarted
from trading.state import EngineState


class Entry(Struct, frozen=True, array_like=True):
    """One handled event; `sequence` counts from 1 (the `RunStarted` event is entry 0)."""

    sequence: int
    event: AnyEvent
    decisions: tuple[AnyDecision, ...] = ()


_entry_decoder = msgspec.json.Decoder(Entry)
_state_decoder = msgspec.json.Decoder(EngineState)
_encoder = msgspec.json.Encoder()


def encode_entry(entry: Entry) -> bytes:
    """One journal entry as JSON."""
    return _encoder.encode(entry)


def decode_entry(body: bytes | str) -> Entry:
    """The entry that `encode_entry` wrote. Raises msgspec.ValidationError for anything else."""
    return _entry_decoder.decode(body)


def snapshot(state: EngineState) -> bytes:
    """Everything that the engine knows, as JSON."""
    return _encoder.encode(state)


def restore(body: bytes | str) -> Engine:
    """An engine that goes on as the one whose snapshot this is."""
    return Engine(_state_decoder.decode(body))


def replay(engine: Engine | None, entries: Iterable[Entry]) -> Engine:
    """Handle stored events again: the engine as it was after the last of them.

    Without an engine the first entry must be the run's `RunStarted`. Entries that the engine has
    handled already are passed over. Raises ValueError on a missing entry.
    """
    for entry in entries:
        if isinstance(entry.event, RunStarted):
            if engine is None:
                engine = Engine.start(entry.event)
            continue
        if engine is None:
            raise ValueError("the journal does not begin with RunStarted")
        if entry.sequence <= engine.state.sequence:
            continue
        if entry.sequence != engine.state.sequence + 1:
            raise ValueError(f"journal entry {engine.state.sequence + 1} is missing")
        engine.handle(entry.event)
    if engine is None:
        raise ValueError("the journal is empty")
    return engine
