-- The call that holds a key, if its period is not over.
SELECT queue, number, token FROM {table} WHERE key = %(key)s AND until > clock_timestamp() + %(ahead)s::interval
