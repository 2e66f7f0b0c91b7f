"""Passwords: argon2id, normalised, a few at a time, and no hint at which names exist."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest

from control.auth.passwords import AT_ONCE, MOST_WAITING, Passwords, check_new_password
from control.faults import Fault
from tests.control.auth.conftest import PASSWORD, refusal


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    opened = Passwords()
    yield opened
    opened.close()


async def test_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in stored
    assert await passwords.fits(PASSWORD, stored)
    assert not await passwords.fits(PASSWORD + " ", stored)
    assert not await passwords.fits("", stored)
    assert await passwords.hash(PASSWORD) != stored


async def test_password_of_nobody_never_fits(passwords: Passwords) -> None:
    assert not await passwords.fits("the password of nobody", None)


async def test_hash_that_is_none_fits_nothing(passwords: Passwords) -> None:
    assert not await passwords.fits(PASSWORD, "plain text")


async def test_password_typed_on_another_keyboard_is_the_same(passwords: Passwords) -> None:
    stored = await passwords.hash("caf\u00e9 \u2460 \ufb01ne password")
    assert await passwords.fits("cafe\u0301 1 fine password", stored)


async def test_unknown_name_takes_as_long_as_a_wrong_password(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)

    async def seconds(hashed: str | None) -> float:
        start = time.perf_counter()
        await passwords.fits("a wrong password", hashed)
        return time.perf_counter() - start

    known, unknown = [], []
    for _ in range(9):
        known.append(await seconds(stored))
        unknown.append(await seconds(None))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


async def test_too_many_at_once_are_refused_and_later_ones_are_not(passwords: Passwords) -> None:
    most = AT_ONCE + MOST_WAITING
    asked = [asyncio.ensure_future(passwords.fits(PASSWORD, None)) for _ in range(most + 3)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in done if isinstance(each, Fault)]
    assert [fault.code.name for fault in refused] == ["RESOURCE_EXHAUSTED"] * 3
    assert done.count(False) == most
    assert not await passwords.fits(PASSWORD, None)


async def test_caller_who_goes_away_makes_no_room_before_the_work_is_done(passwords: Passwords) -> None:
    asked = [asyncio.ensure_future(passwords.fits(PASSWORD, None)) for _ in range(AT_ONCE + MOST_WAITING)]
    await asyncio.sleep(0)
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    with pytest.raises(Fault) as fault:
        await passwords.fits(PASSWORD, None)
    assert refusal(fault) == ("RESOURCE_EXHAUSTED", "TOO_MANY_SIGN_INS")
    async with asyncio.timeout(20):
        while passwords._busy:
            await asyncio.sleep(0.01)
    assert not await passwords.fits(PASSWORD, None)


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1025, "\ufdfa" * 100])
def test_new_password_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(Fault, match="new_password: must have 12 to 1024 characters") as fault:
        check_new_password(password, "new_password")
    assert (fault.value.code.name, fault.value.field) == ("INVALID_ARGUMENT", "new_password")
    assert not password or password not in fault.value.sentence


@pytest.mark.parametrize("password", ["twelve chars", "x" * 1024, "пароль пароль"])
def test_new_password_of_a_good_length_is_taken(password: str) -> None:
    check_new_password(password, "password")
