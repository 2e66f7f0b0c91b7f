"""What can go wrong between a client and the engine, drawn once.

ClientError             one sentence for the user
├── BadTarget           the address cannot be understood
├── BadCredentials      the credential file cannot be trusted or read
├── SignInNeeded        there is no way to sign in without asking a person
├── ControlError        the engine answered, and refused
└── Unreachable         the engine did not answer
    └── NoEngine        nothing listens there
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DETAILS = "grpc-status-details-bin"


class ClientError(Exception):
    """An expected failure; its text is one sentence for the user."""


class BadTarget(ClientError):
    """The address is not HOST:PORT, or a file for TLS cannot be read."""


class BadCredentials(ClientError):
    """The credential file is not ours, open to others, or not readable."""


class SignInNeeded(ClientError):
    """No token, no credential file: a name and a password are needed."""


class Unreachable(ClientError):
    """The engine did not answer in time, or the connection broke; a command may or may not have arrived."""


class NoEngine(Unreachable):
    """Nothing answers at the address; nothing was sent."""


class ControlError(ClientError):
    """The engine refused.

    `code` is gRPC's, `reason` one word, `field` the one at fault or "", `sentence` for the user.
    """

    def __init__(self, code: grpc.StatusCode, reason: str, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason
        self.field = field
        self.sentence = sentence


@contextmanager
def translated(address: str, *, local: bool) -> Iterator[None]:
    """Errors of gRPC become ClientErrors; `address` is the engine's, `local` when it is on this machine."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _translate(error, address, local=local) from None


def _translate(error: grpc.aio.AioRpcError, address: str, *, local: bool) -> ClientError:
    reason, field = _details(error)
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        return _away(error.details() or "", address, local=local)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not reason:
        return Unreachable(f"the engine at {address} did not answer in time")
    return ControlError(code, reason, field, error.details() or code.name)


def _away(details: str, address: str, *, local: bool) -> Unreachable:
    if "SSL" in details or "CERTIFICATE" in details.upper():
        return Unreachable(
            f"the engine at {address} and this client do not agree on TLS: name its CA with --tls-ca"
        )
    if "failed to connect" in details or "DNS" in details:
        return NoEngine(f"no engine at {address}" + ("; start one with `autotrader run`" if local else ""))
    return Unreachable(f"the connection to the engine at {address} broke")


def _details(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """The reason and the field in the rich status; "" where they are not told."""
    reason, field = "", ""
    for detail in _rich_status(error).details:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request) and request.field_violations:
            field = request.field_violations[0].field
    return reason, field


def _rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
