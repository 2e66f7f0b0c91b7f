"""`autotrader strategies`."""

from typing import TYPE_CHECKING

from cli.options import ConfigOption, JsonOption, VerboseOption

if TYPE_CHECKING:
    from trading.settings import StrategySettings
    from trading.strategies.parameters import ParameterInfo
    from trading.strategies.registry import StrategyType


def command(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List the strategy types and the configured strategies."""
    from cli.stored_settings import load_with_changes
    from trading.strategies.registry import available, made_strategies

    settings = load_with_changes(config).settings
    made_strategies(settings)
    types = available()
    if as_json:
        _print_json(types, settings.strategies)
    else:
        _print_tables(types, settings.strategies)


def _print_json(types: "list[StrategyType]", configured: "tuple[StrategySettings, ...]") -> None:
    import msgspec

    from cli.output import print_json

    print_json(
        {
            "types": [msgspec.to_builtins(each) for each in types],
            "configured": [each.model_dump() for each in configured],
        }
    )


def _print_tables(types: "list[StrategyType]", configured: "tuple[StrategySettings, ...]") -> None:
    from cli.output import print_table

    for each in types:
        print(f"{each.name} ({each.source})")
        print(f"  {each.doc.partition(chr(10))[0]}")
        for parameter in each.parameters:
            doc = f": {parameter.doc}" if parameter.doc else ""
            print(f"    {parameter.name} [{parameter.default}] {_bounds(parameter)}{doc}")
        print()
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
