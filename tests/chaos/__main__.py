"""`python -m tests.chaos --kills 1000 --seed 1`: random deaths of live engines, and what they lost.

Each death strikes a trading engine (persistence, execution and risk with the real ccxt, at an exchange of its
own) at a random point, often while the exchange fails too; then the next life goes on with the same account,
and what the exchange holds is compared with what is stored. Death number n of a seed is always the same.
`--whole` kills processes of an engine as a user starts it instead, Ray's own among them; some tens of seconds
each. Results are appended to a file; `--resume` goes on after the deaths that are in it.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.whole import kill_all_of
from tests.support.live.engine import Strike
from tests.support.live.forks import SETTLE
from tests.support.live.worlds import DEADLY, Forks, Template, World, a_world

STEPS = (SETTLE, "BUY", "SELL")
POINTS = 80
# A world is left after so many deaths: its journal is read whole after each.
DEATHS_A_WORLD = 40
REQUESTS: tuple[dict[str, Any], ...] = (
    {"method": "POST", "params": {"side": "BUY"}},
    {"method": "POST", "params": {"type": "STOP_LOSS_LIMIT"}},
    {"method": "POST", "params": {"side": "SELL", "type": "MARKET"}},
    {"method": "DELETE"},
    {"method": "GET"},
)
FAULTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "reset before": {"reset": True},
    "reset after": {"reset": True, "executed": True},
    "503 before": {"status": 503, "code": -1007},
    "503 after": {"status": 503, "code": -1007, "executed": True},
    "late": {"hold_ms": 900, "reset": True, "late_ms": 300},
    "malformed": {"executed": True, "body": "[]"},
    "cut": {"executed": True, "cut": True},
    "refused": {"code": -2010, "message": "Account has insufficient balance for requested action."},
}


def death_of(seed: int, number: int) -> tuple[Strike, int, str, dict[str, Any]]:
    """Death `number` of a seed: what strikes, at which point, and what the exchange does then."""
    chance = random.Random(f"{seed}-{number}")
    strike = chance.choice(list(Strike))
    fault = chance.choice(list(FAULTS))
    request = chance.choice(REQUESTS)
    rule = {"path": "/order", **request, **FAULTS[fault]} if FAULTS[fault] else {}
    return strike, chance.randrange(1, POINTS), fault, rule


class Campaign:
    """The deaths that are left, dealt out to worlds that live side by side."""

    def __init__(self, seed: int, kills: int, results: Path, done: dict[int, dict[str, Any]]) -> None:
        self.seed, self.kills, self.results, self.done = seed, kills, results, done
        self._left: Iterator[int] = iter([each for each in range(1, kills + 1) if each not in done])
        self._since = time.monotonic()
        self._before = len(done)

    async def run(self, worlds: int, folder: Path, template: Template, forks: Forks) -> None:
        """Until no death is left."""
        await asyncio.gather(
            *(self._one_world(f"{place}", folder, template, forks) for place in range(worlds))
        )

    async def _one_world(self, name: str, folder: Path, template: Template, forks: Forks) -> None:
        turn = 0
        while True:
            turn += 1
            dealt = [number for _, number in zip(range(DEATHS_A_WORLD), self._left, strict=False)]
            if not dealt:
                return
            where = folder / f"world-{name}-{turn}-{time.time_ns()}"
            async with a_world(where, template, forks) as world:
                for number in dealt:
                    if not await self._die(world, number):
                        break

    async def _die(self, world: World, number: int) -> bool:
        """One death and the life after it; whether the world can go on."""
        strike, point, fault, rule = death_of(self.seed, number)
        if rule:
            world.exchange.fault(**rule)
        found = await world.live(STEPS, point, strike)
        trace = world.trace()
        world.exchange.clear()
        if strike in DEADLY:
            found += await world.live(STEPS)
        self._note(number, strike, fault, trace[-1] if trace else "", found)
        return not found

    def run_whole(self) -> None:
        """As `run`, on one whole engine at a time."""
        kill_all_of(self.seed, list(self._left), FAULTS, REQUESTS, self._note)

    def _note(self, number: int, strike: str, fault: str, where: str, found: list[str]) -> None:
        result: dict[str, Any] = {"seed": self.seed, "kill": number, "strike": str(strike), "fault": fault}
        result |= {"where": where, "found": found}
        self.done[number] = result
        with self.results.open("a") as file:
            file.write(json.dumps(result) + "\n")
        seconds = (time.monotonic() - self._since) / max(len(self.done) - self._before, 1)
        word = "; ".join(found) if found else "ok"
        print(
            f"{len(self.done)}/{self.kills}  {seconds:.1f} s each  kill {number}: {strike}, "
            f"exchange: {fault}, at {where!r}: {word}",
            flush=True,
        )


def read_results(results: Path, seed: int, kills: int) -> dict[int, dict[str, Any]]:
    """The deaths of this seed that are in the file."""
    if not results.exists():
        return {}
    rows = [json.loads(line) for line in results.read_text().splitlines() if line.strip()]
    return {row["kill"]: row for row in rows if row["seed"] == seed and row["kill"] <= kills}


def summary(campaign: Campaign) -> int:
    """Tell what became of it; the exit code."""
    bad = {number: row for number, row in campaign.done.items() if row["found"]}
    print(
        f"seed {campaign.seed}: {len(campaign.done)} deaths, {len(bad)} with something lost, doubled or bare"
    )
    for number, row in sorted(bad.items()):
        print(f"  kill {number} ({row['strike']}, {row['fault']}, at {row['where']!r}): {row['found']}")
    return 1 if bad else 0


def main() -> int:
    """Run the deaths that the command line asks for."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many deaths")
    parser.add_argument("--seed", type=int, default=1, help="which deaths")
    parser.add_argument("--worlds", type=int, default=4, help="how many engines side by side")
    parser.add_argument("--folder", type=Path, default=Path("build/chaos"), help="databases and results")
    parser.add_argument("--resume", action="store_true", help="go on after the deaths in the results file")
    parser.add_argument("--whole", action="store_true", help="whole engines on Ray, as a user starts them")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    results = chosen.folder / ("whole.jsonl" if chosen.whole else "results.jsonl")
    done = read_results(results, chosen.seed, chosen.kills) if chosen.resume else {}
    if not chosen.resume:
        results.unlink(missing_ok=True)
    campaign = Campaign(chosen.seed, chosen.kills, results, done)
    template_folder = chosen.folder / f"template-{time.time_ns()}"
    template_folder.mkdir()
    try:
        if chosen.whole:
            campaign.run_whole()
            return summary(campaign)
        with Forks() as forks:
            asyncio.run(campaign.run(chosen.worlds, chosen.folder, Template(template_folder), forks))
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from here", file=sys.stderr)
    return summary(campaign)


if __name__ == "__main__":
    sys.exit(main())
