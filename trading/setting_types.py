"""The kinds of values that settings have; each says in one sentence what it allows."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StrictBool

from trading.errors import InputError
from trading.symbols import is_symbol
from trading.timeframe import timeframe_ms

SHOWN_CHARACTERS = 60
MILLIONTH = "0.000001"
_PASSWORD = re.compile(r"(://[^:@/\s]*:)[^@\s]+(?=@)|([?&]password=)[^&\s]+")


def without_password(text: str) -> str:
    """A text with the passwords of URLs in it hidden."""
    return _PASSWORD.sub(r"\1\2***", text)


def shown(value: object) -> str:
    """A value as a sentence shows it: short, and without the password of a URL."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    text = without_password(text)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def _as_decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def number(low: str, high: str, decimals: int = 6) -> Callable[[object], Decimal]:
    """A check for decimals within bounds, both included, with at most so many decimals."""
    lowest, highest = Decimal(low), Decimal(high)
    allowed = f"a number from {lowest:f} to {highest:f} with at most {decimals} decimals"

    def check(value: object) -> Decimal:
        found = _as_decimal(value)
        if found is None or not lowest <= found <= highest or found != round(found, decimals):
            raise ValueError(f"{shown(value)} is not {allowed}")
        return found

    return check


def whole(low: int, high: int) -> Callable[[object], int]:
    """A check for whole numbers within bounds, both included."""

    def check(value: object) -> int:
        found = _as_decimal(value)
        if found is None or not low <= found <= high or found != int(found):
            raise ValueError(f"{shown(value)} is not a whole number from {low} to {high}")
        return int(found)

    return check


def _symbol(value: str) -> str:
    if not is_symbol(value):
        raise ValueError(f"{shown(value)} is not BASE/QUOTE in capitals and digits, such as BTC/USDT")
    return value


def _timeframe(value: str) -> str:
    try:
        timeframe_ms(value)
    except InputError as error:
        raise ValueError(str(error).removeprefix("timeframe: ")) from None
    return value


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{shown(value)} is not HOST:PORT with a port from 0 to 65535")
    return value


def _matching(pattern: str, allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{shown(value)} is not {allowed}")
        return value

    return check


def _scalars(params: dict[str, Any]) -> dict[str, Any]:
    for name, value in params.items():
        if not isinstance(value, str | bool | int | float | Decimal):
            raise ValueError(f"{name} = {shown(value)} is not a number, a text, true or false")
    return params


Percent = Annotated[Decimal, BeforeValidator(number("0", "100"))]
LimitPercent = Annotated[Decimal, BeforeValidator(number(MILLIONTH, "100"))]
TargetPercent = Annotated[Decimal, BeforeValidator(number("0", "1000000"))]
Fraction = Annotated[Decimal, BeforeValidator(number("0", "1"))]
Weight = Annotated[Decimal, BeforeValidator(number("0", "1000000"))]
Seconds = Annotated[Decimal, BeforeValidator(number("0.001", "100000000", 3))]
PerSecond = Annotated[Decimal, BeforeValidator(number("0.001", "1000000", 3))]
Capital = Annotated[Decimal, BeforeValidator(number("0.00000001", "1000000000000000", 8))]
Quote = Annotated[Decimal, BeforeValidator(number("0", "1000000000000000", 8))]
Step = Annotated[Decimal, BeforeValidator(number("0.000000000001", "1000000", 12))]
Count = Annotated[int, BeforeValidator(whole(0, 1_000_000_000))]
Positive = Annotated[int, BeforeValidator(whole(1, 1_000_000_000))]
Seed = Annotated[int, BeforeValidator(whole(0, 2**63 - 1))]
Flag = StrictBool
Symbol = Annotated[str, AfterValidator(_symbol)]
Timeframe = Annotated[str, AfterValidator(_timeframe)]
Address = Annotated[str, AfterValidator(_address)]
StrategyName = Annotated[
    str, AfterValidator(_matching("[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_' or '-'"))
]
Name = Annotated[str, AfterValidator(_matching(r"\S.{0,199}", "a name of 1 to 200 characters"))]
DatabaseUrl = Annotated[
    str,
    AfterValidator(_matching(r"(sqlite|postgresql)(\+\w+)?://.+", "a URL with sqlite:/// or postgresql://")),
]
Params = Annotated[dict[str, Any], AfterValidator(_scalars)]
