-- Make the partitions that will be needed, and drop those whose time is over. Returns how many have come or gone.
SELECT {function}(%(keep)s::interval)
