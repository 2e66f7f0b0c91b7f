"""Calls of any method of the contract, as its descriptor states it, and how they ended."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from autotrader.v1 import access_pb2, session_pb2
from control.contract import DESCRIPTORS, METHODS
from tests.support.control_process import EngineProcess

PASSWORDS = {
    "viewer": "planted-password-of-the-viewer",
    "operator": "planted-password-of-the-operator",
    "admin": "planted-password-of-the-admin",
}
SECONDS = 60.0


@dataclass(frozen=True)
class World:
    """An engine, and access tokens by role; `local` is the owner's."""

    engine: EngineProcess
    tokens: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """How a call ended: the code, the sentence, ErrorInfo's reason, BadRequest's field, and the answer (of a
    stream the first one)."""

    code: str
    sentence: str = ""
    reason: str = ""
    field: str = ""
    response: Any = None


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a signed-in call."""
    return (("authorization", f"Bearer {token}"),)


def new_id() -> str:
    """A fresh request id."""
    return secrets.token_hex(8)


def path_of(method: str) -> str:
    """The path of `EngineService/Kill`."""
    return next(path for path in METHODS if path.endswith(f".{method}"))


def request_of(path: str, **fields: Any) -> Message:
    """A request of a method."""
    kind: Any = message_factory.GetMessageClass(DESCRIPTORS[path].input_type)
    request: Message = kind(**fields)
    return request


class Control:
    """A channel to an engine, one caller's token (none: ""), and what the caller proves once more with."""

    def __init__(
        self, channel: grpc.aio.Channel, token: str = "", proof: dict[str, str] | None = None
    ) -> None:
        self.channel = channel
        self.token = token
        self.proof = proof

    def as_(self, token: str) -> "Control":
        """The same channel with another token."""
        return Control(self.channel, token)

    async def command(self, method: str, **fields: Any) -> Any:
        """The answer of `EngineService/Kill`, with a fresh id unless one is given; it must be done."""
        answer = await self.ask(method, **({"request_id": new_id()} | fields))
        assert answer.code == "OK", answer
        return answer.response

    async def read(self, method: str, **fields: Any) -> Any:
        """The answer of `EngineService/GetStatus`; it must be given."""
        answer = await self.ask(method, **fields)
        assert answer.code == "OK", answer
        return answer.response

    async def ask(self, method: str, **fields: Any) -> Answer:
        """How a call of `EngineService/Kill` ends."""
        path = path_of(method)
        return await self.send(path, request_of(path, **fields))

    async def send(
        self,
        path: str,
        request: Message | bytes,
        metadata: Sequence[tuple[str, str]] | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        """How a call ends; of a stream, what its first message is, or how it ends before that."""
        given = bearer(self.token) if metadata is None and self.token else tuple(metadata or ())
        raw = request if isinstance(request, bytes) else request.SerializeToString()
        kind: Any = message_factory.GetMessageClass(DESCRIPTORS[path].output_type)
        channel: Any = self.channel
        try:
            if not METHODS[path].streaming:
                unary = channel.unary_unary(path)
                return Answer(
                    "OK", response=kind.FromString(await unary(raw, metadata=given, timeout=seconds))
                )
            call = channel.unary_stream(path)(raw, metadata=given, timeout=seconds)
            try:
                first = await call.read()
                if first is grpc.aio.EOF:
                    return Answer((await call.code()).name)
                return Answer("OK", response=kind.FromString(first))
            finally:
                call.cancel()
        except grpc.aio.AioRpcError as error:
            return answer_of(error)

    async def sign_in(self, name: str, password: str) -> session_pb2.Tokens:
        """Tokens of a new session."""
        answer = await self.read("SessionService/SignIn", name=name, password=password, client="a test")
        tokens: session_pb2.Tokens = answer.tokens
        return tokens

    async def sign_in_locally(self, secret: str) -> "Control":
        """The owner of the engine's machine."""
        answer = await self.read("SessionService/SignInLocally", secret=secret)
        return Control(self.channel, answer.tokens.access_token, {"local_secret": secret})

    async def make_accounts(self) -> dict[str, str]:
        """An account for each role, made by this caller; access tokens by the roles' names."""
        for name, password in PASSWORDS.items():
            role = access_pb2.Role.Value(f"ROLE_{name.upper()}")
            facts = {"name": name, "role": role, "password": password, "reauthentication": self.proof}
            await self.command("AccountService/CreateAccount", **facts)
        return {
            name: (await self.sign_in(name, password)).access_token for name, password in PASSWORDS.items()
        }


def answer_of(error: grpc.aio.AioRpcError) -> Answer:
    """How a call failed."""
    reason, field = "", ""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for packed in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if packed.Unpack(info):
            assert info.domain == "autotrader"
            reason = info.reason
        elif packed.Unpack(bad):
            field = bad.field_violations[0].field
    return Answer(error.code().name, error.details() or "", reason, field)


@asynccontextmanager
async def connected(target: str, **options: Any) -> AsyncIterator[Control]:
    """A channel of its own."""
    channel_options = [("grpc.use_local_subchannel_pool", 1), *options.items()]
    async with grpc.aio.insecure_channel(target, options=channel_options) as channel:
        yield Control(channel)


async def together(*calls: Any) -> list[Any]:
    """All at once."""
    return list(await asyncio.gather(*calls))
