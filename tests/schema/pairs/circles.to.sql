CREATE TYPE mood AS ENUM ('new', 'old');
CREATE TABLE comes (id bigint NOT NULL, e mood);
CREATE FUNCTION ids() RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT id FROM comes; END;
CREATE FUNCTION twice(y bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT $1 * 2 $$;
CREATE TABLE checks (id bigint NOT NULL, CHECK (twice(id) > 0));
CREATE FUNCTION of_checked() RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT id FROM checks; END;
COMMENT ON FUNCTION of_checked() IS 'stays';
GRANT EXECUTE ON FUNCTION of_checked() TO pg_monitor;
INSERT INTO comes VALUES (1, 'old');
