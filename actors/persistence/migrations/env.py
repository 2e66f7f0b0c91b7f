"""What Alembic runs: the migrations, inside the transaction of the connection it was handed."""

from alembic import context

from actors.persistence.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
