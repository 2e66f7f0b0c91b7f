"""Signing in and out, refreshing, proving: against a real database, with a clock that is set by hand."""

import asyncio

import pytest
from sqlalchemy import create_engine, text

from actors.persistence import log
from autotrader.v1 import access_pb2, common_pb2
from control.auth.identity import MOST_SESSIONS, REFRESH_LIFE_MS, Identity, SignedIn
from control.auth.keys import Keys
from control.auth.tokens import ACCESS_LIFE_MS
from control.caller import Caller
from control.faults import Fault
from tests.control.auth.conftest import (
    ENGINE_ID,
    HOME,
    LOCAL_SECRET,
    NOW_MS,
    PASSWORD,
    AsyncStore,
    Clock,
    refusal,
)
from trading.errors import OperationError


@pytest.fixture
async def anna(identity: Identity) -> SignedIn:
    """Signed in as an operator."""
    await identity.accounts.create("anna", "operator", PASSWORD)
    return await identity.sign_in("anna", PASSWORD, "a console", HOME)


def refused(identity: Identity, access_token: str) -> str:
    """The reason for which a token is refused."""
    with pytest.raises(Fault) as fault:
        identity.caller_of(access_token, HOME)
    code, reason = refusal(fault)
    assert code == "UNAUTHENTICATED"
    return reason


async def refresh_refused(identity: Identity, refresh_token: str) -> str:
    """The reason for which a refresh token is refused."""
    with pytest.raises(Fault) as fault:
        await identity.refresh(refresh_token, HOME)
    code, reason = refusal(fault)
    assert code == "UNAUTHENTICATED"
    return reason


async def test_sign_in_gives_tokens_of_a_session(identity: Identity, anna: SignedIn, clock: Clock) -> None:
    caller = identity.caller_of(anna.access_token, HOME)
    assert caller == Caller(
        "anna", access_pb2.ROLE_OPERATOR, anna.caller.session_id, HOME, NOW_MS + ACCESS_LIFE_MS
    )
    assert identity.alive(caller)
    assert anna.refresh_expires_ms == NOW_MS + REFRESH_LIFE_MS
    assert [account.signed_in_ms for account in identity.accounts.all()] == [NOW_MS]


async def test_no_token_is_told_from_a_wrong_one(identity: Identity, anna: SignedIn) -> None:
    assert refused(identity, "") == "TOKEN_MISSING"
    assert refused(identity, anna.access_token[:-1]) == "TOKEN_INVALID"
    assert refused(identity, anna.refresh_token) == "TOKEN_INVALID"


async def test_token_ends_after_fifteen_minutes_though_it_was_verified_before(
    identity: Identity, anna: SignedIn, clock: Clock
) -> None:
    caller = identity.caller_of(anna.access_token, HOME)
    clock.ms += ACCESS_LIFE_MS - 1
    assert identity.caller_of(anna.access_token, HOME) == caller
    assert identity.alive(caller)
    clock.ms += 1
    assert refused(identity, anna.access_token) == "TOKEN_EXPIRED"
    assert not identity.alive(caller)


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong password"), ("nobody", PASSWORD)])
async def test_sign_in_that_fails_says_the_same_for_every_name(
    identity: Identity, anna: SignedIn, store: AsyncStore, name: str, password: str
) -> None:
    with pytest.raises(Fault, match="the name or the password is wrong") as fault:
        await identity.sign_in(name, password, "", HOME)
    assert refusal(fault) == ("UNAUTHENTICATED", "SIGN_IN_FAILED")
    entry = store.trail()[-1]
    assert (entry.account, entry.method, entry.result) == (name, "SessionService/SignIn", "UNAUTHENTICATED")
    assert (entry.address, entry.role) == (HOME, "")


@pytest.mark.parametrize("name", ["", "Anna", "1a", "a" * 65, "'; DROP TABLE accounts; --", "local", "ä"])
async def test_sign_in_with_a_name_that_none_can_have_names_the_field(identity: Identity, name: str) -> None:
    with pytest.raises(Fault, match=r"^name: ") as fault:
        await identity.sign_in(name, PASSWORD, "", HOME)
    assert refusal(fault)[0] == "INVALID_ARGUMENT"


async def test_sixth_failure_has_to_wait_and_another_address_has_not(
    identity: Identity, anna: SignedIn, store: AsyncStore, clock: Clock
) -> None:
    for _ in range(5):
        with pytest.raises(Fault, match="wrong"):
            await identity.sign_in("anna", "wrong password", "", "198.51.100.7")
    entries = len(store.trail())
    with pytest.raises(Fault, match="too many failed sign-ins; wait 1 s") as fault:
        await identity.sign_in("anna", PASSWORD, "", "198.51.100.7")
    assert refusal(fault) == ("RESOURCE_EXHAUSTED", "TOO_MANY_FAILURES")
    assert len(store.trail()) == entries
    await identity.sign_in("anna", PASSWORD, "", HOME)
    clock.ms += 1000
    await identity.sign_in("anna", PASSWORD, "", "198.51.100.7")


async def test_many_tries_at_once_are_no_more_than_five(identity: Identity, anna: SignedIn) -> None:
    tries = [identity.sign_in("anna", f"wrong password {number}", "", "198.51.100.7") for number in range(15)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    codes = [each.code.name for each in done if isinstance(each, Fault)]
    assert sorted(codes) == ["RESOURCE_EXHAUSTED"] * 10 + ["UNAUTHENTICATED"] * 5


async def test_role_of_a_call_is_the_one_the_account_has_now(identity: Identity, anna: SignedIn) -> None:
    await identity.accounts.update("anna", role="viewer")
    assert refused(identity, anna.access_token) == "SESSION_ENDED"
    again = await identity.sign_in("anna", PASSWORD, "", HOME)
    assert identity.caller_of(again.access_token, HOME).role == access_pb2.ROLE_VIEWER


@pytest.mark.parametrize("end", ["disable", "remove", "password", "revoke", "sign_out"])
async def test_tokens_end_at_once_with_their_session_or_account(
    identity: Identity, anna: SignedIn, end: str
) -> None:
    caller = identity.caller_of(anna.access_token, HOME)
    match end:
        case "disable":
            await identity.accounts.update("anna", disabled=True)
        case "remove":
            await identity.accounts.remove("anna")
        case "password":
            await identity.accounts.update("anna", password="another password")
        case "revoke":
            await identity.revoke(caller, caller.session_id)
        case _:
            await identity.sign_out(caller)
    assert refused(identity, anna.access_token) == "SESSION_ENDED"
    assert not identity.alive(caller)
    assert await refresh_refused(identity, anna.refresh_token) == "SESSION_ENDED"


async def test_account_made_anew_with_the_same_name_inherits_no_session(
    identity: Identity, anna: SignedIn
) -> None:
    await identity.accounts.remove("anna")
    await identity.accounts.create("anna", "admin", PASSWORD)
    assert refused(identity, anna.access_token) == "SESSION_ENDED"


async def test_disabled_account_cannot_sign_in_and_is_told_nothing(
    identity: Identity, anna: SignedIn
) -> None:
    await identity.accounts.update("anna", disabled=True)
    with pytest.raises(Fault, match="the name or the password is wrong"):
        await identity.sign_in("anna", PASSWORD, "", HOME)
    await identity.accounts.update("anna", disabled=False)
    await identity.sign_in("anna", PASSWORD, "", HOME)


async def test_refresh_gives_a_new_pair_and_keeps_the_session(
    identity: Identity, anna: SignedIn, clock: Clock
) -> None:
    clock.ms += ACCESS_LIFE_MS
    renewed = await identity.refresh(anna.refresh_token, "198.51.100.7")
    assert renewed.refresh_token != anna.refresh_token
    assert renewed.refresh_expires_ms == clock.ms + REFRESH_LIFE_MS
    caller = identity.caller_of(renewed.access_token, HOME)
    assert caller.session_id == anna.caller.session_id
    session = identity.sessions(caller)[0]
    assert (session.created_ms, session.used_ms, session.address) == (NOW_MS, clock.ms, "198.51.100.7")


async def test_refresh_token_that_comes_again_ends_the_session_and_is_noted(
    identity: Identity, anna: SignedIn, store: AsyncStore
) -> None:
    renewed = await identity.refresh(anna.refresh_token, HOME)
    assert await refresh_refused(identity, anna.refresh_token) == "SESSION_ENDED"
    assert await refresh_refused(identity, renewed.refresh_token) == "SESSION_ENDED"
    assert refused(identity, renewed.access_token) == "SESSION_ENDED"
    entry = store.trail()[-1]
    assert (entry.method, entry.result) == ("SessionService/RefreshTokens", "UNAUTHENTICATED")
    line = store.store.perform(log.newest_lines, 1)[0]
    assert (line["level"], line["source"], line["code"]) == ("warning", "control", "session_ended")
    assert anna.caller.session_id in line["text"]


async def test_two_refreshes_at_once_end_the_session(identity: Identity, anna: SignedIn) -> None:
    both = (identity.refresh(anna.refresh_token, HOME) for _ in range(2))
    done = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Fault", "SignedIn"]
    assert not identity.sessions(anna.caller)


async def test_refresh_token_ends_after_thirty_days_without_use(
    identity: Identity, anna: SignedIn, clock: Clock
) -> None:
    clock.ms += REFRESH_LIFE_MS - 1
    renewed = await identity.refresh(anna.refresh_token, HOME)
    clock.ms += REFRESH_LIFE_MS
    assert await refresh_refused(identity, renewed.refresh_token) == "SESSION_ENDED"
    assert identity.sessions(anna.caller) == []


@pytest.mark.parametrize(
    "token", ["", ".", "local.x", "0" * 32 + ".", "é.é", "0" * 32 + "." + "A" * 44, "a" * 9999]
)
async def test_refresh_with_a_text_that_is_no_token_is_refused(identity: Identity, token: str) -> None:
    assert await refresh_refused(identity, token) == "TOKEN_INVALID"


async def test_refresh_of_a_session_that_never_was_is_refused(identity: Identity) -> None:
    assert await refresh_refused(identity, "0" * 32 + "." + "A" * 43) == "SESSION_ENDED"


async def test_twenty_first_session_ends_the_one_unused_longest(
    identity: Identity, anna: SignedIn, clock: Clock
) -> None:
    clock.ms += 1
    second = await identity.sign_in("anna", PASSWORD, "", HOME)
    clock.ms += 1
    anna = await identity.refresh(anna.refresh_token, HOME)
    for _ in range(MOST_SESSIONS - 1):
        clock.ms += 1
        await identity.sign_in("anna", PASSWORD, "", HOME)
    assert len(identity.sessions(anna.caller)) == MOST_SESSIONS
    assert refused(identity, second.access_token) == "SESSION_ENDED"
    assert identity.caller_of(anna.access_token, HOME).name == "anna"


async def test_sessions_are_ones_own_and_for_an_admin_all(identity: Identity, anna: SignedIn) -> None:
    await identity.accounts.create("root", "admin", PASSWORD)
    root = await identity.sign_in("root", PASSWORD, "", HOME)
    assert [session.account for session in identity.sessions(anna.caller)] == ["anna"]
    assert {session.account for session in identity.sessions(root.caller)} == {"anna", "root"}
    with pytest.raises(Fault) as fault:
        await identity.revoke(anna.caller, root.caller.session_id)
    assert refusal(fault) == ("NOT_FOUND", "NOT_FOUND")
    await identity.revoke(root.caller, anna.caller.session_id)
    assert refused(identity, anna.access_token) == "SESSION_ENDED"
    with pytest.raises(Fault, match="there is no session"):
        await identity.revoke(root.caller, anna.caller.session_id)


async def test_sessions_and_accounts_outlive_a_restart(
    identity: Identity, anna: SignedIn, store: AsyncStore, keys: Keys, clock: Clock
) -> None:
    ended = await identity.sign_in("anna", PASSWORD, "", HOME)
    await identity.sign_out(ended.caller)
    again = await Identity.open(store, keys, ENGINE_ID, "another secret", clock)
    assert again.caller_of(anna.access_token, HOME) == anna.caller
    assert refused(again, ended.access_token) == "SESSION_ENDED"
    assert (await again.refresh(anna.refresh_token, HOME)).caller.name == "anna"
    with pytest.raises(Fault):
        await again.sign_in_locally(LOCAL_SECRET, "127.0.0.1")


async def test_owner_with_the_secret_is_admin_and_has_no_refresh_token(
    identity: Identity, store: AsyncStore, clock: Clock
) -> None:
    owner = await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    caller = identity.caller_of(owner.access_token, "127.0.0.1")
    assert (caller.name, caller.role) == ("local", access_pb2.ROLE_ADMIN)
    assert (owner.refresh_token, caller.local, identity.alive(caller)) == ("", True, True)
    await identity.sign_out(caller)
    assert identity.caller_of(owner.access_token, "127.0.0.1") == caller
    clock.ms += ACCESS_LIFE_MS
    assert refused(identity, owner.access_token) == "TOKEN_EXPIRED"
    assert not identity.alive(caller)


async def test_owner_s_token_ends_with_the_start_that_gave_it(
    identity: Identity, store: AsyncStore, keys: Keys, clock: Clock
) -> None:
    owner = await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    restarted = await Identity.open(store, keys, ENGINE_ID, LOCAL_SECRET, clock)
    assert refused(restarted, owner.access_token) == "SESSION_ENDED"
    assert not restarted.alive(owner.caller)
    again = await restarted.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    assert restarted.caller_of(again.access_token, "127.0.0.1").local


async def test_wrong_local_secret_is_noted_a_few_times_and_never_keeps_the_owner_out(
    identity: Identity, store: AsyncStore
) -> None:
    for _ in range(20):
        with pytest.raises(Fault) as fault:
            await identity.sign_in_locally("wrong", "127.0.0.1")
        assert refusal(fault) == ("UNAUTHENTICATED", "SIGN_IN_FAILED")
    assert len(store.trail()) == 5
    await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    await identity.accounts.create("anna", "viewer", PASSWORD)
    await identity.sign_in("anna", PASSWORD, "", "127.0.0.1")


@pytest.mark.parametrize("secret", ["", "é", LOCAL_SECRET[:-1], LOCAL_SECRET + "x", "\x00"])
async def test_secret_that_is_not_the_one_is_refused(identity: Identity, secret: str) -> None:
    with pytest.raises(Fault):
        await identity.sign_in_locally(secret, "127.0.0.1")


def proof(**given: str) -> common_pb2.Reauthentication:
    """A proof."""
    return common_pb2.Reauthentication(**given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (proof(), "REAUTHENTICATION_REQUIRED"),
        (proof(password=""), "REAUTHENTICATION_REQUIRED"),
        (proof(password="wrong password"), "REAUTHENTICATION_FAILED"),
        (proof(local_secret=LOCAL_SECRET), "REAUTHENTICATION_FAILED"),
    ],
)
async def test_caller_who_does_not_prove_themselves_is_denied(
    identity: Identity, anna: SignedIn, given: common_pb2.Reauthentication, reason: str
) -> None:
    with pytest.raises(Fault) as fault:
        await identity.reauthenticate(anna.caller, given)
    assert refusal(fault) == ("PERMISSION_DENIED", reason)


async def test_caller_proves_themselves_with_the_password_and_the_owner_with_the_secret(
    identity: Identity, anna: SignedIn
) -> None:
    owner = await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    await identity.reauthenticate(anna.caller, proof(password=PASSWORD))
    await identity.reauthenticate(owner.caller, proof(local_secret=LOCAL_SECRET))
    for wrong in (proof(local_secret="wrong"), proof(password=PASSWORD)):
        with pytest.raises(Fault) as fault:
            await identity.reauthenticate(owner.caller, wrong)
        assert refusal(fault) == ("PERMISSION_DENIED", "REAUTHENTICATION_FAILED")


async def test_stolen_token_cannot_guess_the_password_quickly(identity: Identity, anna: SignedIn) -> None:
    for _ in range(5):
        with pytest.raises(Fault, match="wrong"):
            await identity.reauthenticate(anna.caller, proof(password="wrong password"))
    with pytest.raises(Fault) as fault:
        await identity.reauthenticate(anna.caller, proof(password=PASSWORD))
    assert refusal(fault) == ("RESOURCE_EXHAUSTED", "TOO_MANY_FAILURES")


async def test_signing_in_and_out_is_in_the_trail_without_secrets(
    identity: Identity, anna: SignedIn, store: AsyncStore
) -> None:
    await identity.sign_out(anna.caller)
    signed_in, signed_out = store.trail()
    assert (signed_in.method, signed_in.result, signed_in.account, signed_in.role) == (
        "SessionService/SignIn",
        "OK",
        "anna",
        "operator",
    )
    assert (signed_out.method, signed_out.result) == ("SessionService/SignOut", "OK")
    secret = anna.refresh_token.partition(".")[2]
    for entry in store.trail():
        assert not any(hidden in str(entry) for hidden in (PASSWORD, secret, anna.access_token))


async def test_refresh_whose_caller_went_away_is_stored_and_known(
    identity: Identity, anna: SignedIn, store: AsyncStore, keys: Keys, clock: Clock
) -> None:
    clock.ms += 1
    refresh = asyncio.ensure_future(identity.refresh(anna.refresh_token, HOME))
    for _ in range(3):
        await asyncio.sleep(0)
    refresh.cancel()
    await asyncio.wait([refresh])
    async with asyncio.timeout(10):
        while identity.sessions(anna.caller)[0].used_ms != clock.ms:
            await asyncio.sleep(0.01)
    again = await Identity.open(store, keys, ENGINE_ID, LOCAL_SECRET, clock)
    assert again.sessions(anna.caller) == identity.sessions(anna.caller)


async def test_change_that_could_not_be_stored_is_not_known(
    identity: Identity, anna: SignedIn, sqlite_url: str
) -> None:
    with create_engine(sqlite_url).begin() as connection:
        connection.execute(text("UPDATE writer SET epoch = epoch + 1"))
    with pytest.raises(OperationError, match="another engine has taken over"):
        await identity.sign_out(anna.caller)
    assert identity.caller_of(anna.access_token, HOME).name == "anna"
