"""`autotrader paper reset`."""

import typer

from cli.options import ConfigOption, JsonOption, VerboseOption, YesOption, group

command = group("The paper account: archive it and start anew.")


@command.callback()
def paper() -> None:
    """The paper account: archive it and start anew."""


@command.command()
def reset(
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Archive the paper account; the next start begins with a new one."""
    from actors.persistence.reader import Reader
    from actors.persistence.runs import Mode
    from actors.persistence.store import Store
    from cli.clock import now_ms
    from cli.config import load_settings
    from cli.output import on_terminal, print_json
    from trading.errors import InputError

    url = load_settings(config).settings.database.url
    Reader.open(url).close()
    store = Store.open(url, now_ms)
    try:
        run = store.active_run()
        if run is not None and run.mode is Mode.LIVE:
            raise InputError("paper reset: the account in this database is live, not paper")
        if run is not None and not yes and on_terminal():
            typer.confirm(f"Archive the paper account of run {run.id}?", abort=True, err=True)
        if run is not None:
            store.archive(run.id)
    finally:
        store.close()
    if as_json:
        print_json({"archived": run.id if run else None})
    else:
        print(f"archived run {run.id}; the next start begins anew" if run else "there is no account yet")
