"""Secrets that were given to the engine are found in none of its answers, logs, files and command lines."""

from pathlib import Path
from typing import Any

import msgspec

from control.auth.keys import KeyFile
from tests.control.server.conftest import PLANTED_ENVIRONMENT
from tests.support.control_client import PASSWORDS, Control, World, new_id, path_of, request_of
from tests.support.control_process import EngineProcess

OLD, NEW, NEWER = "planted-password-old", "planted-password-new", "planted-password-newer"
WRONG = "planted-password-that-is-wrong"


async def use_secrets(admin: Control, owner_secret: str) -> list[str]:
    """Give every kind of secret to the engine, rightly and wrongly; those that were given and got."""
    proof = {"reauthentication": {"password": PASSWORDS["admin"]}}
    await admin.command("AccountService/CreateAccount", name="keeper", role=3, password=OLD, **proof)
    first = await admin.sign_in("keeper", OLD)
    keeper = admin.as_(first.access_token)
    await keeper.command("AccountService/ChangePassword", old_password=OLD, new_password=NEW)
    second = (await keeper.read("SessionService/RefreshTokens", refresh_token=first.refresh_token)).tokens
    change = {"change": {"password": NEWER}, "update_mask": {"paths": ["password"]}}
    await admin.command("AccountService/UpdateAccount", name="keeper", **change, **proof)
    third = await admin.sign_in("keeper", NEWER)
    keeper = admin.as_(third.access_token)
    for method, fields in refused_calls():
        answer = await keeper.ask(method, **fields)
        assert answer.code != "OK", (method, answer)
    looser = [{"name": "max_open_positions", "value": "9"}]
    await keeper.command("RiskService/UpdateLimits", changes=looser, reauthentication={"password": NEWER})
    tokens = [text for each in (first, second, third) for text in (each.access_token, each.refresh_token)]
    return [OLD, NEW, NEWER, WRONG, owner_secret, *tokens, *(token.rpartition(".")[2] for token in tokens)]


def refused_calls() -> list[tuple[str, dict[str, Any]]]:
    """Calls with a secret that fails, each in another way."""
    proof = {"password": WRONG}
    return [
        ("SessionService/SignIn", {"name": "keeper", "password": WRONG, "client": "a test"}),
        ("SessionService/SignInLocally", {"secret": WRONG}),
        ("SessionService/RefreshTokens", {"refresh_token": WRONG}),
        (
            "AccountService/ChangePassword",
            {"request_id": new_id(), "old_password": WRONG, "new_password": OLD},
        ),
        ("AccountService/ChangePassword", {"request_id": "short", "old_password": OLD, "new_password": NEW}),
        ("AccountService/CreateAccount", {"request_id": new_id(), "name": "Bad Name", "password": WRONG}),
        (
            "AccountService/CreateAccount",
            {"request_id": new_id(), "name": "keeper", "role": 1, "password": WRONG},
        ),
        (
            "RiskService/UpdateLimits",
            {
                "request_id": new_id(),
                "changes": [{"name": "max_open_positions", "value": "10"}],
                "reauthentication": proof,
            },
        ),
        (
            "EngineService/ResetKillSwitch",
            {"request_id": new_id(), "reason": "a test", "reauthentication": proof},
        ),
    ]


async def answers_of(admin: Control) -> str:
    """Everything that an admin can read of what happened."""
    texts = []
    for method in ("AuditService/ListAuditEntries", "LogService/ListLogEntries"):
        token = ""
        while True:
            answer = await admin.read(method, page={"size": 1000, "token": token})
            texts.append(str(answer))
            token = answer.next_page_token
            if not token:
                break
    for method in ("AccountService/ListAccounts", "SessionService/ListSessions"):
        texts.append(str(await admin.read(method)))
    path = path_of("EventService/Subscribe")
    texts.append(str(await admin.send(path, request_of(path, topics=["TOPIC_STATUS", "TOPIC_LOGS"]))))
    return "\n".join(texts)


def command_lines() -> str:
    """The command lines of every process of this machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


async def test_secrets_that_were_used_are_found_nowhere(
    admin: Control, world: World, engine: EngineProcess
) -> None:
    secret = engine.credential["secret"]
    used = await use_secrets(admin, secret)
    (keys,) = (engine.folder / "state" / "autotrader").glob("*/keys.json")
    private = msgspec.json.decode(keys.read_bytes(), type=KeyFile).current.private
    planted = [*used, *PASSWORDS.values(), *PLANTED_ENVIRONMENT.values(), *world.tokens.values(), private]
    places = {"the answers": await answers_of(admin), "the command lines": command_lines()}
    for file in engine.folder.rglob("*"):
        if file.is_file():
            places[str(file.relative_to(engine.folder))] = file.read_bytes().decode("latin-1")
    assert {"autotrader.db", "engine.log"} <= set(places)
    found = {(place, text[:24]) for place, content in places.items() for text in planted if text in content}
    credential = next((engine.folder / "state" / "autotrader").glob("control-*.json"))
    homes = {
        (str(credential.relative_to(engine.folder)), secret[:24]),
        (str(keys.relative_to(engine.folder)), private[:24]),
    }
    assert found == homes
    assert "keeper" in places["the answers"]


async def test_passwords_are_stored_as_slow_salted_hashes(admin: Control, engine: EngineProcess) -> None:
    for name in ("twin.one", "twin.two"):
        await admin.command("AccountService/CreateAccount", name=name, role=1, password=OLD)
    files = [engine.database, engine.database.with_name("autotrader.db-wal")]
    content = b"".join(file.read_bytes() for file in files if file.exists())
    hashes = {content[at : at + 96] for at in _places(content, b"$argon2id$v=19$m=19456,t=2,p=1$")}
    assert len(hashes) >= 2
    assert len({text[31:] for text in hashes}) == len(hashes)


def _places(content: bytes, wanted: bytes) -> list[int]:
    found, at = [], content.find(wanted)
    while at >= 0:
        found.append(at)
        at = content.find(wanted, at + 1)
    return found
