"""Accounts and sessions: stored, changed and forgotten as one."""

from msgspec.structs import replace

from actors.persistence import audit_trail, log
from actors.persistence.accounts import Account
from actors.persistence.identities import IdentityChange, open_identities, store_change
from actors.persistence.sessions import Session, forget_sessions
from actors.persistence.store import Store
from tests.actors.persistence.conftest import NOW_MS
from tests.actors.persistence.test_audit_trail import row

ANNA = Account("anna", "admin", "$argon2id$x", False, NOW_MS)
BERT = Account("bert", "viewer", "$argon2id$y", True, NOW_MS, NOW_MS + 1)
SESSION = Session("5e55", "anna", "aa", NOW_MS, NOW_MS, NOW_MS + 1000, "a \u2713 console", "::1")


def test_change_stored_twice_leaves_what_it_says_once(store: Store) -> None:
    change = IdentityChange(accounts=(BERT, ANNA), sessions=(SESSION,))
    for _ in range(2):
        store.perform(store_change, change, NOW_MS)
    assert store.perform(open_identities, NOW_MS, 0) == ([ANNA, BERT], [SESSION])


def test_change_of_what_is_there_replaces_it(store: Store) -> None:
    store.perform(store_change, IdentityChange(accounts=(ANNA,), sessions=(SESSION,)), NOW_MS)
    poorer, later = replace(ANNA, role="viewer"), replace(SESSION, refresh_hash="bb", used_ms=NOW_MS + 5)
    store.perform(store_change, IdentityChange(accounts=(poorer,), sessions=(later,)), NOW_MS)
    assert store.perform(open_identities, NOW_MS, 0) == ([poorer], [later])


def test_removed_account_and_ended_session_are_gone_and_the_trail_and_the_log_say_so(store: Store) -> None:
    store.perform(store_change, IdentityChange(accounts=(ANNA,), sessions=(SESSION,)), NOW_MS)
    change = IdentityChange(removed=("anna",), ended=(SESSION.id,), entry=row(), warning="it ended")
    store.perform(store_change, change, NOW_MS)
    assert store.perform(open_identities, NOW_MS, 0) == ([], [])
    assert store.perform(audit_trail.verify) == (1, 0)
    line = store.perform(log.newest_lines, 1)[0]
    assert (line["level"], line["source"], line["text"]) == ("warning", "control", "it ended")


def test_session_that_ran_out_is_not_live_and_is_forgotten_later(store: Store) -> None:
    store.perform(store_change, IdentityChange(accounts=(ANNA,), sessions=(SESSION,)), NOW_MS)
    assert store.perform(open_identities, SESSION.expires_ms, SESSION.expires_ms) == ([ANNA], [])
    assert store.perform(open_identities, NOW_MS, 0)[1] == [SESSION]
    store.perform(forget_sessions, SESSION.expires_ms + 1)
    assert store.perform(open_identities, NOW_MS, 0)[1] == []
