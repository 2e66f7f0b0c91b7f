"""Decimals that a caller writes."""

import re
from decimal import Decimal

from control.faults import invalid

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def number(text: str, field: str) -> Decimal | int:
    """A whole number as int, any other as Decimal; INVALID_ARGUMENT for what is not written plainly."""
    if not _NUMBER.fullmatch(text):
        raise invalid(field, f"{text[:40]!r} is not a number such as 5 or 2.5")
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else value
