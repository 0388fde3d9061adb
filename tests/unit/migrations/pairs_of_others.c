#include "pairs.h"

const struct pair PAIRS_OF_OTHERS[] = {
	{ "functions", NULL,
	  "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
	  " CREATE FUNCTION g() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
	  "CREATE FUNCTION f(a integer DEFAULT 5) RETURNS integer LANGUAGE plpgsql STABLE STRICT SECURITY "
	  "DEFINER PARALLEL SAFE"
	  " COST 50 SET search_path = public, \"$user\" SET work_mem = '8MB' AS $x$ BEGIN RETURN $$1$$;END "
	  "$x$;"
	  " CREATE FUNCTION g() RETURNS text LANGUAGE sql AS 'SELECT ''1''';"
	  " CREATE FUNCTION r(OUT a integer, OUT b text) RETURNS SETOF record LANGUAGE sql ROWS 7 AS 'SELECT "
	  "1, ''x''';"
	  " CREATE FUNCTION at(k varchar) RETURNS boolean LANGUAGE sql RETURN k IN ('a', 'b');"
	  " CREATE PROCEDURE p(INOUT a integer) LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN a := 1;END "
	  "$$;"
	  " GRANT EXECUTE ON FUNCTION f(integer) TO ch_bob; REVOKE EXECUTE ON FUNCTION g() FROM PUBLIC;"
	  " COMMENT ON FUNCTION g() IS 'g'",
	  "CREATE OR REPLACE FUNCTION public.f", "DROP PROCEDURE" },
	{ "function before its tables", NULL, "",
	  "SET check_function_bodies = off; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT "
	  "count(*) FROM public.t';"
	  " CREATE TABLE t (a integer); CREATE FUNCTION row_of(t) RETURNS integer LANGUAGE sql AS 'SELECT "
	  "($1).a';"
	  " ALTER TABLE t ADD CHECK (row_of(t.*) > 0); CREATE VIEW v AS SELECT f() AS f",
	  "check_function_bodies", NULL },
	{ "function with users", "CREATE TABLE t (a integer)",
	  "CREATE FUNCTION f(x integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
	  " ALTER TABLE t ADD b integer DEFAULT f(1), ADD CHECK (f(a) > 0), ADD c integer GENERATED ALWAYS "
	  "AS (f(a)) STORED;"
	  " CREATE INDEX t_f ON t (f(a)); CREATE VIEW v AS SELECT f(a) AS f FROM t; CREATE POLICY p ON t "
	  "USING (f(a) > 0)",
	  "CREATE FUNCTION f(y integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
	  " ALTER TABLE t ADD b integer DEFAULT f(1), ADD CHECK (f(a) > 0), ADD c integer GENERATED ALWAYS "
	  "AS (f(a)) STORED;"
	  " CREATE INDEX t_f ON t (f(a)); CREATE VIEW v AS SELECT f(a) AS f FROM t; CREATE POLICY p ON t "
	  "USING (f(a) > 0)",
	  "DROP FUNCTION public.f(integer)", NULL },
	{ "aggregates", NULL,
	  "CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0')",
	  "CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '1', COMBINEFUNC = "
	  "int4pl, PARALLEL = safe);"
	  " CREATE AGGREGATE at(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = "
	  "internal,"
	  " FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);"
	  " COMMENT ON AGGREGATE at(float8 ORDER BY anyelement) IS 'at'",
	  "CREATE OR REPLACE AGGREGATE", "DROP ROUTINE" },
	{ "enum values",
	  "CREATE TYPE e AS ENUM ('b', 'd'); CREATE TABLE t (a e DEFAULT 'b', b e[]);"
	  " CREATE VIEW v AS SELECT a FROM t WHERE a = 'd'; CREATE INDEX t_a ON t (a)",
	  "",
	  "ALTER TYPE e ADD VALUE 'a' BEFORE 'b'; ALTER TYPE e ADD VALUE 'c' AFTER 'b'; ALTER TYPE e ADD "
	  "VALUE 'it''s';"
	  " ALTER TABLE t ALTER a SET DEFAULT 'c'",
	  "ADD VALUE 'c' AFTER 'b'", "USING a::text::public.e" },
	{ "enum order", NULL,
	  "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TYPE \"E 2\" AS ENUM (); ALTER TYPE e OWNER TO ch_bob;"
	  " COMMENT ON TYPE e IS 'e'; GRANT USAGE ON TYPE e TO ch_alice",
	  "CREATE TYPE e AS ENUM ('b', 'a'); CREATE TYPE \"E 2\" AS ENUM ('x'); ALTER TYPE e OWNER TO ch_bob;"
	  " COMMENT ON TYPE e IS 'e'; GRANT USAGE ON TYPE e TO ch_alice",
	  "RENAME TO e_old", "RENAME TO \"E 2_old\"" },
	{ "enum with users",
	  "CREATE TYPE e AS ENUM ('a', 'b', 'c'); CREATE TABLE t (a e DEFAULT 'b' CHECK (a <> 'c'), n "
	  "integer);"
	  " CREATE INDEX t_a ON t (a) WHERE a = 'b'; CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT "
	  "$1';"
	  " CREATE VIEW v AS SELECT f(a) AS a FROM t; INSERT INTO t VALUES ('a', 1)",
	  "",
	  "DROP VIEW v; DROP FUNCTION f(e); DROP TABLE t; DROP TYPE e; CREATE TYPE e AS ENUM ('b', 'a', 'c');"
	  " CREATE TABLE t (a e DEFAULT 'b' CHECK (a <> 'c'), n integer); CREATE INDEX t_a ON t (a) WHERE a "
	  "= 'b';"
	  " CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT $1'; CREATE VIEW v AS SELECT f(a) AS a "
	  "FROM t",
	  "DROP FUNCTION public.f(public.e)", NULL },
	{ "domains", NULL, "CREATE DOMAIN d AS varchar(5) CHECK (VALUE <> ''); CREATE TABLE t (a d)",
	  "CREATE DOMAIN d AS varchar(5) DEFAULT 'a' NOT NULL CONSTRAINT d_check CHECK (VALUE IN ('a', 'b'))"
	  " CONSTRAINT later CHECK (VALUE <> 'q'); CREATE TABLE t (a d); CREATE DOMAIN x AS integer;"
	  " ALTER DOMAIN x ADD CONSTRAINT u CHECK (VALUE <> 6) NOT VALID; COMMENT ON CONSTRAINT u ON DOMAIN "
	  "x IS 'u';"
	  " CREATE DOMAIN y AS text COLLATE \"C\"",
	  "ALTER DOMAIN public.d SET DEFAULT", "ALTER DOMAIN public.d DROP DEFAULT" },
	{ "domain's type", NULL, "CREATE DOMAIN d AS integer CHECK (VALUE > 0); CREATE TABLE t (a d)",
	  "CREATE DOMAIN d AS bigint CHECK (VALUE > 0); CREATE TABLE t (a d)", "ALTER DOMAIN public.d RENAME",
	  "USING a::text::public.d" },
	{ "composite types", NULL,
	  "CREATE TYPE c AS (a integer, b text, \"c d\" text[]); CREATE TABLE t (x c)",
	  "CREATE TYPE c AS (a integer, \"c d\" text[], e text COLLATE \"C\"); CREATE TABLE t (x c);"
	  " CREATE TYPE z AS (i c[], j t); COMMENT ON COLUMN z.i IS 'i'",
	  "DROP ATTRIBUTE b", "!column public.t.x: depends on composite type public.c" },
	{ "typed table", NULL, "CREATE TYPE c AS (a integer, b text); CREATE TABLE t OF c",
	  "CREATE TYPE c AS (a integer, b text, d date); CREATE TABLE t OF c (a WITH OPTIONS PRIMARY KEY)",
	  "CASCADE", "CASCADE" },
	{ "ranges", NULL, "CREATE TYPE r AS RANGE (subtype = float8)",
	  "CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = rs);"
	  " CREATE TYPE w AS RANGE (subtype = text, collation = \"C\", multirange_type_name = ws); CREATE "
	  "TABLE t (a r, b ws)",
	  "SUBTYPE_DIFF", NULL },
	{ "collations", NULL, "CREATE COLLATION c (LOCALE = 'C')",
	  "CREATE COLLATION c (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);"
	  " CREATE TABLE t (a text COLLATE c); COMMENT ON COLLATION c IS 'c'",
	  NULL, NULL },
	{ "column collation", "CREATE TABLE t (a text)", "", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\"",
	  "COLLATE pg_catalog.\"C\"", NULL },
	{ "conversions and casts", "CREATE TYPE p AS (a integer)",
	  "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
	  "CREATE DEFAULT CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;"
	  " CREATE FUNCTION to_p(integer) RETURNS p LANGUAGE sql AS 'SELECT ROW($1)::public.p';"
	  " CREATE CAST (integer AS p) WITH FUNCTION to_p(integer) AS ASSIGNMENT; CREATE CAST (p AS text) "
	  "WITH INOUT;"
	  " COMMENT ON CAST (integer AS p) IS 'c'",
	  NULL, "DROP CAST" },
	{ "operators",
	  "CREATE TYPE k AS (a integer);"
	  " CREATE FUNCTION k_lt(k, k) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a < ($2).a';"
	  " CREATE FUNCTION k_cmp(k, k) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
	  " CREATE FUNCTION k_int(k, integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true'",
	  "CREATE OPERATOR <<< (FUNCTION = k_lt, LEFTARG = k, RIGHTARG = k)",
	  "CREATE OPERATOR <<< (FUNCTION = k_lt, LEFTARG = k, RIGHTARG = k, RESTRICT = scalarltsel);"
	  " CREATE OPERATOR >>> (FUNCTION = k_lt, LEFTARG = k, RIGHTARG = k, COMMUTATOR = "
	  "OPERATOR(public.>>>));"
	  " CREATE OPERATOR !!! (FUNCTION = int4um, RIGHTARG = integer); CREATE OPERATOR FAMILY fam USING "
	  "btree;"
	  " CREATE OPERATOR CLASS ops FOR TYPE k USING btree FAMILY fam AS OPERATOR 1 <<<, FUNCTION 1 "
	  "k_cmp(k, k);"
	  " CREATE OPERATOR <<< (FUNCTION = k_int, LEFTARG = k, RIGHTARG = integer);"
	  " ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 <<< (k, integer);"
	  " COMMENT ON OPERATOR >>> (k, k) IS 'o'; COMMENT ON OPERATOR CLASS ops USING btree IS 'c';"
	  " CREATE TABLE t (a k); CREATE INDEX t_a ON t (a ops)",
	  "SET (RESTRICT = scalarltsel)", "SET (RESTRICT = NONE)" },
	{ "grants",
	  "CREATE SCHEMA s; CREATE TABLE s.t (a integer, b text); CREATE SEQUENCE s.q;"
	  " CREATE FUNCTION s.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TYPE s.e AS ENUM ('a');"
	  " CREATE VIEW s.v AS SELECT a FROM s.t",
	  "GRANT SELECT, INSERT ON s.t TO ch_bob",
	  "GRANT USAGE ON SCHEMA s TO ch_bob; GRANT SELECT, UPDATE ON s.t TO ch_bob WITH GRANT OPTION;"
	  " GRANT SELECT ON s.t TO PUBLIC; GRANT SELECT (a), UPDATE (b) ON s.t TO \"ch Öwner\";"
	  " GRANT USAGE ON SEQUENCE s.q TO ch_bob; REVOKE EXECUTE ON FUNCTION s.f() FROM PUBLIC;"
	  " GRANT EXECUTE ON FUNCTION s.f() TO ch_bob; GRANT USAGE ON TYPE s.e TO ch_alice; GRANT SELECT ON "
	  "s.v TO ch_bob;"
	  " REVOKE INSERT ON s.t FROM postgres; GRANT SELECT ON pg_catalog.pg_authid TO ch_bob;"
	  " GRANT CREATE ON SCHEMA public TO ch_bob; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
	  "WITH GRANT OPTION", "REVOKE" },
	{ "default privileges", "CREATE SCHEMA s",
	  "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ch_bob",
	  "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO ch_bob;"
	  " ALTER DEFAULT PRIVILEGES FOR ROLE ch_alice REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
	  " ALTER DEFAULT PRIVILEGES FOR ROLE ch_bob GRANT USAGE ON SEQUENCES TO ch_alice WITH GRANT OPTION",
	  "IN SCHEMA s", NULL },
	{ "objects under default privileges",
	  "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ch_bob; ALTER DEFAULT PRIVILEGES GRANT EXECUTE "
	  "ON FUNCTIONS TO ch_bob",
	  "",
	  "CREATE TABLE t (a integer); CREATE TABLE u (a integer); REVOKE SELECT ON u FROM ch_bob;"
	  " CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION f() "
	  "FROM ch_bob",
	  NULL, NULL },
	{ "owners",
	  "CREATE SCHEMA s; CREATE TABLE s.t (a serial); CREATE VIEW s.v AS SELECT 1 AS a;"
	  " CREATE FUNCTION s.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TYPE s.e AS ENUM ('a')",
	  "",
	  "ALTER TABLE s.t OWNER TO ch_bob; ALTER VIEW s.v OWNER TO ch_bob; ALTER FUNCTION s.f() OWNER TO "
	  "\"ch Öwner\";"
	  " ALTER TYPE s.e OWNER TO ch_alice; CREATE SEQUENCE s.q; ALTER SEQUENCE s.q OWNER TO ch_bob;"
	  " CREATE MATERIALIZED VIEW s.m AS SELECT 1 AS a; ALTER MATERIALIZED VIEW s.m OWNER TO ch_bob;"
	  " CREATE TABLE s.n (b serial); ALTER TABLE s.n OWNER TO ch_alice; GRANT SELECT ON s.n TO ch_bob",
	  "OWNER TO \"ch Öwner\"", "OWNER TO postgres" },
	{ "comments",
	  "CREATE TABLE t (a integer CONSTRAINT k CHECK (a > 0)); CREATE INDEX t_a ON t (a);"
	  " CREATE STATISTICS st ON a, (a + 1) FROM t",
	  "COMMENT ON TABLE t IS 'one'; COMMENT ON SCHEMA public IS NULL",
	  "COMMENT ON TABLE t IS E'two\\n''lines\\\\'; COMMENT ON COLUMN t.a IS 'a'; COMMENT ON CONSTRAINT k "
	  "ON t IS 'k';"
	  " COMMENT ON INDEX t_a IS 'i'; COMMENT ON STATISTICS st IS 's'",
	  "COMMENT ON CONSTRAINT k ON public.t", "COMMENT ON COLUMN public.t.a IS NULL" },
	{ "event triggers", "CREATE FUNCTION w() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
	  "CREATE EVENT TRIGGER one ON ddl_command_end EXECUTE FUNCTION w()",
	  "CREATE EVENT TRIGGER one ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE "
	  "FUNCTION w();"
	  " CREATE EVENT TRIGGER two ON sql_drop EXECUTE FUNCTION w(); ALTER EVENT TRIGGER two DISABLE",
	  "WHEN TAG IN", "DROP EVENT TRIGGER two" },
	{ "publications",
	  "CREATE SCHEMA s; CREATE TABLE s.t (id integer PRIMARY KEY, k text); CREATE TABLE u (a integer);"
	  " CREATE TABLE v () INHERITS (u)",
	  "CREATE PUBLICATION p FOR TABLE s.t; CREATE PUBLICATION q",
	  "CREATE PUBLICATION p FOR TABLE s.t (id, k) WHERE (id > 5), ONLY u"
	  " WITH (publish = 'insert', publish_via_partition_root = true); CREATE PUBLICATION q FOR ALL "
	  "TABLES;"
	  " CREATE PUBLICATION w FOR TABLES IN SCHEMA s",
	  "ADD TABLE s.t (id, k) WHERE", "DROP PUBLICATION w" },
	{ "a newer extension, which does not get older again", "CREATE TABLE t (a integer)",
	  "CREATE EXTENSION hstore VERSION '1.4'; ALTER TABLE t ADD h hstore",
	  "CREATE EXTENSION hstore; ALTER TABLE t ADD h hstore", "ALTER EXTENSION hstore UPDATE TO",
	  "!no update path" },
	{ "extensions", "CREATE SCHEMA x", "CREATE EXTENSION hstore SCHEMA x ",
	  "CREATE EXTENSION hstore; CREATE TABLE t (h hstore DEFAULT 'a=>b');"
	  " CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() DEPENDS ON "
	  "EXTENSION hstore;"
	  " GRANT EXECUTE ON FUNCTION hstore(text, text) TO ch_bob; REVOKE EXECUTE ON FUNCTION akeys(hstore) "
	  "FROM PUBLIC",
	  "SET SCHEMA public", "SET SCHEMA x" },
	{ "text search", NULL, "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, STOPWORDS = english)",
	  "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, ACCEPT = false);"
	  " CREATE TEXT SEARCH CONFIGURATION c (PARSER = \"default\");"
	  " ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR asciiword, word WITH d, english_stem;"
	  " CREATE TEXT SEARCH PARSER pa (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, "
	  "LEXTYPES = prsd_lextype);"
	  " CREATE TEXT SEARCH TEMPLATE te (LEXIZE = dsimple_lexize, INIT = dsimple_init);"
	  " COMMENT ON TEXT SEARCH CONFIGURATION c IS 'c'",
	  "ALTER TEXT SEARCH DICTIONARY", NULL },
	{ "text search mappings", "CREATE TEXT SEARCH CONFIGURATION c (PARSER = \"default\")",
	  "ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR asciiword, email WITH simple",
	  "ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR asciiword WITH english_stem;"
	  " ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR word WITH simple",
	  "DROP MAPPING FOR email", "DROP MAPPING FOR word" },
	{ "foreign data", NULL,
	  "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'a', port "
	  "'1');"
	  " CREATE FOREIGN TABLE f (a integer) SERVER s",
	  "CREATE FOREIGN DATA WRAPPER w OPTIONS (debug 'y''es');"
	  " CREATE SERVER s VERSION '15' FOREIGN DATA WRAPPER w OPTIONS (host 'h, x', dbname E'd\\\\b');"
	  " CREATE USER MAPPING FOR PUBLIC SERVER s;"
	  " CREATE FOREIGN TABLE f (a integer OPTIONS (c 'A'), b varchar NOT NULL DEFAULT 'x' CHECK (b <> "
	  "'q')) SERVER s"
	  " OPTIONS (t 'u'); CREATE FOREIGN TABLE g (x integer) SERVER s OPTIONS (a 'b');"
	  " GRANT USAGE ON FOREIGN SERVER s TO ch_bob; COMMENT ON SERVER s IS 's'",
	  "SET host 'h, x'", "DROP USER MAPPING" },
	{ "languages and methods", NULL, "",
	  "CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;"
	  " CREATE TABLE t (a integer) USING heap_again;"
	  " CREATE FUNCTION from_t(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS "
	  "'varchar_support';"
	  " CREATE TYPE k AS (a integer); CREATE TRANSFORM FOR k LANGUAGE sql (FROM SQL WITH FUNCTION "
	  "from_t(internal));"
	  " CREATE TRUSTED LANGUAGE pl2 HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR "
	  "plpgsql_validator",
	  "CREATE TRANSFORM", "DROP ACCESS METHOD" },
};
const size_t N_PAIRS_OF_OTHERS = sizeof(PAIRS_OF_OTHERS) / sizeof(*PAIRS_OF_OTHERS);
