"""The options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file [autotrader.toml].")
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DataOption = Annotated[
    list[str], typer.Option(metavar="SYMBOL=FILE", help="Candles of a symbol; may be repeated.")
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="First open time, included; earlier candles warm up."),
]
ToOption = Annotated[str | None, typer.Option(metavar="DATE", help="Last open time, excluded.")]
OutOption = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the result files here.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


def group(text: str) -> typer.Typer:
    """A command with subcommands; the text is its help."""
    return typer.Typer(
        help=text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
