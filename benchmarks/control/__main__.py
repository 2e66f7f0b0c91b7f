"""`python -m benchmarks.control`, part of `make bench`: control plane and console on a running engine.

The engine trades a SIMULATED market as often as it can (settings.toml). What is compared is measured in turn
in the same run. Run it on a quiet machine. It exits with 0 whatever the figures are.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.control.engine import Engine, running
from benchmarks.control.events import event_rows
from benchmarks.control.figures import Row
from benchmarks.control.killing import kill_rows
from benchmarks.control.reading import read_rows, web_rows
from benchmarks.control.report import Report
from benchmarks.control.starting import console_rows
from benchmarks.control.subscribers import CANDLES_PER_SECOND as SLOW
from benchmarks.control.subscribers import subscriber_rows
from benchmarks.machine import machine
from trading.errors import AutotraderError

CANDLES_PER_SECOND = 5.0
# With engines of its own.
SUBSCRIBERS = "subscribers"
# A token lasts 15 minutes.
LONGEST_SECONDS = 600

# On one engine, one after the other.
PARTS: dict[str, Callable[[Engine, argparse.Namespace], list[Row]]] = {
    "read": lambda engine, options: asyncio.run(read_rows(engine, options.calls)),
    "web": lambda engine, options: asyncio.run(web_rows(engine, options.calls)),
    "event": lambda engine, options: asyncio.run(event_rows(engine, options.seconds)),
    "kill": lambda engine, options: asyncio.run(kill_rows(engine, options.kills)),
    "console": lambda engine, options: console_rows(engine, options.starts),
}


def main() -> int:
    """Measure as the options say, print, and return the exit code."""
    options = _options().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with TemporaryDirectory(prefix="benchmarks-") as folder:
            # Of this process and all that it starts.
            os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
            report = _measured(options, Path(folder))
    except AutotraderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    _print(report, options.json)
    return 0


def _measured(options: argparse.Namespace, folder: Path) -> Report:
    about = machine([f"grpcio {version('grpcio')}, textual {version('textual')}"])
    rows: list[Row] = []
    if parts := [part for part in PARTS if part in options.only]:
        _say("starting an engine")
        with running(folder / "engine", CANDLES_PER_SECOND) as engine:
            for part in parts:
                _say(f"measuring: {part}")
                rows += PARTS[part](engine, options)
    if SUBSCRIBERS in options.only:
        rows += subscriber_rows(folder, options.subscribers, options.subscriber_seconds, _say)
    return Report(about, _settings(), rows)


def _settings() -> str:
    """What the figures were taken on, beside the machine."""
    return (
        f"SIMULATED market, 4 symbols, 2 strategies, SQLite; {CANDLES_PER_SECOND:g} candles/s, "
        f"with subscribers and without {SLOW:g}/s"
    )


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        from cli.output import print_json

        print_json(report.document())
    else:
        report.print()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__)
    parts = [*PARTS, SUBSCRIBERS]
    parser.add_argument(
        "--only", type=_parts, default=parts, metavar="PART,...", help=f"Of {', '.join(parts)} [all]."
    )
    for name, usual, most, what in (
        ("calls", 2_000, 1_000_000, "Calls of each kind, of read and web."),
        ("seconds", 60, LONGEST_SECONDS, "How long events are watched."),
        ("subscribers", 200, 300, "How many there are."),
        ("subscriber-seconds", 120, LONGEST_SECONDS, "How long, with them and without."),
        ("kills", 20, 1_000, "Kills, each with its reset."),
        ("starts", 5, 1_000, "Starts of the console and of status."),
    ):
        parser.add_argument(
            f"--{name}", type=_at_most(most), default=usual, metavar="N", help=f"{what} [{usual:,}]"
        )
    parser.add_argument("--json", action="store_true", help="Print one JSON document, with every sample.")
    return parser


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    for part in parts:
        if part not in {*PARTS, SUBSCRIBERS}:
            raise argparse.ArgumentTypeError(f"{part!r} is not one of {', '.join([*PARTS, SUBSCRIBERS])}")
    return parts


def _at_most(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most:,}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
