"""The machine that was measured, in one line."""

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def machine(peers: Iterable[str]) -> str:
    """Processor, cores, load, Python, and versions: those that count for us, and the peers'."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    ours = ", ".join(f"{name} {version(name)}" for name in ("numba", "polars", "ray"))
    said = (f"{_processor()}, {cores} cores, load {load:.1f}", f"Python {platform.python_version()}, {ours}")
    return "; ".join([*said, *(peer for peer in peers if peer)])


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
