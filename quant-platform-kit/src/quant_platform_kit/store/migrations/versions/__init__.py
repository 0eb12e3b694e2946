"""One module a migration; Alembic finds them by their names."""
