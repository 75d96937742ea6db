"""A queue made by Django's migrations is the same as one made by the engine, down to the catalogs."""

import pytest
from django.db import connection

from tests.testapp.models import PlainQueue
from tpq import schema

MADE_BY_DJANGO, MADE_BY_ENGINE = PlainQueue._meta.db_table, "engine_plainqueue"
CATALOGS = {
    "columns": """
        SELECT column_name, ordinal_position, data_type, udt_name, character_maximum_length, numeric_precision,
               datetime_precision, collation_name, is_nullable, column_default, is_identity, identity_generation,
               identity_start, identity_increment, identity_minimum, identity_maximum, identity_cycle, is_generated
        FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position
    """,
    "storage": """
        SELECT attname, attstorage, attcompression, attstattarget FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum
    """,
    "sequences": """
        SELECT attname, pg_sequence.seqcache, seqstart, seqincrement, seqcycle, relname FROM pg_sequence
        JOIN pg_depend ON objid = seqrelid AND refobjid = %s::regclass AND classid = 'pg_class'::regclass
        JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        JOIN pg_class ON pg_class.oid = seqrelid ORDER BY attname
    """,
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1",
    "constraints": """
        SELECT conname, contype, convalidated, condeferrable, pg_get_constraintdef(oid),
               obj_description(oid, 'pg_constraint')
        FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1
    """,
    "triggers": "SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass ORDER BY 1",
    "table": "SELECT relkind, relpersistence, reloptions::text FROM pg_class WHERE oid = %s::regclass",
}


@pytest.fixture
def rows(db):
    """What a catalog says about both tables, in one another's words."""
    schema.create(MADE_BY_ENGINE, connection.cursor)

    def rows(catalog, table):
        with connection.cursor() as cursor:
            cursor.execute(CATALOGS[catalog], [table])
            return [
                tuple(cell.replace(table, "{table}") if isinstance(cell, str) else cell for cell in row)
                for row in cursor.fetchall()
            ]

    return rows


@pytest.mark.parametrize("catalog", CATALOGS)
def test_both_are_the_same(rows, catalog):
    made_by_django = rows(catalog, MADE_BY_DJANGO)
    assert made_by_django
    assert made_by_django == rows(catalog, MADE_BY_ENGINE)
