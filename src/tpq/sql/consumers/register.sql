-- Enter a consumer; its heart has beaten once. Returns its id.
INSERT INTO {table} (host, pid, version, queues) VALUES (%(host)s, %(pid)s, %(version)s, %(queues)s)
RETURNING id
