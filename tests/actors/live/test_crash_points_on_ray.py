"""A whole engine as a user starts it: kill -9 of each of its processes while an order is on its way."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.live.invariants import bare_ms
from tests.support.live.whole import WholeEngine
from trading.state import EngineState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START_SECONDS = 90.0
AGAIN_SECONDS = 60.0
# The answer comes late, and the order is there at once; or the order comes late, and its answer never.
ANSWER_LATE: dict[str, Any] = {"path": "/order", "hold_ms": 1_000, "executed": True}
ORDER_LATE: dict[str, Any] = {"path": "/order", "late_ms": 700, "hold_ms": 1_500, "reset": True}
ENTRY: dict[str, Any] = {"method": "POST", "params": {"side": "BUY"}}
STOP: dict[str, Any] = {"method": "POST", "params": {"type": "STOP_LOSS_LIMIT"}}
EXIT: dict[str, Any] = {"method": "POST", "params": {"side": "SELL", "type": "MARKET"}}
CANCEL: dict[str, Any] = {"method": "DELETE"}
POINTS = [
    ("execution", "BUY", ENTRY | ANSWER_LATE),
    ("execution", "SELL", EXIT | ORDER_LATE),
    ("risk", "BUY", ENTRY | ANSWER_LATE),
    ("execution", "SELL", CANCEL | ANSWER_LATE),
    ("persistence", "BUY", ENTRY | ANSWER_LATE),
    ("market data", "SELL", EXIT | ANSWER_LATE),
    ("strategy", "BUY", STOP | ANSWER_LATE),
    ("supervisor", "SELL", CANCEL | ANSWER_LATE),
    ("execution", "BUY", STOP | ORDER_LATE),
    ("raylet", "SELL", EXIT | ANSWER_LATE),
    ("driver", "BUY", ENTRY | ANSWER_LATE),
    ("everything", "SELL", EXIT | ORDER_LATE),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeEngine]:
    with WholeEngine(tmp_path_factory.mktemp("engine")) as engine:
        engine.start()
        assert engine.quiet(START_SECONDS) == [], engine.told()
        yield engine


def holds(state: EngineState | None) -> bool:
    """Whether anything is held."""
    return state is not None and any(each.position for each in state.symbols.values())


@pytest.mark.parametrize(("victim", "said", "fault"), POINTS)
def test_killed_while_an_order_is_on_its_way_loses_and_doubles_nothing(
    engine: WholeEngine, victim: str, said: str, fault: dict[str, Any]
) -> None:
    """One engine for all: what the last death left is where the next one strikes."""
    engine.get_ready(AGAIN_SECONDS)
    engine.set_fault(**fault)
    engine.close_candle(said)
    engine.wait_for_fault()
    assert engine.kill(victim)
    if victim in ("driver", "everything"):
        engine.start()
    assert engine.quiet(AGAIN_SECONDS) == [], engine.told()
    assert holds(engine.state()) is (said == "BUY")
    assert bare_ms(engine.entries(), engine.truth(), engine.engine_id) <= 5_000
