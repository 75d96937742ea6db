-- Plans of a connection of our own: made once and kept, and by index also where the table is empty at that moment.
SELECT set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false), set_config('enable_sort', 'off', false),
       set_config('jit', 'off', false)
