"""`autotrader audit`: who did what."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine_command import Shell, engine_command
from cli.options import LimitOption, default_group

if TYPE_CHECKING:
    from autotrader.v1 import audit_pb2

command = default_group("The audit trail: who did what, and is it whole?", "list")
FAILED = 1


@command.command("list")
@engine_command()
async def list_(
    shell: Shell,
    account: Annotated[str, typer.Option(metavar="NAME", help="Only this account's entries.")] = "",
    limit: LimitOption = 20,
) -> None:
    """List entries, the newest first (this is done without a subcommand too)."""
    from autotrader.v1 import audit_pb2

    request = audit_pb2.ListAuditEntriesRequest(account=account)
    answer = await shell.pages(shell.client.audit.ListAuditEntries, request, "entries", limit)
    if shell.as_json:
        shell.document(answer)
        return
    if not answer.entries:
        shell.say("no command was given yet")
    for entry in answer.entries:
        shell.say(_lines(entry))
    shell.say_rest(answer, "entries", limit)


@command.command()
@engine_command()
async def verify(shell: Shell) -> int | None:
    """Compute every hash of the trail again; 1 when one does not fit."""
    from autotrader.v1 import audit_pb2

    answer = await shell.client.audit.VerifyAudit(audit_pb2.VerifyAuditRequest(), timeout=300)
    shell.document(answer)
    broken = answer.first_broken_id
    if not shell.as_json:
        found = f"BROKEN at entry {broken}: somebody changed the trail" if broken else "whole"
        shell.say(f"audit trail: {answer.entries} entries, {found}")
    return FAILED if broken else None


def _lines(each: "audit_pb2.AuditEntry") -> str:
    from tui import text
    from tui.words import ROLES

    who = f"{each.account} ({ROLES.get(each.role, 'no role')}, {each.address})"
    head = f"{each.id:>6}  {text.second(each.time)}  {who}  {each.method}: {each.result}"
    return f"{head}\n{'':8}{text.visible(each.detail)}" if each.detail else head
