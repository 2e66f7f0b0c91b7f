"""Trading with money is an explicit act: the setting, the option, keys that may trade, and a typed word."""

import os

import typer

from trading.errors import InputError
from trading.settings import Settings

WORD = "LIVE"
KEYS = {
    "api_key": "AUTOTRADER__EXCHANGE__API_KEY",
    "api_secret": "AUTOTRADER__EXCHANGE__API_SECRET",
}


def require_both(settings: Settings, live: bool) -> None:
    """Raise InputError when only one of the setting and the option asks for money."""
    wanted = settings.engine.mode == "live"
    if wanted != live:
        there, missing = ('engine.mode = "live"', "--live") if wanted else ("--live", 'engine.mode = "live"')
        raise InputError(
            f'{there} without {missing}: trading with money needs both, the setting engine.mode = "live" and '
            "the option --live of `autotrader run`"
        )
    if wanted and settings.feed.source != "exchange":
        raise InputError(f"feed.source: it is {settings.feed.source!r}; trading with money needs 'exchange'")


def require_answerable(yes_live: bool) -> None:
    """Raise InputError where nobody can be asked and nobody answered beforehand."""
    from cli.output import on_terminal

    if not yes_live and not on_terminal():
        raise InputError(
            "--live: there is no terminal to confirm at; --yes-live starts trading with money unasked"
        )


def require_keys(settings: Settings) -> None:
    """Raise InputError when a key is missing."""
    for name, variable in KEYS.items():
        if getattr(settings.exchange, name) is None:
            raise InputError(
                f"exchange.{name}: trading with money needs it; give {variable} in the environment "
                "or in a .env of mode 0600"
            )


def hand_over_keys(settings: Settings) -> None:
    """Put the keys where execution finds them: the environment of what is started from here."""
    for name, variable in KEYS.items():
        os.environ[variable] = getattr(settings.exchange, name).get_secret_value()


def keep_keys() -> None:
    """Nobody who is started from here gets the keys: they are for trading with money alone."""
    for variable in KEYS.values():
        os.environ.pop(variable, None)


def confirm() -> None:
    """Ask for the word; raises InputError for any other."""
    typed = typer.prompt(f"Type {WORD} to trade with money", default="", show_default=False, err=True)
    if typed.strip() != WORD:
        raise InputError(f"{typed!r} is not {WORD}: nothing was started")
