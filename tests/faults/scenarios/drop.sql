-- message: what nobody needs any more

-- ripcord:upgrade
ALTER TABLE customers DROP COLUMN phone;
DROP TABLE old_audit;

-- ripcord:downgrade
ALTER TABLE customers ADD COLUMN phone text;
CREATE TABLE old_audit (at timestamptz NOT NULL, what text);
