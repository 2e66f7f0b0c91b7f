"""The exchange's time as it is known here."""

import pytest

from actors.execution import server_clock
from actors.execution.server_clock import ServerClock


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The machine's monotonic clock: the test sets its only item."""
    now = [50_000]
    monkeypatch.setattr(server_clock, "_monotonic_ms", lambda: now[0])
    monkeypatch.setattr(server_clock, "_wall_ms", lambda: 1_000_000)
    return now


def test_time_is_the_machines_until_the_exchange_tells_it(here: list[int]) -> None:
    clock = ServerClock()
    here[0] += 5
    assert (clock.now_ms(), clock.known) == (1_000_005, False)


def test_time_told_stood_in_the_middle_of_the_question(here: list[int]) -> None:
    clock = ServerClock()
    here[0] += 100
    clock.told(7_000_000, here[0] - 60)
    assert clock.now_ms() == 7_000_030
    here[0] += 1_000
    assert clock.now_ms() == 7_001_030


@pytest.mark.parametrize("jump_ms", [30_000, -30_000, 2_000])
def test_clock_that_was_set_is_followed_at_its_old_speed(here: list[int], jump_ms: int) -> None:
    clock = ServerClock()
    clock.told(7_000_000, here[0])
    here[0] += 1_000
    clock.told(7_001_000 + jump_ms, here[0])
    here[0] += 500
    assert clock.now_ms() == 7_001_500 + jump_ms


@pytest.mark.parametrize("speed", [60, 0, 0.5])
def test_clock_of_another_speed_is_followed_once_two_spans_agree(here: list[int], speed: float) -> None:
    clock = ServerClock()
    for span in (0, 300, 600):
        here[0] += span
        clock.told(7_000_000 + int(speed * (here[0] - 50_000)), here[0])
    here[0] += 1_000
    assert clock.now_ms() == 7_000_000 + int(speed * (here[0] - 50_000))


def test_clock_that_runs_a_little_unevenly_is_not_of_another_speed(here: list[int]) -> None:
    clock = ServerClock()
    for span, server_ms in ((0, 0), (300, 330), (300, 660)):
        here[0] += span
        clock.told(7_000_000 + server_ms, here[0])
    here[0] += 1_000
    assert clock.now_ms() == 7_001_660
