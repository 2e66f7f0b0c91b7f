"""Every point on the way from a decision to a booked fill, and what may happen there: nothing is lost.

A life trades a round trip: its books are compared, it buys, its stop is placed, the stop is cancelled, it
sells. Whatever struck, the next life finds books and exchange as they must be, and trades a round trip again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.live.engine import Strike
from tests.support.live.forks import SETTLE
from tests.support.live.invariants import bare_ms
from tests.support.live.worlds import DEADLY, Forks, Template, World, a_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = (SETTLE, "BUY", "SELL")
AT_ONCE = 8
# More points than a life has, and its first ones: each is struck, or each fourth.
POINTS = range(1, 80)
EVERY = 1 if os.environ.get("AUTOTRADER_TEST_POINTS") == "all" else 4
REQUESTS: dict[str, dict[str, Any]] = {
    "the entry": {"method": "POST", "params": {"side": "BUY"}},
    "the stop": {"method": "POST", "params": {"type": "STOP_LOSS_LIMIT"}},
    "the exit": {"method": "POST", "params": {"side": "SELL", "type": "MARKET"}},
    "the cancel": {"method": "DELETE"},
}
LOST: dict[str, dict[str, Any]] = {
    "reset before": {"reset": True},
    "reset after": {"reset": True, "executed": True},
    "503 before": {"status": 503, "code": -1007},
    "503 after": {"status": 503, "code": -1007, "executed": True},
    "late after a time-out": {"hold_ms": 2_500, "reset": True, "late_ms": 300},
    "malformed": {"executed": True, "body": "[]"},
    "cut": {"executed": True, "cut": True},
}
NewWorld = Callable[[str], AbstractAsyncContextManager[World]]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def new_world(forks: Forks, template: Template, tmp_path: Path) -> NewWorld:
    return lambda name: a_world(tmp_path / name, template, forks)


async def everywhere(cases: Iterable[Any], try_one: Callable[[Any], Awaitable[list[str]]]) -> list[str]:
    """Try all cases, some of them at once; what was wrong."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(case: Any) -> list[str]:
        async with turns:
            return [f"{case}: {each}" for each in await try_one(case)]

    return [each for found in await asyncio.gather(*map(one, cases)) for each in found]


async def struck(new_world: NewWorld, strike: Strike, point: int | str) -> list[str]:
    """Strike one life at a point, then let another one go on."""
    async with new_world(f"{strike.name}-{point}".replace(" ", "-")) as world:
        if strike is Strike.DEATH_ON_THE_WAY:
            world.exchange.fault(path="/order", late_ms=120, hold_ms=500, status=503)
        found = await world.live(STEPS, point, strike)
        where = world.trace()[-1]
        world.exchange.clear()
        if strike in DEADLY:
            found += await world.live(STEPS)
        bare = bare_ms(world.journal(), world.exchange.truth(), world.run.engine_id)
        found += [f"I3: bare for {bare} ms"] if bare > 5_000 else []
        return [f"{where}: {each}" for each in found]


async def test_a_life_trades_a_round_trip_at_the_exchange(new_world: NewWorld) -> None:
    async with new_world("quiet") as world:
        assert await world.live(STEPS) == []
        truth, points = world.exchange.truth(), world.trace()
    assert [(fill.side, fill.symbol) for fill in truth.fills] == [("BUY", "BTC/USDT"), ("SELL", "BTC/USDT")]
    assert [(order.type, order.status) for order in truth.orders] == [
        ("MARKET", "FILLED"),
        ("STOP_LOSS_LIMIT", "CANCELED"),
        ("MARKET", "FILLED"),
    ]
    assert 40 <= len(points) <= POINTS.stop


async def test_a_killed_process_at_any_point_loses_and_doubles_nothing(new_world: NewWorld) -> None:
    assert await everywhere(POINTS, partial(struck, new_world, Strike.DEATH)) == []


@pytest.mark.parametrize("strike", [Strike.EXECUTION, Strike.RISK, Strike.PERSISTENCE, Strike.DATABASE])
async def test_one_actor_that_dies_at_any_point_loses_and_doubles_nothing(
    new_world: NewWorld, strike: Strike
) -> None:
    first = list(Strike).index(strike) % EVERY
    assert await everywhere(POINTS[first::EVERY], partial(struck, new_world, strike)) == []


async def test_a_process_that_dies_while_its_request_is_on_its_way_finds_what_became_of_it(
    new_world: NewWorld,
) -> None:
    kinds = ["send (BUY market)", "send (SELL stop)", "cancel", "send (SELL market)"]
    points = [f"exchange.{kind} asked" for kind in kinds]
    assert await everywhere(points, partial(struck, new_world, Strike.DEATH_ON_THE_WAY)) == []


async def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_sent_again(new_world: NewWorld) -> None:
    async def lose(case: tuple[str, str]) -> list[str]:
        request, how = case
        async with new_world("-".join(case).replace(" ", "-")) as world:
            world.exchange.fault(path="/order", **REQUESTS[request], **LOST[how])
            found = await world.live(STEPS)
            faulty = [each for each in world.exchange.truth().requests if each.faulty]
            return found if faulty else [*found, "the fault met no request"]

    assert await everywhere([(each, how) for each in REQUESTS for how in LOST], lose) == []
