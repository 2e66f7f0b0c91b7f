"""`autotrader db upgrade|check`."""

from cli.options import ConfigOption, JsonOption, VerboseOption, group

command = group("The database: upgrade and check.")


@command.command()
def upgrade(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Bring the database's schema to this version of autotrader."""
    from actors.persistence.store import upgrade_database
    from cli.clock import now_ms
    from cli.config import load_settings
    from cli.output import print_json

    before, after = upgrade_database(load_settings(config).settings.database.url, now_ms)
    if as_json:
        print_json({"before": before, "after": after})
    else:
        print(
            f"the schema is {after} already" if before == after else f"schema: {before or 'none'} to {after}"
        )


@command.command()
def check(config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False) -> int:
    """Check schema, journal and tables; needs a stopped engine."""
    from actors.persistence import audit_trail
    from actors.persistence.reader import Reader
    from actors.persistence.store import Store
    from cli.clock import now_ms
    from cli.config import load_settings
    from cli.output import print_json

    url = load_settings(config).settings.database.url
    reader = Reader.open(url)
    runs = reader.runs()
    reader.close()
    store = Store.open(url, now_ms)
    try:
        problems = [f"run {run.id}: {problem}" for run in runs for problem in store.check(run.id)]
        problems += store.perform(audit_trail.problems)
    finally:
        store.close()
    if as_json:
        print_json({"runs": len(runs), "problems": problems})
    else:
        print("\n".join(problems) or f"the database is sound ({len(runs)} runs)")
    return 1 if problems else 0
