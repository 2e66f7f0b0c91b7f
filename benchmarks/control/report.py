"""What was found: a table for people, one document for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.control.figures import Figures, Row

COLUMNS = ("measure", "unit", ">p50", ">p99", "beside: p50, p99", "target: figure", "reached")


@dataclass(frozen=True)
class Report:
    """All rows, and where they were taken: machine and settings in words."""

    machine: str
    settings: str
    rows: Sequence[Row]

    def print(self) -> None:
        """Print the table."""
        from cli.output import print_table

        print(self.machine)
        print(self.settings)
        print_table("", COLUMNS, map(_cells, self.rows))

    def document(self) -> dict[str, Any]:
        """Everything, every sample too."""
        return {
            "machine": self.machine,
            "settings": self.settings,
            "rows": [_document(row) for row in self.rows],
        }


def _cells(row: Row) -> list[str]:
    beside = f"{row.peer}: {_both(row.beside)}" if row.beside is not None else ""
    cells = [row.measure, row.unit, _number(row.figures.p50), _number(row.figures.p99), beside]
    if row.target is None:
        return [*cells, "", ""]
    judged = f"{row.target.words}: {_number(row.target.figure)}"
    return [*cells, judged, "yes" if row.target.reached else "NO"]


def _both(figures: Figures) -> str:
    return f"{_number(figures.p50)}, {_number(figures.p99)}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _document(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = {"measure": row.measure, "unit": row.unit, **_figures(row.figures)}
    if row.beside is not None:
        document["beside"] = {"what": row.peer, **_figures(row.beside)}
    if row.target is not None:
        target = row.target
        document["target"] = {
            "words": target.words, "figure": target.figure, "limit": target.limit, "reached": target.reached,
        }  # fmt: skip
    return document


def _figures(figures: Figures) -> dict[str, Any]:
    return {"p50": figures.p50, "p99": figures.p99, "samples": figures.samples}
