"""The expected failures, drawn once.

    AutotraderError
    ├── InputError           what the user gave can be mended: one sentence, exit code 2
    │   ├── SettingsError    a setting, an option, an environment variable
    │   ├── CandleError      a candle or a file of candles
    │   ├── StrategyError    a strategy that cannot be found, made or trusted
    │   └── StorageError     a database that does not fit the code or the settings
    └── OperationError       the input was right, the world was not: exit code 1
        └── TakenOver        another engine writes to the database now: nothing may be tried again

Anything else that is raised is a bug and is shown as one.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class AutotraderError(Exception):
    """An expected failure; its text is one sentence for the user."""


class InputError(AutotraderError):
    """The input can be mended; the sentence names the field, the value and what is allowed."""


class SettingsError(InputError):
    """A setting is unknown, of the wrong type or out of its bounds."""


class CandleError(InputError):
    """A candle or a candle file breaks a rule of rulebook 1."""


class StrategyError(InputError):
    """A strategy is unknown, wrongly set up, or looks ahead."""


class StorageError(InputError):
    """A database does not fit the code or the settings."""


class OperationError(AutotraderError):
    """Something outside failed: a process, a disk, a lock."""


class TakenOver(OperationError):
    """Another engine has taken over the database of this one."""


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest allowed one, else all of them."""
    names = sorted(allowed)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "allowed: " + ", ".join(names) if names else "none is allowed here"
