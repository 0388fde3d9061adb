CREATE DOMAIN amount AS int CONSTRAINT small CHECK (VALUE < 100) CONSTRAINT other CHECK (VALUE > -7);
CREATE TABLE t (id int, m amount);
INSERT INTO t VALUES (1, 2);
-- What an extension has and a range's multirange are made while nothing is given to them by default.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO pg_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE pg_monitor GRANT SELECT ON TABLES TO pg_read_all_data;
-- A canonical function is one of the shell of its range.
CREATE TYPE steps;
CREATE FUNCTION in_steps(steps) RETURNS steps LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE steps AS RANGE (SUBTYPE = int4, CANONICAL = in_steps);
ALTER TYPE steps OWNER TO pg_monitor;
COMMENT ON FUNCTION in_steps(steps) IS 'one way';
CREATE TYPE leaps;
CREATE FUNCTION in_leaps(leaps) RETURNS leaps LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE leaps AS RANGE (SUBTYPE = int4, CANONICAL = in_leaps);
COMMENT ON FUNCTION in_leaps(leaps) IS 'stays';
