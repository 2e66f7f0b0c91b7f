"""Roles: by name where they are stored, by number on the wire."""

from autotrader.v1 import access_pb2
from control.faults import invalid

ROLES = {
    "viewer": access_pb2.ROLE_VIEWER,
    "operator": access_pb2.ROLE_OPERATOR,
    "admin": access_pb2.ROLE_ADMIN,
}
_NAMES = {number: name for name, number in ROLES.items()}


def role_name(role: "access_pb2.Role.ValueType", field: str) -> str:
    """The name of a role. Raises Fault INVALID_ARGUMENT, naming the field, where none is given."""
    if role not in _NAMES:
        raise invalid(field, "is missing; allowed: viewer, operator, admin")
    return _NAMES[role]
