"""The space of a sweep: every combination of the swept values, numbered and never built as a list."""

import math
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trading.setting_keys import Path

Value = bool | int | Decimal | str


class Steps(Struct, frozen=True, tag=True):
    """Evenly spaced numbers from `low` on, exact; whole ones are ints."""

    low: Decimal
    step: Decimal
    count: int
    whole: bool

    def value(self, index: int) -> Value:
        """The value at this index, from 0 to count - 1."""
        found = self.low + self.step * index
        return int(found) if self.whole else found


class Choices(Struct, frozen=True, tag=True):
    """A few values, in the order in which they were given."""

    options: tuple[Value, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.options)

    def value(self, index: int) -> Value:
        """The value at this index, from 0 to count - 1."""
        return self.options[index]

    @property
    def ascending(self) -> bool:
        """Whether they are numbers that rise, so that neighbours are alike."""
        numbers = [each for each in self.options if isinstance(each, int | Decimal)]
        return len(numbers) == self.count and numbers == sorted(numbers)


class Dimension(Struct, frozen=True):
    """One swept setting: its key, its place in the settings, its values, and the text they came from.

    `stepless` is a range `lo..hi`: its values are as fine as the setting allows.
    """

    key: str
    path: Path
    text: str
    values: Steps | Choices
    stepless: bool = False


class Space(Struct, frozen=True):
    """All combinations of the dimensions' values; a combination's number is its place, from 0 on."""

    dimensions: tuple[Dimension, ...]

    @property
    def count(self) -> int:
        """How many combinations there are; 1 without dimensions."""
        return math.prod(each.values.count for each in self.dimensions)

    def values(self, place: int) -> tuple[Value, ...]:
        """The combination at a place, one value per dimension; the last dimension varies fastest."""
        indices = []
        for dimension in reversed(self.dimensions):
            place, index = divmod(place, dimension.values.count)
            indices.append(dimension.values.value(index))
        return tuple(reversed(indices))

    def place(self, indices: Sequence[int]) -> int:
        """The place of the combination that has these indices, one per dimension."""
        place = 0
        for dimension, index in zip(self.dimensions, indices, strict=True):
            place = place * dimension.values.count + index
        return place
