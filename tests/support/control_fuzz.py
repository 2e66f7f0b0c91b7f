"""Requests that no honest client makes, from the descriptors of the contract alone."""

import random
from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from trading.settings import RiskSettings

TEXTS = (
    *(
        "",
        " ",
        "a",
        "x" * 1_024,
        "x" * 1_025,
        "x" * 100_000,
        "é" * 600,
        "9" * 400,
        "\u202egnitset",
        "a\u200bb",
    ),
    *("\0", "a\nb", "\x1b[31mred", "\x7f", "\u2028", "\ufeff", "\U000e0041", "😀" * 30, "ß", "İ", "٣", "²"),
    *("' OR 1=1 --", '"; DROP TABLE trades; --', "%' UNION SELECT value FROM writer --", "%_\\", "?", ":1"),
    *("../../etc/passwd", "/etc/passwd", "..\\..\\x", "file:///etc/passwd", "~", "C:\\", "a/../b", "run.db"),
    *(
        "NaN",
        "inf",
        "-inf",
        "-1",
        "0",
        "1",
        "5",
        "99.999999",
        "0.0000001",
        "1e308",
        "1e-9",
        "0x10",
        "--5",
        "5,0",
    ),
    *(
        "{}",
        '{"a": [1]}',
        "null",
        "true",
        "[[[[",
        "%s%n%x",
        "${jndi:ldap://x}",
        "<script>",
        "[bold]x[/]",
        "*",
    ),
    *("BTC/USDT", "ETH/USDT", "btc/usdt", "BTC/USD", "BTC", "cross", "technical", "sma_cross", "rsi", "mood"),
    *("local", "viewer", "admin", "root", "stop", "manual", "kill", "20200101T000000-0001", "0" * 32, "1.2"),
    *("eyJhIjoxfQ==", "1", "999999999999999999", "-5", "5:50:5", "1,2,3", "0.1..0.9", "enabled", "weight"),
)
WORDS: dict[str, Sequence[str]] = {
    "symbol": ("BTC/USDT", "ETH/USDT"),
    "symbols": ("BTC/USDT", "ETH/USDT"),
    "exit_reasons": ("stop", "vote", "kill"),
    "type": ("sma_cross", "technical", "rsi"),
    "weight": ("0", "1", "2.5", "0.000001", "1000000"),
    "objective": ("sharpe", "total_return_percent"),
    "key": ("cross.fast", "risk.stop_loss_percent", "engine.mode", "database.url", "control.listen"),
}
LIMITS = tuple(RiskSettings.model_fields)
NUMBERS = ("0", "1", "5", "100", "0.5", "0.000001", "99", "1000000", "12.345678", "0.00000001")
PATHS = (
    "enabled",
    "weight",
    "role",
    "disabled",
    "password",
    "name",
    "Foo_Bar",
    "a..b",
    "*",
    "",
    "change.role",
)
SECONDS = (0, 1, -1, 1_577_836_800, 1_600_000_000, -62_135_596_800, -62_135_596_801, 253_402_300_799, 2**62)
NANOS = (0, 1, 999_999_999, -1, 1_000_000_000, 2**31 - 1)
INTS = (0, 1, 2, -1, 50, 1_000, 1_001, 2**31 - 1, -(2**31))
LONGS = (*INTS, 2**63 - 1, -(2**63), 2**40)
FLOATS = (0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324)
GARBAGE = (
    *(
        b"\xff" * 10,
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x05ab",
        b"\x0a\x02\xff\xfe",
        b"\x00",
        b"\x07\x07\x07",
    ),
    *(
        b"\x0b" * 50_000,
        b"\x0a" * 9_999,
        b"\x12\x04\x0a\x02\xc3\x28",
        b"\xf8\xff\xff\xff\x0f\x01",
        b"\x80" * 99,
    ),
)
# More than this of them is asked for now and then.
MANY = (1_001, 20_000)


class Fuzz:
    """Random requests; the same seed makes the same ones. `secrets` are right answers to a reauthentication,
    so that some get past it."""

    def __init__(self, seed: int, secret: str) -> None:
        self._chance = random.Random(seed)
        self._secret = secret

    def request(self, kind: Any) -> Message:
        """A request of a message class."""
        message: Message = kind()
        self._fill(message)
        return message

    def bytes_(self) -> bytes:
        """Something that need not be a message."""
        chance = self._chance
        if chance.random() < 0.6:
            return chance.choice(GARBAGE)
        return chance.randbytes(chance.choice((1, 2, 7, 60, 5_000)))

    def _fill(self, message: Message) -> None:
        if isinstance(message, Timestamp):
            message.seconds, message.nanos = self._chance.choice(SECONDS), self._chance.choice(NANOS)
        elif isinstance(message, FieldMask):
            message.paths.extend(self._chance.choices(PATHS, k=self._chance.choice((0, 1, 1, 2, 30))))
        else:
            for field in message.DESCRIPTOR.fields:
                if field.name == "request_id" or self._chance.random() < 0.75:
                    self._set(message, field)

    def _set(self, message: Message, field: Any) -> None:
        if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
            for _ in range(self._count()):
                key, value = self._text("key"), self._text("value")
                getattr(message, field.name)[key] = value
        elif field.is_repeated and field.message_type:
            for _ in range(self._count()):
                self._fill(getattr(message, field.name).add())
        elif field.is_repeated:
            getattr(message, field.name).extend(self._value(field) for _ in range(self._count()))
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            self._fill(getattr(message, field.name))
        else:
            setattr(message, field.name, self._value(field))

    def _count(self) -> int:
        return (
            self._chance.choice(MANY)
            if self._chance.random() < 0.02
            else self._chance.choice((0, 1, 1, 2, 3))
        )

    def _value(self, field: Any) -> Any:
        chance, kind = self._chance, field.cpp_type
        if field.enum_type is not None:
            known = [value.number for value in field.enum_type.values]
            return chance.choice([*known, *known, -1, 99, 2**31 - 1])
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self._text(field.name, field.containing_type)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return chance.choice(FLOATS)
        return chance.choice(INTS if kind == FieldDescriptor.CPPTYPE_INT32 else LONGS)

    def _text(self, name: str, of: Descriptor | None = None) -> str:
        chance = self._chance
        if name == "request_id" and chance.random() < 0.8:
            return f"{chance.getrandbits(64):016x}"
        if chance.random() < 0.3:
            return chance.choice(TEXTS)
        if name == "local_secret":
            return self._secret
        if of is not None and of.name == "LimitChange":
            return chance.choice(LIMITS if name == "name" else NUMBERS)
        return chance.choice(WORDS.get(name, TEXTS))


def is_field(of: Descriptor, path: str) -> bool:
    """Whether a message has the field that `data[3].symbol` or `range.start` names."""
    head, _, rest = path.partition(".")
    name, bracket, index = head.partition("[")
    field = of.fields_by_name.get(name)
    if field is None or (bracket and not (field.is_repeated and index.removesuffix("]").isdigit())):
        return False
    kind = field.message_type
    if not rest:
        return True
    return kind is not None and (kind.GetOptions().map_entry or is_field(kind, rest))
