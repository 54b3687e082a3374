TABLES = ("schema_version", "schema_update_history", "alembic_version")
