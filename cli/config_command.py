"""`autotrader config show|set|reset`."""

from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, group

command = group("Show, set and reset settings.")
HIDDEN = "(hidden)"


@command.command()
def show(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Every setting, its value, and where that comes from; secrets are hidden."""
    from cli.output import print_json, print_table
    from cli.stored_settings import load_with_changes

    loaded = load_with_changes(config)
    listed = [(key, _public(value), source) for key, value, source in loaded.listed()]
    if as_json:
        print_json({key: {"value": value, "source": source} for key, value, source in listed})
        return
    title = f"Settings of {loaded.file}" if loaded.file else "Settings (no autotrader.toml here)"
    print_table(
        title, ("setting", "value", "from"), [(key, _shown(value), source) for key, value, source in listed]
    )


@command.command("set")
def set_(
    key: Annotated[str, typer.Argument(help="Such as risk.stop_loss_percent or cross.fast.")],
    value: Annotated[str, typer.Argument(help="The new value.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Change a setting; the change is stored, and wins until it is reset.

    Limits (risk.*), and weight and enabled of a strategy, are in force at once where an engine runs on this
    database; every other setting from the next start on.
    """
    from cli.live_settings import changed_live
    from cli.output import print_json
    from cli.stored_settings import checked_change, store_change
    from trading.setting_keys import parse_scalar

    change = checked_change(config, key, value)
    live = changed_live(config, change)
    if not live:
        store_change(change)
    when = "now" if live else "next start"
    if as_json:
        print_json({"key": change.key, "value": parse_scalar(change.value), "in_force": when})
    else:
        since = "in force now, in the running engine too," if live else "from the next start on"
        print(f"{change.key} = {change.value}, {since} and until it is reset")


@command.command()
def reset(
    key: Annotated[str | None, typer.Argument(help="One setting; without it, all.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """End a change, or all: file and environment are in force again from the next start on."""
    from cli.output import print_json
    from cli.stored_settings import reset_changes

    ended = reset_changes(config, key)
    if as_json:
        print_json({"reset": ended})
    else:
        print(f"reset: {', '.join(ended)}" if ended else "nothing was changed")


def _public(value: object) -> object:
    """A value without secrets."""
    from pydantic import SecretStr

    from trading.setting_types import without_password

    if isinstance(value, SecretStr):
        return HIDDEN
    return without_password(value) if isinstance(value, str) else value


def _shown(value: object) -> str:
    from cli.output import to_json

    if value is None:
        return "-"
    return value if isinstance(value, str) else to_json(value, indent="")
