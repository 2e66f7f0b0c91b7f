"""How a call is refused: one exception, turned into a rich status in one place."""

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from trading.errors import AutotraderError, InputError

DOMAIN = "autotrader"


class Fault(Exception):
    """A call that is refused: a status code, a reason in capitals, one sentence, and the field at fault."""

    def __init__(self, code: grpc.StatusCode, reason: str, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason
        self.sentence = sentence
        self.field = field


def invalid(field: str, sentence: str) -> Fault:
    """An argument that is not allowed."""
    return Fault(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", f"{field}: {sentence}", field)


def not_found(field: str, sentence: str) -> Fault:
    """Something that is named and does not exist."""
    return Fault(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", f"{field}: {sentence}", field)


def exists(field: str, sentence: str) -> Fault:
    """Something that is to be made and is there already."""
    return Fault(grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS", f"{field}: {sentence}", field)


def precondition(reason: str, sentence: str) -> Fault:
    """Something that cannot be done as things stand."""
    return Fault(grpc.StatusCode.FAILED_PRECONDITION, reason, sentence)


def unauthenticated(reason: str, sentence: str) -> Fault:
    """A caller whom nobody knows."""
    return Fault(grpc.StatusCode.UNAUTHENTICATED, reason, sentence)


def denied(sentence: str, reason: str = "ROLE_REQUIRED") -> Fault:
    """A caller who may not do this."""
    return Fault(grpc.StatusCode.PERMISSION_DENIED, reason, sentence)


def exhausted(reason: str, sentence: str) -> Fault:
    """Too much was asked for; later it may be done."""
    return Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, sentence)


def unavailable(sentence: str) -> Fault:
    """A part of the engine does not answer yet; the same call may be made again."""
    return Fault(grpc.StatusCode.UNAVAILABLE, "ENGINE_STARTING", sentence)


def fault_of(error: AutotraderError) -> Fault:
    """What an error of the engine's own means to a caller; its sentence names the field first."""
    if not isinstance(error, InputError):
        return unavailable(str(error))
    head, colon, rest = str(error).partition(": ")
    if colon and head.replace("_", "").replace(".", "").isalnum():
        return invalid(head, rest)
    return precondition("NOT_POSSIBLE", str(error))


def status_of(fault: Fault) -> grpc.Status:
    """The fault as a status with google.rpc.ErrorInfo and, for a field, google.rpc.BadRequest."""
    details = [_packed(error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN))]
    if fault.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=fault.field, description=fault.sentence)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    number = fault.code.value[0]
    return rpc_status.to_status(
        status_pb2.Status(code=number, message=printable(fault.sentence), details=details)
    )


def printable(text: str) -> str:
    """The text with its control characters made visible: it lands in logs and on screens."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
