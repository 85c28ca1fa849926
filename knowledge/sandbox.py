"""An empty knowledge base beside the real one, for this database session alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = ("kb_documents", "kb_embeddings", "kb_terms")

TRIGGER = """
CREATE TRIGGER kb_count_added AFTER INSERT ON pg_temp.kb_embeddings REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION kb_count_terms('1')
"""


@contextmanager
def sandbox() -> Iterator[None]:
    """Inside, ingest and search see temporary tables, which PostgreSQL finds before the real ones of the same name."""
    with connection.cursor() as cursor:
        # Temporary tables have a cache of their own, of 8 MB, from which a corpus would come more slowly than usual.
        cursor.execute("SET temp_buffers = '256MB'")
        for table in TABLES:
            cursor.execute(f"CREATE TEMPORARY TABLE {table} (LIKE {table} INCLUDING ALL)")
        cursor.execute(TRIGGER)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {', '.join(f'pg_temp.{table}' for table in TABLES)}")
