"""How Alembic reaches the tables: always through a connection that core.database hands over."""

from alembic import context

from core import model_tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=model_tables.model_version.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
