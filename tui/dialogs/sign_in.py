"""Name and password, for an engine on another machine."""

from textual import work
from textual.widgets import Input, Static

from tui.client import Client, ClientError
from tui.dialogs.form import Field, Form
from tui.text import visible


class SignIn(Form):
    """Signs in by itself, and stays until it worked or was given up; the answer has no password in it."""

    def __init__(self, client: Client, reason: str) -> None:
        fields = (Field("name", "Name"), Field("password", "Password"))
        super().__init__(f"Sign in to {client.target.address}", fields, visible(reason))
        self._client = client

    def action_submit(self) -> None:
        """Try the name and the password."""
        name, password = self._answer("name"), self._answer("password")
        if name and password:
            self._try(name, password)

    @work(exclusive=True)
    async def _try(self, name: str, password: str) -> None:
        hint = self.query_one(".hint", Static)
        hint.update("signing in ...")
        try:
            await self._client.sign_in(name, password)
        except ClientError as error:
            hint.update(f"✖ {visible(str(error))}")
            self.query_one("#password", Input).value = ""
        else:
            self.dismiss({"name": name})
