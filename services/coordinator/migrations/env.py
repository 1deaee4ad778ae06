"""What Alembic runs: it migrates over the connection that `store.schema` hands it."""

from alembic import context

from services.coordinator.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can't alter most of a table in place; Alembic then rebuilds it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
