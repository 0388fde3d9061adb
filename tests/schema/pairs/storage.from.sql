-- A table has a TOAST table, and options for it, when a column wants one.
CREATE TABLE bare (id bigint NOT NULL);
-- SET UNLOGGED takes sequences along.
CREATE SEQUENCE logged_seq;
CREATE TABLE logged (id bigint NOT NULL DEFAULT nextval('logged_seq'));
ALTER SEQUENCE logged_seq OWNED BY logged.id;
-- A sequence that nobody owns any more has an owner of its own.
CREATE SEQUENCE free_seq;
CREATE TABLE owner (id bigint NOT NULL DEFAULT nextval('free_seq'));
ALTER SEQUENCE free_seq OWNED BY owner.id;
ALTER TABLE owner OWNER TO pg_monitor;
-- A column has the collation of its domain.
CREATE COLLATION plain (LOCALE = 'C');
CREATE DOMAIN code AS text COLLATE plain;
CREATE TABLE coded (id bigint NOT NULL, k code);
INSERT INTO bare VALUES (1);
INSERT INTO logged VALUES (1);
INSERT INTO coded VALUES (1, 'k');
-- What is made again with a column's type forgets its statistics targets.
CREATE TABLE measured (id bigint NOT NULL, n integer);
CREATE INDEX measured_sum ON measured ((id + n));
ALTER INDEX measured_sum ALTER COLUMN 1 SET STATISTICS 50;
CREATE STATISTICS measured_both ON id, n FROM measured;
ALTER STATISTICS measured_both SET STATISTICS 20;
-- What was computed from a column stays when that gets another type, or goes.
CREATE TABLE computed (id bigint NOT NULL, n numeric(12,2), m int, twice numeric GENERATED ALWAYS AS (n * 2) STORED,
	more int GENERATED ALWAYS AS (m + 1) STORED);
INSERT INTO computed VALUES (1, 1, 1);
-- With a table go the privileges of its owner.
CREATE TABLE handed (id bigint);
ALTER TABLE handed OWNER TO pg_monitor;
GRANT SELECT ON handed TO pg_monitor WITH GRANT OPTION;
REVOKE INSERT ON handed FROM pg_monitor;
GRANT DELETE ON handed TO pg_read_all_data WITH GRANT OPTION;
CREATE TABLE given (id bigint);
ALTER TABLE given OWNER TO pg_monitor;
GRANT SELECT ON given TO pg_monitor WITH GRANT OPTION;
