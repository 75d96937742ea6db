-- Let statements of this transaction wait no longer than so long for a lock from now on; how long they did before.
SELECT current_setting('lock_timeout'), set_config('lock_timeout', %(timeout)s, true)
