"""The command `make bench`: this project beside vectorbt and backtesting.py, on the same candles, in one run.

A seeded year of SIMULATED minutes; SMA 20/50 cross, 5 % of equity, 5 % stop, 0.1 % fee, next open (job.toml).
Everything is compiled and run once before it is timed, then measured in turn, and medians count. The
projects' trades and equities differ a little, since their rules do: the docstrings in `peers` say where.
Run it on a quiet machine.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.machine import machine
from benchmarks.measures import (
    ENGINES,
    LONG_CANDLES,
    OURS,
    PARTS,
    PEERS,
    TASKS,
    long_take,
    measure,
    process_takes,
    server_takes,
    sweep_takes,
)
from benchmarks.processes import ROOT, run_once, serving
from benchmarks.report import Report
from trading.errors import AutotraderError

YEAR_OF_MINUTES = 525_600
FEWEST_CANDLES = 2_000


def main() -> int:
    """Measure as the options say, print, and return the exit code."""
    parser = _options()
    options = parser.parse_args()
    if not (options.alone or options.peers.exists()):
        parser.error(f"--peers: {options.peers} is missing; `make bench` makes it, --alone does without")
    try:
        with TemporaryDirectory(prefix="benchmarks-") as folder:
            _print(_measured(options, Path(folder)), options.json)
    except AutotraderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def sample_file(folder: Path, candles: int) -> Path:
    """A Parquet file of so many SIMULATED minutes."""
    file = folder / f"{candles}.parquet"
    command = [sys.executable, "-m", "cli", "data", "sample", str(file)]
    run_once([*command, "--candles", str(candles), "--timeframe", "1m"], folder)
    return file


def _measured(options: argparse.Namespace, folder: Path) -> Report:
    peers = None if options.alone else options.peers.absolute()
    parts = {*options.only, "long"} if options.long else {*options.only}
    file = sample_file(folder, options.candles)
    with ExitStack() as stack:
        servers = [
            (project, stack.enter_context(serving(command, file, folder)))
            for project, command in (_servers(peers) if parts & set(TASKS) else [])
        ]
        about = machine(server.version for _, server in servers)
        takes = server_takes(servers, parts)
        if "process" in parts:
            takes += process_takes(file, folder, peers)
        if "sweep" in parts:
            takes += sweep_takes(file, folder)
        samples = measure(takes, options.repeats, _say)
    if "long" in parts:
        samples |= measure([long_take(sample_file(folder, LONG_CANDLES), folder)], 1, _say)
    return Report(about, options.candles, options.repeats, samples)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        from cli.output import print_json

        print_json(report.document())
    else:
        report.print()


def _servers(peers: Path | None) -> list[tuple[str, list[str]]]:
    """The measured processes: whose they are, and their commands."""
    commands = [(OURS, [sys.executable, "-m", module]) for module in ENGINES]
    if peers is not None:
        commands += [(project, [str(peers), "-m", module]) for project, module in PEERS.items()]
    return commands


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    usual = [part for part in PARTS if part != "long"]
    parser.add_argument(
        "--only",
        type=_parts,
        default=usual,
        metavar="PART,...",
        help=f"Of {', '.join(PARTS)} [all but long].",
    )
    parser.add_argument("--long", action="store_true", help="Also 100,000 trials on a short file.")
    parser.add_argument("--candles", type=_at_least(FEWEST_CANDLES), default=YEAR_OF_MINUTES, metavar="N")
    parser.add_argument("--repeats", type=_at_least(1), default=5, metavar="N")
    parser.add_argument("--alone", action="store_true", help="Without the other libraries.")
    parser.add_argument(
        "--peers",
        type=Path,
        default=ROOT / ".venv-bench" / "bin" / "python",
        metavar="PYTHON",
        help="The Python that has the other libraries [.venv-bench/bin/python].",
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON document, with every sample.")
    return parser


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    for part in parts:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"{part!r} is not one of {', '.join(PARTS)}")
    return parts


def _at_least(least: int) -> Any:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least:,} on")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
