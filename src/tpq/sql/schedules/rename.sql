-- Let the row of a schedule in code bear the new name of its task: what people have said of it, and what became of it,
-- stays. No row back: none bears an old name (`aliases`), or one bears the new name already. Of several it is the last
-- one that was followed.
UPDATE {table} SET name = %(name)s, task = %(name)s
WHERE source = 'code' AND name = ANY(%(aliases)s::text[])
    AND id = (
        SELECT id FROM {table} WHERE source = 'code' AND name = ANY(%(aliases)s::text[])
        ORDER BY last_at DESC NULLS LAST, id DESC LIMIT 1
    )
    AND NOT EXISTS (SELECT FROM {table} WHERE source = 'code' AND name = %(name)s)
RETURNING id
