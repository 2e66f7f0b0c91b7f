"""Accounts and sessions, for admins."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from google.protobuf.field_mask_pb2 import FieldMask
from textual.binding import Binding, BindingType
from textual.content import Content

from autotrader.v1 import access_pb2, account_pb2, common_pb2, session_pb2
from tui import text
from tui.client import ControlError, request_id
from tui.commands import PROOF_WANTED
from tui.dialogs.form import Field, Form
from tui.facts import Facts
from tui.paint import paint, pieces
from tui.screens.tabled import Tabled
from tui.widgets.table import Column, Row
from tui.words import ROLES

COLUMNS = (
    Column("name", "Account", 16),
    Column("role", "Role", 9),
    Column("state", "State", 11),
    Column("seen", "Signed in (UTC)", 16),
    Column("made", "Made (UTC)", 16, 1, grows=True),
)
CHOICES = [(name, name) for name in ROLES.values()]
BY_NAME = {name: role for role, name in ROLES.items()}
SESSIONS = 100


class AccountsScreen(Tabled):
    """Who may sign in, and who is signed in."""

    MODE = "accounts"
    COLUMNS = COLUMNS
    DETAIL = "Sessions of this account"
    EMPTY = "no account yet: a adds one"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add_account", "Add"),
        Binding("c", "change_role", "Role"),
        Binding("space", "toggle_account", "On/off", key_display="space"),
        Binding("w", "set_password", "Password", show=False),
        Binding("o", "end_sessions", "Sign out everywhere", show=False),
        Binding("delete,d", "remove_account", "Remove", key_display="d"),
    ]

    def on_mount(self) -> None:
        """Nothing is read before the screen is shown."""
        super().on_mount()
        self._sessions: list[session_pb2.Session] = []

    def show(self, facts: Facts, changed: frozenset[str]) -> None:
        """Only an admin may ask."""
        if facts.caller.role >= access_pb2.ROLE_ADMIN:
            super().show(facts, changed)
        elif facts.caller.role:
            self.query_one("#detail").border_title = "Accounts are for admins"

    async def fetch(self) -> list[Row]:
        """Every account, and the sessions. Raises ClientError."""
        client = self.console.client
        accounts = await client.accounts.ListAccounts(account_pb2.ListAccountsRequest())
        page = common_pb2.Page(size=SESSIONS)
        answer = await client.sessions.ListSessions(session_pb2.ListSessionsRequest(page=page))
        self._sessions = list(answer.sessions)
        return [account_row(account) for account in accounts.accounts]

    def detail(self, row: Row) -> Content:
        """The sessions of the chosen account."""
        found = [session_line(session) for session in self._sessions if session.account == row.key]
        return Content("\n").join(found or [paint("not signed in anywhere", "dim")])

    def _chosen(self) -> account_pb2.Account | None:
        row = self.table.chosen
        return row.source if row and isinstance(row.source, account_pb2.Account) else None

    def action_add_account(self) -> None:
        """Make an account."""
        self.console.do(self._add())

    def action_change_role(self) -> None:
        """Give the chosen account another role."""
        if account := self._chosen():
            self.console.do(self._change_role(account))

    def action_toggle_account(self) -> None:
        """Let the chosen account sign in, or not."""
        if account := self._chosen():
            change = account_pb2.AccountChange(disabled=not account.disabled)
            self.console.do(self._update(account.name, change, "disabled"))

    def action_set_password(self) -> None:
        """Give the chosen account another password."""
        if account := self._chosen():
            self.console.do(self._set_password(account.name))

    def action_end_sessions(self) -> None:
        """Sign the chosen account out everywhere."""
        if account := self._chosen():
            self.console.do(self._end_sessions(account.name))

    def action_remove_account(self) -> None:
        """Remove the chosen account."""
        if account := self._chosen():
            self.console.do(self._remove(account.name))

    async def _add(self) -> None:
        fields = [
            Field("name", "Name", hint="lower-case letters, digits, - _ ."),
            Field("role", "Role", "viewer", CHOICES),
            Field("password", "Password, at least 12 characters"),
            Field("password-again", "Password, once more"),
        ]
        answers = await self.app.push_screen_wait(Form("Add an account", fields))
        if answers and self._agree(answers):
            request = account_pb2.CreateAccountRequest(
                request_id=request_id(),
                name=answers["name"],
                role=BY_NAME[answers["role"]],
                password=answers["password"],
            )
            await self._proven(self.console.client.accounts.CreateAccount, request)

    def _agree(self, answers: dict[str, str]) -> bool:
        if answers["password"] == answers["password-again"]:
            return True
        self.console.warn("password: the two are not the same")
        return False

    async def _change_role(self, account: account_pb2.Account) -> None:
        field = Field("role", "Role", ROLES.get(account.role, "viewer"), CHOICES)
        answers = await self.app.push_screen_wait(Form(f"Role of {text.visible(account.name)}", [field]))
        if answers:
            change = account_pb2.AccountChange(role=BY_NAME[answers["role"]])
            await self._update(account.name, change, "role")

    async def _set_password(self, name: str) -> None:
        fields = [
            Field("password", "New password, at least 12 characters"),
            Field("password-again", "New password, once more"),
        ]
        answers = await self.app.push_screen_wait(Form(f"Password of {text.visible(name)}", fields))
        if answers and self._agree(answers):
            await self._update(name, account_pb2.AccountChange(password=answers["password"]), "password")

    async def _update(self, name: str, change: account_pb2.AccountChange, field: str) -> None:
        request = account_pb2.UpdateAccountRequest(
            request_id=request_id(), name=name, change=change, update_mask=FieldMask(paths=[field])
        )
        await self._proven(self.console.client.accounts.UpdateAccount, request)

    async def _proven(
        self,
        method: Callable[[Any], Awaitable[Any]],
        request: account_pb2.CreateAccountRequest | account_pb2.UpdateAccountRequest,
    ) -> None:
        """Send a change; where the engine asks once more who gives it, ask, and send it again."""
        commands, client = self.console.commands, self.console.client
        try:
            request.reauthentication.CopyFrom(client.reauthentication())
            answer = await commands.send(method, request, leave=PROOF_WANTED)
        except ControlError:
            field = Field("password", "Your password, once more")
            answers = await self.app.push_screen_wait(Form("This asks for your own password", [field]))
            if answers is None:
                return
            request.request_id = request_id()
            request.reauthentication.CopyFrom(client.reauthentication(answers["password"]))
            answer = await commands.send(method, request)
        if answer is not None:
            self._pace.ask()

    async def _end_sessions(self, name: str) -> None:
        for session in [each for each in self._sessions if each.account == name and not each.current]:
            request = session_pb2.RevokeSessionRequest(request_id=request_id(), id=session.id)
            await self.change(self.console.client.sessions.RevokeSession, request)

    async def _remove(self, name: str) -> None:
        explanation = "The account is gone, and its sessions end."
        if await self.console.commands.confirmed(f"Remove {text.visible(name)}", explanation, "remove"):
            request = account_pb2.DeleteAccountRequest(request_id=request_id(), name=name)
            await self.change(self.console.client.accounts.DeleteAccount, request)


def account_row(account: account_pb2.Account) -> Row:
    """An account in a line."""
    cells = {
        "name": paint(account.name, "strong"),
        "role": paint(ROLES.get(account.role, text.NONE)),
        "state": paint("- disabled", "warn") if account.disabled else paint("✔ enabled", "good"),
        "seen": paint(text.moment(account.signed_in_at)),
        "made": paint(text.moment(account.created_at), "dim"),
    }
    return Row(account.name, cells, account)


def session_line(session: session_pb2.Session) -> Content:
    """A session in a line."""
    own = ("  this console", "accent") if session.current else ("", "")
    return pieces(
        (f"{session.client or text.NONE}", ""),
        (f" from {session.address or text.NONE}", ""),
        (f", since {text.moment(session.created_at)}, seen {text.moment(session.used_at)} UTC", "dim"),
        own,
    )


SCREEN = AccountsScreen
