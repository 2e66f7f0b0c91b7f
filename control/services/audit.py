"""AuditService: the trail of commands."""

import re

from actors.persistence import audit_trail
from actors.persistence.audit_trail import AuditEntry
from autotrader.v1 import access_pb2, audit_pb2, audit_pb2_grpc
from control.arguments import cut_of
from control.auth.roles import ROLES
from control.calls import Context
from control.faults import invalid
from control.reads import Reads
from control.rows import timestamp

_TOKEN = re.compile(r"[1-9]\d{0,17}")


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """What is stored, as messages."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, context: Context
    ) -> audit_pb2.ListAuditEntriesResponse:
        """Entries, the newest first."""
        cut = cut_of(request.page)
        before_id = _id_of(cut.token) if cut.token else None
        found = await self._reads.ask(audit_trail.page, before_id, request.account, cut.size + 1)
        part = found[: cut.size]
        return audit_pb2.ListAuditEntriesResponse(
            entries=map(_message, part), next_page_token=str(part[-1].id) if len(found) > cut.size else ""
        )

    async def VerifyAudit(
        self, request: audit_pb2.VerifyAuditRequest, context: Context
    ) -> audit_pb2.VerifyAuditResponse:
        """Compute every hash again."""
        entries, first_broken_id = await self._reads.ask(audit_trail.verify)
        return audit_pb2.VerifyAuditResponse(entries=entries, first_broken_id=first_broken_id)


def _id_of(token: str) -> int:
    if not (token.isascii() and _TOKEN.fullmatch(token)):
        raise invalid("page.token", "is not of this list; leave it empty to begin at the newest entry")
    return int(token)


def _message(entry: AuditEntry) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        id=entry.id,
        time=timestamp(entry.time_ms),
        account=entry.account,
        role=ROLES.get(entry.role, access_pb2.ROLE_UNSPECIFIED),
        address=entry.address,
        method=entry.method,
        request_id=entry.request_id,
        result=entry.result,
        detail=entry.detail,
        before=entry.before or "",
        after=entry.after or "",
        hash=entry.hash,
    )
