"""What commands print: tables for people, one JSON document for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def to_json(value: object, indent: str = "\n") -> str:
    """JSON text with exact decimals; everything unknown is written as a text."""
    inner = indent + "  "
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        items = [f"{json.dumps(str(name))}: {to_json(each, inner)}" for name, each in value.items()]
        return "{" + inner + ("," + inner).join(items) + indent + "}" if items else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_json(each, inner) for each in value) + "]"
    return json.dumps(value, default=str, ensure_ascii=False)


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    print(to_json(value))


def printable(text: str) -> str:
    """The text with what would steer the terminal made visible; its lines stay."""
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def plain(value: Decimal) -> str:
    """A number with its thousands, and without needless zeros."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def console() -> "Console":
    """Where people read: stdout, as wide as the terminal, 80 columns elsewhere."""
    from rich.console import Console

    return Console(highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; a column whose name begins with > is aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console().print(table)


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
