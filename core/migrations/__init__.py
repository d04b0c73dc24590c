"""Schema revisions, applied by core.database.upgrade."""
