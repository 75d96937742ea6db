-- Is there such a table?
SELECT to_regclass({table_name}) IS NOT NULL
