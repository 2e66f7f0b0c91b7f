"""The memory of a process and of all that it started: shared pages are counted once (PSS)."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

SHORTEST_PAUSE_SECONDS = 0.2
# To look at all processes takes time from them: at most a twentieth.
PAUSES = 20

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Look:
    """The memory at one moment, in MB: of all processes, and of the first one alone."""

    at: float
    tree_mb: float
    root_mb: float


def look(root: int) -> Look:
    """The memory of a process and its descendants now; ended ones have none."""
    sizes = {pid: pss_mb(pid) for pid in tree(root)}
    return Look(time.perf_counter(), sum(sizes.values()), sizes.get(root, 0.0))


def tree(root: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(entry), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss_mb(pid: int) -> float:
    """The proportional set size of one process; 0 when it is gone or belongs to another user."""
    try:
        size = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0.0
    return int(size[1]) / 1024 if size else 0.0


def _parent(entry: Path) -> int:
    try:
        # After the name, which may hold anything and ends with the last bracket: state, parent.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1
