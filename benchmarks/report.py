"""What the benchmarks found: tables for people, one document for programs."""

from dataclasses import dataclass
from typing import Any

from benchmarks.measures import BACKTESTING, OURS, PEERS, VECTORBT, Samples, outcomes
from benchmarks.rows import Row, rows_of


@dataclass(frozen=True)
class Report:
    """All samples of a run, and on what machine and how many candles they were taken."""

    machine: str
    candles: int
    repeats: int
    samples: Samples

    def print(self) -> None:
        """Print the medians beside the peers', and what each project's run ended with."""
        from cli.output import print_table

        print(self.machine)
        title = (
            f"{self.candles:,} SIMULATED candles, medians of {self.repeats}; x = times better than the peer"
        )
        columns = (
            "measure",
            "",
            f">{OURS}",
            f">{VECTORBT}",
            ">x",
            f">{BACKTESTING.removesuffix('.py')}",
            ">x",
        )
        print_table(title, columns, map(_cells, rows_of(self.samples, self.candles)))
        if ends := outcomes(self.samples):
            shown = [(e["task"], e["project"], f"{e['trades']:,}", f"{e['final_equity']:,.2f}") for e in ends]
            print_table("The same job", ("task", "project", ">closed trades", ">final equity"), shown)

    def document(self) -> dict[str, Any]:
        """Everything, every sample too."""
        return {
            "machine": self.machine,
            "candles": self.candles,
            "repeats": self.repeats,
            "rows": [
                {
                    "measure": row.title,
                    "unit": row.unit,
                    "values": row.values,
                    "times_better": {peer: row.times_better(peer) for peer in PEERS},
                }
                for row in rows_of(self.samples, self.candles)
            ],
            "outcomes": outcomes(self.samples),
            "samples": [
                {
                    "task": name,
                    "project": project,
                    "taken": [{"seconds": s.seconds, **s.facts} for s in taken],
                }
                for (name, project), taken in self.samples.items()
            ],
        }


def _cells(row: Row) -> list[str]:
    cells = [row.title, row.unit, _number(row.values.get(OURS))]
    for peer in (VECTORBT, BACKTESTING):
        cells += [_number(row.values.get(peer)), _number(row.times_better(peer))]
    return cells


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
