"""A strategy's parameters: declared as class attributes, typed, and bounded."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Generic, Self, TypeVar, overload

from msgspec import Struct

from trading.errors import StrategyError

Value = TypeVar("Value", int, float, str)


class ParameterInfo(Struct, frozen=True):
    """One declared parameter for a listing; `low` and `high` are included, `options` is empty for numbers."""

    name: str
    kind: str
    default: int | float | str
    low: int | float | None
    high: int | float | None
    options: tuple[str, ...]
    doc: str


class Parameter(ABC, Generic[Value]):
    """The declaration of one parameter; on an instance the attribute is the value itself."""

    kind: str

    def __init__(self, default: Value, doc: str) -> None:
        self.default: Value = default
        self.doc = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        value: Value = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__[self.name] = self.parse(value)

    @abstractmethod
    def parse(self, value: object) -> Value:
        """The value that the parameter takes; raises StrategyError when it may not."""

    @abstractmethod
    def info(self) -> ParameterInfo:
        """What a listing shows."""

    def refusal(self, value: object, allowed: str) -> StrategyError:
        """The error that names the parameter, the value and what is allowed."""
        return StrategyError(f"parameter {self.name!r}: {_shown(value)} is not {allowed}")


class Integer(Parameter[int]):
    """A whole number from `low` to `high`, both included."""

    kind = "integer"

    def __init__(self, default: int, *, low: int, high: int, doc: str = "") -> None:
        super().__init__(default, doc)
        self.low = low
        self.high = high

    def parse(self, value: object) -> int:
        number = _decimal(value)
        if number is None or not self.low <= number <= self.high or number != number.to_integral_value():
            raise self.refusal(value, f"a whole number from {self.low} to {self.high}")
        return int(number)

    def info(self) -> ParameterInfo:
        return ParameterInfo(self.name, self.kind, self.default, self.low, self.high, (), self.doc)


class Number(Parameter[float]):
    """A number from `low` to `high`, both included."""

    kind = "number"

    def __init__(self, default: float, *, low: float, high: float, doc: str = "") -> None:
        super().__init__(float(default), doc)
        self.low = low
        self.high = high

    def parse(self, value: object) -> float:
        number = _decimal(value)
        if number is None or not self.low <= float(number) <= self.high:
            raise self.refusal(value, f"a number from {self.low} to {self.high}")
        return float(number)

    def info(self) -> ParameterInfo:
        return ParameterInfo(self.name, self.kind, self.default, self.low, self.high, (), self.doc)


class Choice(Parameter[str]):
    """One of a few words."""

    kind = "choice"

    def __init__(self, default: str, *, options: tuple[str, ...], doc: str = "") -> None:
        super().__init__(default, doc)
        self.options = options

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise self.refusal(value, "one of " + ", ".join(self.options))
        return value

    def info(self) -> ParameterInfo:
        return ParameterInfo(self.name, self.kind, self.default, None, None, self.options, self.doc)


AnyParameter = Parameter[int] | Parameter[float] | Parameter[str]


def declared(owner: type) -> dict[str, AnyParameter]:
    """The parameters of a class by name, in the order of declaration, those of its bases first."""
    return {name: found for cls in reversed(owner.__mro__) for name, found in _own(cls)}


def _own(cls: type) -> Iterator[tuple[str, AnyParameter]]:
    return ((name, value) for name, value in vars(cls).items() if isinstance(value, Parameter))


def _decimal(value: object) -> Decimal | None:
    """A finite number given as int, float, Decimal or text, else None; True is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    try:
        text = repr(value)
    except ValueError:
        text = "a number of too many digits"
    return text if len(text) <= 60 else text[:57] + "..."
