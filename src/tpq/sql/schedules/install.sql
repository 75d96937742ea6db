-- What the table of schedules has that Django can not make. Whatever changes when a schedule is due, be it an UPDATE by
-- hand, has it planned anew; and who is due is found by an index, at its beginning who was not planned yet.
CREATE INDEX {name_due} ON {table} (coalesce(next_at, timestamptz 'epoch')) WHERE enabled;
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $do$
BEGIN
    NEW.next_at := NULL;
    NEW.error := '';
    RETURN NEW;
END $do$;
CREATE TRIGGER {function} BEFORE UPDATE ON {table} FOR EACH ROW
WHEN ((OLD.cron, OLD.every, OLD.start_at, OLD.timezone, OLD.enabled)
      IS DISTINCT FROM (NEW.cron, NEW.every, NEW.start_at, NEW.timezone, NEW.enabled))
EXECUTE FUNCTION {function}()
