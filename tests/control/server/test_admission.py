"""Who may call what: every method of the contract, by its descriptor, with every wrong token and role."""

import asyncio
import json
import os
import random
import string
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from autotrader.v1 import access_pb2
from control.auth.keys import Keys
from control.contract import DESCRIPTORS, METHODS
from control.read_model.ring import FOREVER
from tests.control.door.upstream import messages_and_trailers
from tests.support.control_client import (
    PASSWORDS,
    Control,
    World,
    bearer,
    connected,
    path_of,
    request_of,
    together,
)
from tests.support.control_process import EngineProcess

MUTATED = int(os.environ.get("AUTOTRADER_TEST_TOKENS", "2000"))
AT_ONCE = 80
PROTECTED = sorted(path for path, method in METHODS.items() if not method.public)
COMMANDS = [path for path, method in METHODS.items() if method.command]
ROLES = {"viewer": 1, "operator": 2, "admin": 3}
GET_CALLER = path_of("SessionService/GetCaller")


def test_contract_states_for_every_method_who_may_call_it() -> None:
    for path, method in METHODS.items():
        assert method.public == (method.role == access_pb2.ROLE_UNSPECIFIED), path
        assert not (method.public and method.command), path


def test_contract_gives_a_request_id_to_commands_and_to_nothing_else() -> None:
    for path, method in METHODS.items():
        fields = DESCRIPTORS[path].input_type.fields_by_name
        assert method.command == ("request_id" in fields), path
        answers = DESCRIPTORS[path].output_type.fields_by_name
        assert not method.command or "result" in answers, path


def keys_of(engine: EngineProcess) -> Keys:
    """The engine's own keys."""
    (file,) = (engine.folder / "state" / "autotrader").glob("*/keys.json")
    return Keys.open(file.parent, int(time.time() * 1000), 0)


class Forger:
    """Makes tokens out of a good one."""

    def __init__(self, good: str, keys: Keys) -> None:
        self.good = good
        self.keys = keys
        self.headers = jwt.get_unverified_header(good)
        self.claims = jwt.decode(good, options={"verify_signature": False})

    def signed(self, key: Any = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token with other claims, signed by the engine's key unless another is given."""
        payload = {name: value for name, value in {**self.claims, **claims}.items() if value is not None}
        given = {**self.headers, **(headers or {})}
        algorithm = given.pop("alg")
        return jwt.encode(payload, key or self.keys.private, algorithm, headers=given)

    def wrong(self) -> dict[str, str]:
        """Tokens that nobody may enter with, by what is wrong with them."""
        now, public = int(time.time()), self.keys.private.public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        head, claims, _ = self.good.split(".")
        return {
            "garbage": "garbage",
            "three parts of garbage": "a.b." + "c" * 85 + "A",
            "nothing": "",
            "expired": self.signed(iat=now - 900, nbf=now - 900, exp=now - 1),
            "not yet valid": self.signed(iat=now + 60, nbf=now + 60, exp=now + 900),
            "signed by another key": self.signed(Ed25519PrivateKey.generate()),
            "algorithm none": jwt.encode(self.claims, "", "none", headers=_without_algorithm(self.headers)),
            "no signature": f"{head}.{claims}.",
            "HS256 with the public key": self.signed(raw, {"alg": "HS256"}),
            "another engine's": self.signed(aud="autotrader-control/000000000000"),
            "another issuer's": self.signed(iss="somebody"),
            "of an unknown key": self.signed(headers={"kid": "0123456789abcdef"}),
            "of another type": self.signed(headers={"typ": "JWT"}),
            "without an end": self.signed(exp=None),
            "without a session": self.signed(sid=None),
            "of a session that is not there": self.signed(sid="0" * 32),
            "of somebody else's session": self.signed(sub="viewer"),
            "of nobody": self.signed(sub="nobody"),
            "an account named as the owner": self.signed(sub="local"),
            "with an end that is no number": self.signed(exp=str(FOREVER)),
        }


def _without_algorithm(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name != "alg"}


async def ended_tokens(admin: Control) -> dict[str, str]:
    """Tokens that were good once."""
    name, password, role = "leaver", "planted-password-of-the-leaver", access_pb2.ROLE_ADMIN
    facts = {"name": name, "role": role, "password": password}
    proof = {"password": PASSWORDS["admin"]}
    await admin.command("AccountService/CreateAccount", **facts, reauthentication=proof)
    revoked, signed_out, refreshed, disabled = [await admin.sign_in(name, password) for _ in range(4)]
    await admin.command("SessionService/RevokeSession", id=revoked.caller.session_id)
    await admin.as_(signed_out.access_token).read("SessionService/SignOut")
    for _ in range(2):
        await admin.ask("SessionService/RefreshTokens", refresh_token=refreshed.refresh_token)
    change = {"change": {"disabled": True}, "update_mask": {"paths": ["disabled"]}}
    await admin.command("AccountService/UpdateAccount", name=name, **change)
    return {
        "of a revoked session": revoked.access_token,
        "of a session that was signed out": signed_out.access_token,
        "of a session whose refresh token came twice": refreshed.access_token,
        "of a disabled account": disabled.access_token,
        "a refresh token": disabled.refresh_token,
    }


async def test_every_method_refuses_every_wrong_token(
    anybody: Control, admin: Control, world: World, engine: EngineProcess
) -> None:
    forger = Forger(world.tokens["admin"], keys_of(engine))
    assert (await anybody.as_(forger.signed()).ask("SessionService/GetCaller")).code == "OK"
    wrong = {**forger.wrong(), **await ended_tokens(admin)}
    owner = Forger(world.tokens["local"], forger.keys)
    wrong["with the owner's session"] = forger.signed(sid=owner.claims["sid"])
    wrong["of the owner at an earlier start"] = owner.signed(sid="local-" + "0" * 16)
    given = {name: bearer(token) for name, token in wrong.items()}
    good = world.tokens["admin"]
    given["no metadata"] = ()
    given["without its scheme"] = (("authorization", good),)
    given["with another scheme"] = (("authorization", f"Basic {good}"),)
    given["in another header"] = (("x-authorization", f"Bearer {good}"),)
    for what, metadata in given.items():
        calls = [anybody.send(path, request_of(path), metadata=metadata) for path in PROTECTED]
        for path, answer in zip(PROTECTED, await together(*calls), strict=True):
            assert answer.code == "UNAUTHENTICATED", (what, path, answer)
            assert answer.reason in {"TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_ENDED"}


async def test_public_methods_ask_for_no_token_and_for_a_secret(anybody: Control) -> None:
    for path, method in METHODS.items():
        if method.public:
            answer = await anybody.send(path, request_of(path), metadata=bearer("garbage"))
            assert answer.code in {"INVALID_ARGUMENT", "UNAUTHENTICATED"}, (path, answer)


@pytest.mark.parametrize("role", [*ROLES, "local"])
async def test_every_method_refuses_every_role_below_its_own_and_no_other(
    role: str, anybody: Control, world: World, engine: EngineProcess
) -> None:
    caller = anybody.as_(world.tokens[role])
    if role != "local":
        caller = anybody.as_((await anybody.sign_in(role, PASSWORDS[role])).access_token)
    # The empty request of a command does nothing: it has no id.
    paths = sorted(PROTECTED, key=lambda path: path.endswith("/SignOut"))
    rank = ROLES.get(role, ROLES["admin"])
    for path in paths:
        answer = await caller.send(path, request_of(path), seconds=3)
        if METHODS[path].role > rank:
            assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_REQUIRED"), (path, answer)
        else:
            assert answer.code not in {"PERMISSION_DENIED", "UNAUTHENTICATED"}, (path, answer)
        if METHODS[path].role <= rank and METHODS[path].command:
            assert (answer.code, answer.field) == ("INVALID_ARGUMENT", "request_id"), (path, answer)


def mutations(token: str, count: int, chance: random.Random) -> list[str]:
    """Tokens that differ from a good one: by a character or several, by parts, by length."""
    letters = string.ascii_letters + string.digits + "-_.=+/ {}\"'~!"
    parts = token.split(".")

    def other(at: int) -> str:
        return token[:at] + chance.choice(letters) + token[at + 1 :]

    def swapped(at: int) -> str:
        return token[:at] + token[at].swapcase() + token[at + 1 :]

    ways: list[Callable[[int], str]] = [
        other,
        swapped,
        lambda at: token[:at],
        lambda at: token[at:],
        lambda at: token[:at] + token[at + 1 :],
        lambda at: token[:at] + chance.choice(letters) + token[at:],
        lambda at: other(at)[: chance.randrange(len(token))] + other(at)[chance.randrange(len(token)) :],
        lambda at: ".".join(chance.choices(parts, k=chance.choice((1, 2, 3, 3, 3, 4)))),
        lambda at: token + "".join(chance.choices(letters, k=chance.randrange(1, 40))),
        lambda at: token * chance.randrange(2, 5),
    ]
    found: set[str] = set()
    while len(found) < count:
        mutated = chance.choice(ways)(chance.randrange(len(token))).strip()
        if mutated != token:
            found.add(mutated)
    return sorted(found)


async def test_mutated_tokens_are_all_unknown(anybody: Control, world: World, engine: EngineProcess) -> None:
    chance = random.Random(7)
    good = [world.tokens["admin"], world.tokens["local"]]
    tokens = [each for token in good for each in mutations(token, MUTATED // 2, chance)]
    unary: Any = anybody.channel.unary_unary(GET_CALLER)
    before = engine.memory_mb()
    for start in range(0, len(tokens), AT_ONCE):
        part = tokens[start : start + AT_ONCE]
        calls = [unary(b"", metadata=bearer(token), timeout=60) for token in part]
        for token, code in zip(part, await together(*(call.code() for call in calls)), strict=True):
            assert code == grpc.StatusCode.UNAUTHENTICATED, token
    assert engine.memory_mb() - before < 30
    assert (await anybody.as_(world.tokens["admin"]).ask("SessionService/GetCaller")).code == "OK"


async def test_methods_that_nobody_has_are_not_there(viewer: Control) -> None:
    for path in ("/autotrader.v1.EngineService/Nuke", "/nobody.Service/Method", "/"):
        unary: Any = viewer.channel.unary_unary(path)
        call = unary(b"", metadata=bearer(viewer.token), timeout=10)
        assert await call.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_role_that_is_taken_away_ends_at_once(admin: Control) -> None:
    name, password = "climber", "planted-password-of-the-climber"
    facts = {"name": name, "role": access_pb2.ROLE_ADMIN, "password": password}
    proof = {"password": PASSWORDS["admin"]}
    await admin.command("AccountService/CreateAccount", **facts, reauthentication=proof)
    climber = admin.as_((await admin.sign_in(name, password)).access_token)
    assert (await climber.ask("AccountService/ListAccounts")).code == "OK"
    lower = {"change": {"role": access_pb2.ROLE_VIEWER}, "update_mask": {"paths": ["role"]}}
    await admin.command("AccountService/UpdateAccount", name=name, **lower)
    assert (await climber.ask("AccountService/ListAccounts")).code == "UNAUTHENTICATED"
    again = admin.as_((await admin.sign_in(name, password)).access_token)
    assert (await again.ask("AccountService/ListAccounts")).code == "PERMISSION_DENIED"


async def test_owner_s_secret_opens_nothing_through_the_door(engine: EngineProcess) -> None:
    path = path_of("SessionService/SignInLocally")
    request = request_of(path, secret=engine.credential["secret"])
    assert await through_the_door(engine, path, request.SerializeToString()) == "7"


@pytest.mark.parametrize(
    "method", ["EngineService/GetStatus", "EngineService/Kill", "EventService/Subscribe"]
)
async def test_door_refuses_who_has_no_token(method: str, engine: EngineProcess) -> None:
    assert await through_the_door(engine, path_of(method), b"") == "16"


async def through_the_door(engine: EngineProcess, path: str, message: bytes) -> str:
    """The status of a gRPC-web call."""
    address = engine.credential["web"].removeprefix("http://")

    def post() -> str:
        connection = HTTPConnection(address, timeout=30)
        body = b"\0" + len(message).to_bytes(4, "big") + message
        connection.request("POST", path, body, {"content-type": "application/grpc-web+proto"})
        answer = connection.getresponse()
        trailers = messages_and_trailers(answer.read())[1]
        connection.close()
        assert answer.status == 200
        return trailers["grpc-status"]

    return await asyncio.to_thread(post)


async def test_state_files_are_the_owner_s_alone(engine: EngineProcess) -> None:
    state = engine.folder / "state" / "autotrader"
    found = {path: path.stat().st_mode & 0o777 for path in state.rglob("*") if not path.is_socket()}
    assert found
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert state.stat().st_mode & 0o777 == 0o700
    assert json.loads(Path(next(state.glob("control-*.json"))).read_text())["process"] == engine.pid


async def test_channel_that_never_sends_a_request_holds_nothing(engine: EngineProcess) -> None:
    """Who is not known is refused before their request is read."""
    async with connected(engine.target) as stranger:
        call: Any = stranger.channel.stream_unary(GET_CALLER)(timeout=20)
        assert await call.code() == grpc.StatusCode.UNAUTHENTICATED
