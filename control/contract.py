"""Every method of the contract, as its descriptors state it: the one home of who may call what."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from autotrader.v1 import (
    access_pb2,
    account_pb2,
    audit_pb2,
    decision_pb2,
    engine_pb2,
    event_pb2,
    log_pb2,
    market_pb2,
    portfolio_pb2,
    risk_pb2,
    run_pb2,
    session_pb2,
    strategy_pb2,
)

FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        account_pb2,
        audit_pb2,
        decision_pb2,
        engine_pb2,
        event_pb2,
        log_pb2,
        market_pb2,
        portfolio_pb2,
        risk_pb2,
        run_pb2,
        session_pb2,
        strategy_pb2,
    )
)


@dataclass(frozen=True)
class Method:
    """A method: its path, the least role (UNSPECIFIED: nobody's), and what kind it is."""

    path: str
    role: "access_pb2.Role.ValueType"
    command: bool
    public: bool
    streaming: bool

    @property
    def short(self) -> str:
        """`EngineService/Kill`."""
        return self.path.rpartition(".")[2]


def _methods() -> Iterator[tuple[Method, MethodDescriptor]]:
    for file in FILES:
        for service in file.services_by_name.values():
            for each in service.methods:
                access = each.GetOptions().Extensions[access_pb2.access]
                path = f"/{service.full_name}/{each.name}"
                yield (
                    Method(path, access.role, access.command, access.public, each.server_streaming),
                    each,
                )


DESCRIPTORS: dict[str, MethodDescriptor] = {method.path: each for method, each in _methods()}
METHODS: dict[str, Method] = {method.path: method for method, _ in _methods()}

SERVICES: tuple[str, ...] = tuple(
    service.full_name for file in FILES for service in file.services_by_name.values()
)

# Services that are not ours: anybody may ask whether we live; what there is, only who is signed in.
FOREIGN: dict[str, Method] = {
    path: Method(path, role, command=False, public=public, streaming=streaming)
    for path, role, public, streaming in (
        ("/grpc.health.v1.Health/Check", access_pb2.ROLE_UNSPECIFIED, True, False),
        (
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            access_pb2.ROLE_VIEWER,
            False,
            True,
        ),
    )
}
