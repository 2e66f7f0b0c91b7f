"""What a run's process is told, one line of JSON, and the lines that it tells."""

import re
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

_OPTION = re.compile(r"--([a-z][a-z-]*)")
_FIELDS = {"set": "settings", "from": "range.start", "to": "range.end"}


class SweepOrder(Struct, frozen=True):
    """What a sweep tries and how; `specs` are (key, spec) pairs, `trials` is None for the usual number."""

    specs: tuple[tuple[str, str], ...]
    method: str
    trials: int | None
    objective: str
    walk_forward: int
    workers: int


class Order(Struct, frozen=True):
    """One run: its settings as a tree without secrets, its files by symbol, its range of open times in ms,
    and what a sweep does besides; `sweep` is None for a backtest."""

    settings: dict[str, Any]
    files: tuple[tuple[str, str], ...]
    from_ms: int | None
    to_ms: int | None
    sweep: SweepOrder | None = None


class Progress(Struct, frozen=True, tag=True):
    """How far a run is: 0 to 100, and in words."""

    percent: float
    text: str


class Done(Struct, frozen=True, tag=True):
    """A run is done: its figures, a sweep's best settings and sentence on luck, and equity at equal steps."""

    figures: dict[str, float]
    equity: list[float]
    best: dict[str, str] = {}
    verdict: str = ""


class Failed(Struct, frozen=True, tag=True):
    """A run cannot be made, and why."""

    sentence: str


class Cancelled(Struct, frozen=True, tag=True):
    """A run ended as it was told to."""


Ended = Done | Failed | Cancelled
Told = Progress | Ended

_encode = msgspec.json.Encoder(decimal_format="number").encode
_order = msgspec.json.Decoder(Order, float_hook=Decimal)
_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)


def line_of(message: Order | Told) -> bytes:
    """A message as a line; decimals are numbers, digit for digit."""
    return _encode(message) + b"\n"


def order_in(line: bytes) -> Order:
    """The order in a line, its numbers exact. Raises msgspec.DecodeError."""
    return _order.decode(line)


def told_in(line: bytes) -> Told:
    """What a run's process tells in a line. Raises msgspec.DecodeError."""
    return _told.decode(line)


def in_fields(sentence: str) -> str:
    """A sentence about the command's options as one about the request's fields."""
    text = sentence.removesuffix(" (in --set)")
    return _OPTION.sub(lambda found: _FIELDS.get(found[1], found[1].replace("-", "_")), text)
