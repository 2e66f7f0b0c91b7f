"""Accounts: made, changed, removed, and the password that each person changes alone."""

import pytest

from control.auth import accounts as module
from control.auth.identity import Identity
from control.faults import Fault
from tests.control.auth.conftest import HOME, LOCAL_SECRET, PASSWORD, refusal

OTHER = "another good password"


@pytest.mark.parametrize("name", ["a", "anna", "a.b-c_d9", "a" * 64])
async def test_account_with_an_allowed_name_can_sign_in(identity: Identity, name: str) -> None:
    account = await identity.accounts.create(name, "viewer", PASSWORD)
    assert identity.accounts.all() == [account]
    assert (await identity.sign_in(name, PASSWORD, "", HOME)).caller.name == name


@pytest.mark.parametrize("name", ["", "local", "A", "9a", "a" * 65, "a b", "a\n", "ä", "'; --", "-a", "a/b"])
async def test_account_with_another_name_is_refused(identity: Identity, name: str) -> None:
    with pytest.raises(Fault) as fault:
        await identity.accounts.create(name, "viewer", PASSWORD)
    assert (refusal(fault)[0], fault.value.field) == ("INVALID_ARGUMENT", "name")
    assert identity.accounts.all() == []


async def test_second_account_of_a_name_is_refused_and_the_first_stays(identity: Identity) -> None:
    first = await identity.accounts.create("anna", "viewer", PASSWORD)
    with pytest.raises(Fault) as fault:
        await identity.accounts.create("anna", "admin", OTHER)
    assert refusal(fault)[0] == "ALREADY_EXISTS"
    assert identity.accounts.all() == [first]


async def test_accounts_are_bounded(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ACCOUNTS", 2)
    for name in ("a", "b"):
        await identity.accounts.create(name, "viewer", PASSWORD)
    with pytest.raises(Fault) as fault:
        await identity.accounts.create("c", "viewer", PASSWORD)
    assert refusal(fault) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ACCOUNTS")


async def test_update_changes_what_is_given_and_says_what_was(identity: Identity) -> None:
    made = await identity.accounts.create("anna", "viewer", PASSWORD)
    before, after = await identity.accounts.update("anna", role="admin")
    assert (before, after.role, after.password_hash) == (made, "admin", made.password_hash)
    before, after = await identity.accounts.update("anna", disabled=True, password=OTHER)
    assert (before.disabled, after.disabled, after.role) == (False, True, "admin")
    await identity.accounts.update("anna", disabled=False)
    await identity.sign_in("anna", OTHER, "", HOME)
    with pytest.raises(Fault):
        await identity.sign_in("anna", PASSWORD, "", HOME)


async def test_account_that_is_not_there_cannot_be_changed_or_removed(identity: Identity) -> None:
    for act in (identity.accounts.update("eve", role="admin"), identity.accounts.remove("eve")):
        with pytest.raises(Fault, match="there is no account 'eve'") as fault:
            await act
        assert refusal(fault)[0] == "NOT_FOUND"


async def test_short_password_is_refused_and_nothing_changes(identity: Identity) -> None:
    made = await identity.accounts.create("anna", "viewer", PASSWORD)
    with pytest.raises(Fault) as fault:
        await identity.accounts.update("anna", password="short")
    assert fault.value.field == "change.password"
    assert identity.accounts.all() == [made]


async def test_last_admin_can_be_removed_because_the_owner_can_make_another(identity: Identity) -> None:
    await identity.accounts.create("root", "admin", PASSWORD)
    await identity.accounts.remove("root")
    owner = await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    assert identity.caller_of(owner.access_token, "127.0.0.1").local


async def test_own_password_changed_ends_the_other_sessions_only(identity: Identity) -> None:
    await identity.accounts.create("anna", "viewer", PASSWORD)
    here, there = [await identity.sign_in("anna", PASSWORD, "", HOME) for _ in range(2)]
    await identity.accounts.change_password(here.caller, PASSWORD, OTHER)
    assert [session.id for session in identity.sessions(here.caller)] == [here.caller.session_id]
    assert not identity.alive(there.caller)
    await identity.sign_in("anna", OTHER, "", HOME)


async def test_own_password_changed_with_a_wrong_old_one_is_denied(identity: Identity) -> None:
    await identity.accounts.create("anna", "viewer", PASSWORD)
    here = await identity.sign_in("anna", PASSWORD, "", HOME)
    with pytest.raises(Fault, match="old_password") as fault:
        await identity.accounts.change_password(here.caller, OTHER, OTHER)
    assert refusal(fault) == ("PERMISSION_DENIED", "REAUTHENTICATION_FAILED")
    await identity.sign_in("anna", PASSWORD, "", HOME)


async def test_owner_has_no_password_to_change(identity: Identity) -> None:
    owner = await identity.sign_in_locally(LOCAL_SECRET, "127.0.0.1")
    with pytest.raises(Fault) as fault:
        await identity.accounts.change_password(owner.caller, PASSWORD, OTHER)
    assert refusal(fault) == ("FAILED_PRECONDITION", "NO_PASSWORD")
