"""What every request must be, whatever its method: checked by its descriptor, field by field."""

import math
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from control.faults import invalid

MOST_CHARACTERS = 1024
MOST_ITEMS = 1_000
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_NANOS = 1_000_000_000
_PATH = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*(\.[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*)*")


def check_request(request: Message, path: str = "") -> None:
    """Raise INVALID_ARGUMENT, naming the field, for a text with control or invisible characters or of over
    1,024 characters, a list of over 1,000, an unknown enum number, NaN or infinity, a time outside the
    years 1 to 9999, or a field mask with what is no field's name."""
    if isinstance(request, Timestamp):
        _check_time(request, path)
        return
    for field, value in request.ListFields():
        name = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            _check_items(field, value, name)
        else:
            _check_value(field, value, name)
    if isinstance(request, FieldMask):
        _check_paths(request, path)


def _check_items(field: FieldDescriptor, values: Any, name: str) -> None:
    if len(values) > MOST_ITEMS:
        raise invalid(name, f"has {len(values)} items; at most {MOST_ITEMS} are allowed")
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        for key, value in values.items():
            _check_value(kind.fields_by_name["key"], key, name)
            _check_value(kind.fields_by_name["value"], value, f"{name}.{key}")
        return
    for index, value in enumerate(values):
        _check_value(field, value, f"{name}[{index}]")


def _check_value(field: FieldDescriptor, value: Any, name: str) -> None:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        check_request(value, name)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING and isinstance(value, str):
        _check_text(value, name)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        _check_enum(field, value, name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise invalid(name, f"{value} is not a finite number")


def _check_text(text: str, name: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise invalid(name, f"has {len(text)} characters; at most {MOST_CHARACTERS} are allowed")
    strange = next(_strange(text), None)
    if strange is not None:
        raise invalid(name, f"holds the character U+{ord(strange):04X}; only printable ones are allowed")


def _strange(text: str) -> Iterator[str]:
    return (each for each in text if not each.isprintable())


def _check_enum(field: FieldDescriptor, number: int, name: str) -> None:
    assert field.enum_type is not None
    known = field.enum_type.values_by_number
    if number not in known:
        names = ", ".join(each.name for each in known.values())
        raise invalid(name, f"{number} is not known; allowed: {names}")


def _check_time(time: Timestamp, name: str) -> None:
    if not (_FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < _NANOS):
        raise invalid(name, "is not a time of the years 1 to 9999")


def _check_paths(mask: FieldMask, name: str) -> None:
    strange = next((path for path in mask.paths if not _PATH.fullmatch(path)), None)
    if strange is not None:
        raise invalid(name, f"{strange[:64]!r} is not the name of a field")
