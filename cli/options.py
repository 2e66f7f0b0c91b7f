"""The options that several commands have."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
SymbolsOption = Annotated[
    list[str] | None, typer.Option("--symbol", metavar="SYMBOL", help="Only this symbol; may be repeated.")
]
SinceOption = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First time, included.")]
UntilOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last time, excluded.")]
LimitOption = Annotated[int, typer.Option(min=1, metavar="N", help="At most so many, the newest.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


class _UsualGroup(TyperGroup):
    """Puts the usual subcommand in front of arguments that name none."""

    usual = ""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """See TyperGroup."""
        names_none = not args or (args[0].startswith("-") and args[0] not in ("--help", "-h"))
        return super().parse_args(ctx, [self.usual, *args] if names_none else args)


def default_group(text: str, usual: str) -> typer.Typer:
    """A command with subcommands, of which `usual` is meant when none is named."""
    app = group(text)
    app.info.cls = type("Group", (_UsualGroup,), {"usual": usual})
    return app


def group(text: str) -> typer.Typer:
    """A command with subcommands; the text is its help."""
    return typer.Typer(
        help=text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
