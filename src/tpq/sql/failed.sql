-- What `errors` is after one more failed run: the last 50 of them.
CASE WHEN jsonb_typeof(errors) <> 'array' OR errors IS NULL THEN '[]'
             WHEN jsonb_array_length(errors) >= 50 THEN errors - 0 ELSE errors END
        || jsonb_build_object('claimed_at', claimed_at, 'at', clock_timestamp(), 'consumer', claimed_by,
                              'type', {type}, 'error', {error})
