"""The strategy types of this installation, and the strategies of the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading.settings import StrategySettings
    from trading.strategies.parameters import ParameterInfo
    from trading.strategies.registry import StrategyType


def show_configured(config: Path | None, as_json: bool, only_types: bool) -> None:
    """Print the types and, unless only they are asked for, the configured strategies.

    Raises InputError for one that cannot be made.
    """
    from cli.stored_settings import load_with_changes
    from trading.strategies.registry import available, made_strategies

    if only_types:
        configured: tuple[StrategySettings, ...] | None = None
    else:
        settings = load_with_changes(config).settings
        made_strategies(settings)
        configured = settings.strategies
    if as_json:
        _print_json(available(), configured)
    else:
        _print_tables(available(), configured)


def _print_json(types: "list[StrategyType]", configured: "tuple[StrategySettings, ...] | None") -> None:
    import msgspec

    from cli.output import print_json

    listed: dict[str, object] = {"types": [msgspec.to_builtins(each) for each in types]}
    if configured is not None:
        listed["configured"] = [each.model_dump() for each in configured]
    print_json(listed)


def _print_tables(types: "list[StrategyType]", configured: "tuple[StrategySettings, ...] | None") -> None:
    from cli.output import print_table

    for each in types:
        print(f"{each.name} ({each.source})")
        print(f"  {each.doc.partition(chr(10))[0]}")
        for parameter in each.parameters:
            doc = f": {parameter.doc}" if parameter.doc else ""
            print(f"    {parameter.name} [{parameter.default}] {_bounds(parameter)}{doc}")
        print()
    if configured is not None:
        columns = ("name", "type", ">weight", "enabled", "parameters")
        print_table("Configured", columns, map(_configured_row, configured))


def _bounds(parameter: "ParameterInfo") -> str:
    if parameter.options:
        return f"one of {', '.join(parameter.options)}"
    return f"{parameter.low} to {parameter.high}"


def _configured_row(each: "StrategySettings") -> tuple[object, ...]:
    params = ", ".join(f"{name} = {value}" for name, value in each.params.items())
    return (
        each.name,
        each.type,
        each.weight,
        "yes" if each.enabled else "no",
        params or "as the type declares",
    )
