"""Options that choose rows, as the filters of the contract."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading.errors import InputError, suggestion

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from autotrader.v1 import common_pb2


def time_range(since: str | None, until: str | None) -> "common_pb2.TimeRange | None":
    """The times that --from and --to name. Raises InputError for what is no date."""
    from autotrader.v1 import common_pb2

    if since is None and until is None:
        return None
    return common_pb2.TimeRange(
        start=None if since is None else moment(since, "--from"),
        end=None if until is None else moment(until, "--to"),
    )


def moment(text: str, option: str) -> "Timestamp":
    """An ISO 8601 date or time, UTC where no offset is given. Raises InputError, naming the option."""
    from google.protobuf.timestamp_pb2 import Timestamp

    from trading.date_range import parse_date

    time_ms = parse_date(text, option)
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def one_of(option: str, name: str, allowed: Sequence[str]) -> str:
    """The name, if it is allowed. Raises InputError, naming the option, otherwise."""
    if name not in allowed:
        raise InputError(f"{option}: {name!r} is not known; {suggestion(name, allowed)}")
    return name


def at_most_one(**flags: bool) -> str:
    """The name of the flag that is set; "" when none is. Raises InputError when several are."""
    chosen = [name for name, is_set in flags.items() if is_set]
    if len(chosen) > 1:
        raise InputError(f"--{chosen[1]}: cannot stand beside --{chosen[0]}")
    return chosen[0] if chosen else ""
