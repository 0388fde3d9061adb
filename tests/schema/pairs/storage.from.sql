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
