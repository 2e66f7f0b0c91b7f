"""Waits after failures: they double, they are bounded, and they hit who guesses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.auth.throttle import FORGET_MS, LONGEST_WAIT_MS, MOST_COUNTERS, Counters, Throttle

HOME, AWAY = "203.0.113.5", "198.51.100.7"


def guess(throttle: Throttle, now_ms: int, count: int, name: str = "anna", address: str = HOME) -> int:
    """So many failed tries, each as soon as it may begin; when the next may."""
    for _ in range(count):
        if seconds := throttle.begin(name, address, now_ms):
            now_ms += 1000 * seconds
            throttle.begin(name, address, now_ms)
    return now_ms


def test_first_five_tries_are_free_and_then_waits_double_to_five_minutes() -> None:
    throttle, now_ms, waits = Throttle(), 0, []
    for _ in range(16):
        seconds = throttle.begin("anna", HOME, now_ms)
        waits.append(seconds)
        if seconds:
            now_ms += 1000 * seconds
            assert throttle.begin("anna", HOME, now_ms) == 0
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_wait_is_told_in_whole_seconds_until_it_is_over() -> None:
    throttle = Throttle()
    for _ in range(5):
        assert throttle.begin("anna", HOME, 0) == 0
    assert [throttle.begin("anna", HOME, now_ms) for now_ms in (0, 999, 1000)] == [1, 1, 0]


def test_guesser_at_one_place_keeps_no_one_out_at_another() -> None:
    throttle = Throttle()
    now_ms = guess(throttle, 0, 50)
    assert throttle.begin("anna", HOME, now_ms) > 0
    assert throttle.begin("anna", AWAY, now_ms) == 0


def test_guesser_of_many_names_waits_as_well() -> None:
    throttle = Throttle()
    assert [throttle.begin(f"name{number}", HOME, 0) for number in range(6)] == [0, 0, 0, 0, 0, 1]


def test_addresses_of_one_ipv6_network_are_one_place() -> None:
    throttle = Throttle()
    for number in range(5):
        assert throttle.begin("anna", f"2001:db8::{number}", 0) == 0
    assert throttle.begin("anna", "2001:db8::ffff", 0) == 1
    assert throttle.begin("anna", "2001:db8:0:1::1", 0) == 0


def test_ipv4_written_as_ipv6_is_the_same_place() -> None:
    throttle = Throttle()
    guess(throttle, 0, 5)
    assert throttle.begin("anna", f"::ffff:{HOME}", 0) == 1


def test_success_frees_the_account_but_buys_no_guesses_at_others() -> None:
    throttle = Throttle()
    for number in range(4):
        throttle.begin(f"name{number}", HOME, 0)
    for _ in range(3):
        assert throttle.begin("mallory", HOME, 0) == 0
        throttle.succeeded("mallory", HOME, 0)
    assert throttle.begin("name5", HOME, 0) == 0
    assert throttle.begin("name6", HOME, 0) == 1


def test_success_after_mistakes_lets_in_at_once_the_next_time() -> None:
    throttle = Throttle()
    for _ in range(4):
        assert throttle.begin("anna", HOME, 0) == 0
    throttle.succeeded("anna", HOME, 0)
    assert throttle.begin("anna", HOME, 0) == 0


def test_try_that_was_not_made_does_not_count() -> None:
    throttle = Throttle()
    for _ in range(100):
        assert throttle.begin("anna", HOME, 0) == 0
        throttle.untried("anna", HOME, 0)


def test_everything_is_forgotten_a_quarter_of_an_hour_after_the_wait() -> None:
    counters = Counters()
    for _ in range(30):
        counters.failed("anna", 0)
    assert counters.wait_ms("anna", 0) == LONGEST_WAIT_MS
    counters.failed("anna", LONGEST_WAIT_MS + FORGET_MS - 1)
    assert counters.wait_ms("anna", LONGEST_WAIT_MS + FORGET_MS - 1) == LONGEST_WAIT_MS
    much_later = 3 * (LONGEST_WAIT_MS + FORGET_MS)
    counters.failed("anna", much_later)
    assert counters.wait_ms("anna", much_later) == 0


def test_memory_is_bounded_and_the_newest_are_kept() -> None:
    counters = Counters()
    for number in range(MOST_COUNTERS + 500):
        for _ in range(5):
            counters.failed(f"name{number}", 0)
    assert len(counters) == MOST_COUNTERS
    assert counters.wait_ms("name0", 0) == 0
    assert counters.wait_ms(f"name{MOST_COUNTERS + 499}", 0) > 0


@given(st.lists(st.tuples(st.sampled_from(["begin", "succeeded", "untried"]), st.integers(0, 10**6))))
def test_wait_never_exceeds_five_minutes(steps: list[tuple[str, int]]) -> None:
    throttle, now_ms = Throttle(), 0
    for step, later in steps:
        now_ms += later
        waited = getattr(throttle, step)("anna", HOME, now_ms)
        if step == "begin":
            assert 0 <= waited <= LONGEST_WAIT_MS // 1000
            assert throttle.begin("anna", HOME, now_ms + 1000 * waited) >= 0


@pytest.mark.parametrize("address", ["", "this machine", "unknown", "not an address\x00"])
def test_address_that_is_none_is_a_place_too(address: str) -> None:
    throttle = Throttle()
    assert [throttle.begin("anna", address, 0) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
