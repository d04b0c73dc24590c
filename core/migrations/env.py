"""How Alembic reaches the tables: always through a connection that core.database hands over."""

from alembic import context

from core import dose_tables, model_tables, people_tables

# Whichever is named: all tables are in the same metadata once both are imported.
KNOWN = (
    people_tables.case_look.metadata,
    model_tables.model_version.metadata,
    dose_tables.difference.metadata,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=KNOWN[0],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
