"""HTML from templates in which everything that is not markup already is escaped."""

import html as _html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Html(str):
    """Markup: goes into a page as it is. Made by `html` and `joined` only."""

    __slots__ = ()


@dataclass(frozen=True)
class Column:
    """A table's column: its heading, and whether it holds numbers (aligned to the right)."""

    heading: str
    number: bool = False


def html(template: str, **values: object) -> Html:
    """A template with every `{name}` replaced by its value, escaped unless it is Html."""
    safe = {name: each if isinstance(each, Html) else escaped(each) for name, each in values.items()}
    return Html(template.format_map(safe))


def joined(parts: Iterable[Html]) -> Html:
    """Pieces of markup, one after the other."""
    return Html("".join(parts))


def escaped(value: object) -> str:
    """Any text as HTML shows it, in an element or in a quoted attribute."""
    return _html.escape(str(value), quote=True)


def chart_text(value: object) -> str:
    """Any text as a chart shows it: plotly reads a small HTML of its own in names, ticks and hovers."""
    return _html.escape(str(value), quote=False)


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Html:
    """A table in a box of its own that scrolls when it is too wide."""
    head = joined(html("<th scope='col'{kind}>{text}</th>", kind=_kind(c), text=c.heading) for c in columns)
    body = joined(_row(columns, row) for row in rows)
    return html(
        "<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>",
        head=head,
        body=body,
    )


def _row(columns: Sequence[Column], row: Sequence[object]) -> Html:
    cells = (
        html("<td{kind}>{cell}</td>", kind=_kind(column), cell=cell)
        for column, cell in zip(columns, row, strict=True)
    )
    return html("<tr>{cells}</tr>", cells=joined(cells))


def _kind(column: Column) -> Html:
    return Html(" class='number'" if column.number else "")


def note(text: str) -> Html:
    """A sentence in small letters under a chart or in place of one."""
    return html("<p class='note'>{text}</p>", text=text)
