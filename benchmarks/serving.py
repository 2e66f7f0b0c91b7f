"""A measured process: it reads a file of candles once, and then does tasks by name and times them.

`python -m MODULE FILE` answers every task named on a line of stdin with a line of JSON; `python -m MODULE
FILE TASK` does one and ends. Only the standard library is needed, since the peers' environment is not ours.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Task(NamedTuple):
    """What is timed, and what is asked of its result afterwards: closed trades and final equity in quote
    (of several trials, their sum and their mean)."""

    run: Callable[[], Any]
    outcome: Callable[[Any], tuple[int, float]]


def timed(task: Task) -> dict[str, float]:
    """Do a task once: seconds, trades, final equity, and this process's peak memory in MB."""
    start = time.perf_counter()
    result = task.run()
    seconds = time.perf_counter() - start
    trades, final_equity = task.outcome(result)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "trades": trades, "final_equity": final_equity, "peak_mb": peak_mb}


def serve(tasks_on: Callable[[Path], Mapping[str, Task]], version: str = "") -> None:
    """The life of a measured process, as the command line asks for it; `version` names a peer."""
    answers = os.fdopen(os.dup(1), "w")
    # What a library prints is not an answer.
    os.dup2(2, 1)
    file, *once = sys.argv[1:]
    tasks = tasks_on(Path(file))

    def answer(facts: Mapping[str, Any]) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    if once:
        answer(timed(tasks[once[0]]))
        return
    answer({"version": version, "tasks": list(tasks)})
    for line in sys.stdin:
        answer(timed(tasks[line.strip()]))
