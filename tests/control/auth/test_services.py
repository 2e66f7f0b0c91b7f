"""The services of sessions, accounts and the audit trail, over a real channel."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from autotrader.v1 import access_pb2, account_pb2, audit_pb2, common_pb2, session_pb2, session_pb2_grpc
from control.auth.identity import REFRESH_LIFE_MS
from control.auth.tokens import ACCESS_LIFE_MS
from tests.control.auth.conftest import LOCAL_SECRET, NOW_MS, PASSWORD, AsyncStore, Clock
from tests.support.crashes import forget_the_end
from tui.client import Client, ControlError, find_target, request_id
from tui.client.errors import SignInNeeded

OTHER = "another good password"


@pytest.fixture
async def owner(target: str) -> AsyncIterator[Client]:
    """The owner of the engine's machine, signed in."""
    async with Client(find_target(target)) as client:
        await client.sessions.GetCaller(session_pb2.GetCallerRequest())
        yield client


@pytest.fixture
async def anna(target: str, owner: Client) -> AsyncIterator[Client]:
    """A viewer, signed in."""
    await create(owner, "anna", access_pb2.ROLE_VIEWER)
    async with Client(find_target(target), name="anna's console") as client:
        await client.sign_in("anna", PASSWORD)
        yield client


async def create(
    client: Client, name: str, role: access_pb2.Role.ValueType, password: str = PASSWORD
) -> account_pb2.CreateAccountResponse:
    """Make an account."""
    request = account_pb2.CreateAccountRequest(
        request_id=request_id(),
        name=name,
        role=role,
        password=password,
        reauthentication=client.reauthentication(),
    )
    return await client.accounts.CreateAccount(request)


async def update(client: Client, name: str, *paths: str, **change: Any) -> account_pb2.UpdateAccountResponse:
    """Change an account."""
    return await client.accounts.UpdateAccount(
        account_pb2.UpdateAccountRequest(
            request_id=request_id(),
            name=name,
            change=account_pb2.AccountChange(**change),
            update_mask=FieldMask(paths=paths),
            reauthentication=client.reauthentication(),
        )
    )


async def trail(client: Client, size: int = 1000, account: str = "") -> list[audit_pb2.AuditEntry]:
    """The audit trail, the newest first, in parts of this size."""
    entries: list[audit_pb2.AuditEntry] = []
    token = ""
    while True:
        request = audit_pb2.ListAuditEntriesRequest(
            page=common_pb2.Page(size=size, token=token), account=account
        )
        answer = await client.audit.ListAuditEntries(request)
        entries += answer.entries
        token = answer.next_page_token
        if not token:
            return entries


async def test_owner_signs_in_with_the_credential_file_and_is_admin(owner: Client) -> None:
    caller = (await owner.sessions.GetCaller(session_pb2.GetCallerRequest())).caller
    assert (caller.name, caller.role) == ("local", access_pb2.ROLE_ADMIN)
    assert re.fullmatch("local-[0-9a-f]{16}", caller.session_id)
    assert not (await owner.sessions.ListSessions(session_pb2.ListSessionsRequest())).sessions


async def test_local_sign_in_through_the_door_is_denied(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = session_pb2_grpc.SessionServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.SignInLocally(
                session_pb2.SignInLocallyRequest(secret=LOCAL_SECRET),
                metadata=(("x-forwarded-for", "127.0.0.1"),),
            )
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_sign_in_answers_with_both_tokens_their_ends_and_the_caller(target: str, owner: Client) -> None:
    await create(owner, "anna", access_pb2.ROLE_OPERATOR)
    request = session_pb2.SignInRequest(name="anna", password=PASSWORD, client="a test")
    tokens = (await owner.sessions.SignIn(request)).tokens
    assert tokens.access_expires_at.ToMilliseconds() == NOW_MS + ACCESS_LIFE_MS
    assert tokens.refresh_expires_at.ToMilliseconds() == NOW_MS + REFRESH_LIFE_MS
    assert (tokens.caller.name, tokens.caller.role) == ("anna", access_pb2.ROLE_OPERATOR)
    again = (
        await owner.sessions.RefreshTokens(
            session_pb2.RefreshTokensRequest(refresh_token=tokens.refresh_token)
        )
    ).tokens
    assert again.caller == tokens.caller
    assert again.refresh_token != tokens.refresh_token


async def test_client_goes_on_when_its_access_token_has_ended(anna: Client, clock: Clock) -> None:
    clock.ms += ACCESS_LIFE_MS
    caller = (await anna.sessions.GetCaller(session_pb2.GetCallerRequest())).caller
    assert caller.name == "anna"


async def test_session_that_was_signed_out_is_not_there_to_be_ended(anna: Client, owner: Client) -> None:
    session_id = anna.caller.session_id
    await anna.sign_out()
    request = session_pb2.RevokeSessionRequest(request_id=request_id(), id=session_id)
    with pytest.raises(ControlError) as error:
        await owner.sessions.RevokeSession(request)
    assert (error.value.code, error.value.field) == (grpc.StatusCode.NOT_FOUND, "id")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (session_pb2.SignInRequest(), "password"),
        (session_pb2.SignInRequest(password="x"), "name"),
        (session_pb2.SignInRequest(name="a\x00b", password="x"), "name"),
        (session_pb2.SignInRequest(name="anna", password="x" * 1025), "password"),
        (session_pb2.SignInRequest(name="anna", password="x", client="c" * 101), "client"),
    ],
)
async def test_sign_in_with_a_bad_field_names_it(
    owner: Client, request_: session_pb2.SignInRequest, field: str
) -> None:
    with pytest.raises(ControlError) as error:
        await owner.sessions.SignIn(request_)
    assert (error.value.code, error.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_sessions_come_newest_first_in_parts(target: str, owner: Client, clock: Clock) -> None:
    await create(owner, "anna", access_pb2.ROLE_VIEWER)
    made = []
    for number in range(5):
        clock.ms += number % 2  # two at the same moment are told apart
        request = session_pb2.SignInRequest(name="anna", password=PASSWORD, client=f"client {number}")
        made.append((await owner.sessions.SignIn(request)).tokens.caller.session_id)
    found: list[session_pb2.Session] = []
    token = ""
    while True:
        request_ = session_pb2.ListSessionsRequest(page=common_pb2.Page(size=2, token=token))
        answer = await owner.sessions.ListSessions(request_)
        found += answer.sessions
        token = answer.next_page_token
        if not token:
            break
    assert {session.id for session in found} == set(made)
    assert len(found) == 5
    times = [session.created_at.ToMilliseconds() for session in found]
    assert times == sorted(times, reverse=True)
    assert not any(session.current for session in found)


@pytest.mark.parametrize("token", ["x", "1", "99999999999999999999.x", "1.", "../", "1.G" + "0" * 31])
async def test_page_token_of_another_list_is_refused(owner: Client, token: str) -> None:
    page = common_pb2.Page(token=token)
    with pytest.raises(ControlError) as error:
        await owner.sessions.ListSessions(session_pb2.ListSessionsRequest(page=page))
    assert (error.value.code, error.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, "page.token")
    if token != "1":
        with pytest.raises(ControlError) as error:
            await owner.audit.ListAuditEntries(audit_pb2.ListAuditEntriesRequest(page=page))
        assert (error.value.code, error.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, "page.token")


async def test_viewer_revokes_an_own_session_and_is_then_out(anna: Client) -> None:
    sessions = (await anna.sessions.ListSessions(session_pb2.ListSessionsRequest())).sessions
    assert [(each.client, each.current, each.account) for each in sessions] == [
        ("anna's console", True, "anna")
    ]
    request = session_pb2.RevokeSessionRequest(request_id=request_id(), id=sessions[0].id)
    answer = await anna.sessions.RevokeSession(request)
    assert answer.result.message == f"session {sessions[0].id} of anna is ended"
    with pytest.raises(SignInNeeded):
        await anna.sessions.GetCaller(session_pb2.GetCallerRequest())


async def test_accounts_are_made_changed_and_removed(owner: Client, clock: Clock) -> None:
    made = await create(owner, "anna", access_pb2.ROLE_VIEWER)
    assert made.result.message == "account anna is made, with the role viewer"
    assert (made.account.name, made.account.HasField("signed_in_at")) == ("anna", False)
    changed = await update(owner, "anna", "role", "disabled", role=access_pb2.ROLE_ADMIN, disabled=True)
    assert (changed.account.role, changed.account.disabled) == (access_pb2.ROLE_ADMIN, True)
    assert changed.result.time.ToMilliseconds() == clock.ms
    listed = (await owner.accounts.ListAccounts(account_pb2.ListAccountsRequest())).accounts
    assert list(listed) == [changed.account]
    request = account_pb2.DeleteAccountRequest(request_id=request_id(), name="anna")
    await owner.accounts.DeleteAccount(request)
    assert not (await owner.accounts.ListAccounts(account_pb2.ListAccountsRequest())).accounts


@pytest.mark.parametrize(
    ("paths", "change", "field"),
    [
        ((), {}, "update_mask"),
        (("name",), {}, "update_mask"),
        (("role",), {}, "change.role"),
        (("password",), {"password": "short"}, "change.password"),
    ],
)
async def test_update_that_makes_no_sense_names_the_field(
    owner: Client, paths: tuple[str, ...], change: dict[str, Any], field: str
) -> None:
    await create(owner, "anna", access_pb2.ROLE_VIEWER)
    with pytest.raises(ControlError) as error:
        await update(owner, "anna", *paths, **change)
    assert (error.value.code, error.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_field_that_the_mask_does_not_name_is_left_alone(owner: Client) -> None:
    await create(owner, "anna", access_pb2.ROLE_VIEWER)
    changed = await update(owner, "anna", "disabled", role=access_pb2.ROLE_ADMIN, disabled=True)
    assert changed.account.role == access_pb2.ROLE_VIEWER


async def test_account_without_a_role_is_refused(owner: Client) -> None:
    with pytest.raises(ControlError) as error:
        await create(owner, "anna", access_pb2.ROLE_UNSPECIFIED)
    assert (error.value.code, error.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, "role")


async def test_viewer_sees_neither_accounts_nor_the_trail(anna: Client) -> None:
    for call in (
        anna.accounts.ListAccounts(account_pb2.ListAccountsRequest()),
        anna.audit.ListAuditEntries(audit_pb2.ListAuditEntriesRequest()),
        anna.audit.VerifyAudit(audit_pb2.VerifyAuditRequest()),
        create(anna, "eve", access_pb2.ROLE_ADMIN),
        update(anna, "anna", "role", role=access_pb2.ROLE_ADMIN),
    ):
        with pytest.raises(ControlError) as error:
            await call
        assert error.value.code == grpc.StatusCode.PERMISSION_DENIED


async def test_viewer_changes_the_own_password_and_stays_signed_in(target: str, anna: Client) -> None:
    request = account_pb2.ChangePasswordRequest(
        request_id=request_id(), old_password=PASSWORD, new_password=OTHER
    )
    await anna.accounts.ChangePassword(request)
    await anna.sessions.GetCaller(session_pb2.GetCallerRequest())
    async with Client(find_target(target)) as client:
        with pytest.raises(ControlError):
            await client.sign_in("anna", PASSWORD)
        await client.sign_in("anna", OTHER)


async def test_trail_tells_of_every_command_and_sign_in_without_a_secret(
    owner: Client, anna: Client, store: AsyncStore, sqlite_url: str
) -> None:
    await update(owner, "anna", "role", "password", role=access_pb2.ROLE_OPERATOR, password=OTHER)
    entries = await trail(owner)
    assert [(entry.account, entry.method, entry.result) for entry in reversed(entries)] == [
        ("local", "AccountService/CreateAccount", "asked"),
        ("local", "AccountService/CreateAccount", "OK"),
        ("anna", "SessionService/SignIn", "OK"),
        ("local", "AccountService/UpdateAccount", "asked"),
        ("local", "AccountService/UpdateAccount", "OK"),
    ]
    newest = entries[0]
    assert newest.role == access_pb2.ROLE_ADMIN
    assert newest.before == '{"disabled": false, "name": "anna", "role": "viewer"}'
    assert newest.after == '{"disabled": false, "name": "anna", "password": "changed", "role": "operator"}'
    verified = await owner.audit.VerifyAudit(audit_pb2.VerifyAuditRequest())
    assert (verified.entries, verified.first_broken_id) == (5, 0)
    database = sqlite_url.removeprefix("sqlite:///")
    for file in (database, f"{database}-wal"):
        with open(file, "rb") as content:
            stored = content.read()
        assert not any(secret.encode() in stored for secret in (PASSWORD, OTHER, LOCAL_SECRET))


async def test_trail_comes_in_parts_and_of_one_account(owner: Client, anna: Client) -> None:
    whole = await trail(owner)
    assert await trail(owner, size=1) == whole
    assert [entry.account for entry in await trail(owner, account="anna")] == ["anna"]
    assert await trail(owner, account="nobody") == []


async def test_command_sent_twice_is_done_once(owner: Client) -> None:
    request = account_pb2.CreateAccountRequest(
        request_id=request_id(), name="anna", role=access_pb2.ROLE_VIEWER, password=PASSWORD
    )
    first = await owner.accounts.CreateAccount(request)
    assert await owner.accounts.CreateAccount(request) == first
    assert len(await trail(owner)) == 2


@pytest.mark.parametrize("what", ["new admin", "role", "password"])
async def test_admins_and_passwords_are_made_only_with_proof(target: str, owner: Client, what: str) -> None:
    await create(owner, "root", access_pb2.ROLE_ADMIN)
    await create(owner, "anna", access_pb2.ROLE_VIEWER)
    request: Any
    if what == "new admin":
        request = account_pb2.CreateAccountRequest(name="eve", role=access_pb2.ROLE_ADMIN, password=OTHER)
    else:
        change = account_pb2.AccountChange(role=access_pb2.ROLE_ADMIN, password=OTHER)
        mask = FieldMask(paths=[what])
        request = account_pb2.UpdateAccountRequest(name="anna", change=change, update_mask=mask)
    async with Client(find_target(target)) as root:
        await root.sign_in("root", PASSWORD)
        call = root.accounts.CreateAccount if what == "new admin" else root.accounts.UpdateAccount
        before = (await root.accounts.ListAccounts(account_pb2.ListAccountsRequest())).accounts
        for password, reason in (
            ("", "REAUTHENTICATION_REQUIRED"),
            ("not the password", "REAUTHENTICATION_FAILED"),
        ):
            request.request_id = request_id()
            request.reauthentication.CopyFrom(root.reauthentication(password))
            with pytest.raises(ControlError) as error:
                await call(request)
            assert (error.value.code, error.value.reason) == (grpc.StatusCode.PERMISSION_DENIED, reason)
        after = (await root.accounts.ListAccounts(account_pb2.ListAccountsRequest())).accounts
        assert list(before) == list(after)
        request.request_id = request_id()
        request.reauthentication.CopyFrom(root.reauthentication(PASSWORD))
        await call(request)


async def test_harmless_changes_of_accounts_need_no_proof(target: str, owner: Client) -> None:
    await create(owner, "root", access_pb2.ROLE_ADMIN)
    async with Client(find_target(target)) as root:
        await root.sign_in("root", PASSWORD)
        await create(root, "anna", access_pb2.ROLE_OPERATOR)
        await update(root, "anna", "role", "disabled", role=access_pb2.ROLE_VIEWER, disabled=True)


async def test_account_command_that_broke_off_after_its_effect_is_answered(
    owner: Client, anna: Client, store: AsyncStore, clock: Clock
) -> None:
    sessions = (await anna.sessions.ListSessions(session_pb2.ListSessionsRequest())).sessions
    make = account_pb2.CreateAccountRequest(name="bert", role=access_pb2.ROLE_VIEWER, password=PASSWORD)
    change = account_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password=OTHER)
    end = session_pb2.RevokeSessionRequest(id=sessions[0].id)
    remove = account_pb2.DeleteAccountRequest(name="anna")
    steps: list[tuple[Callable[..., Any], Any]] = [
        (owner.accounts.CreateAccount, make),
        (anna.accounts.ChangePassword, change),
        (owner.sessions.RevokeSession, end),
        (owner.accounts.DeleteAccount, remove),
    ]
    for call, request in steps:
        request.request_id = request_id()
        await call(request)
        await store.perform(forget_the_end)
        clock.ms += 1
        await call(request)
        request.request_id = request_id()
        with pytest.raises(ControlError):
            await call(request)
