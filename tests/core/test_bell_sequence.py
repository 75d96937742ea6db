"""The sequence that the bell asks survives what its server does not."""


def test_it_is_there_on_a_standby_that_takes_over(conn, table):
    """An unlogged one is not: nothing could be put in after a failover (make chaos: failover)."""
    query = """
        SELECT relpersistence FROM pg_class
        WHERE oid = pg_get_serial_sequence(%s, 'state')::regclass
    """
    assert conn.execute(query, [table.name]).fetchall() == [("p",)]
