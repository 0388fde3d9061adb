CREATE TABLE bare (id bigint NOT NULL, t text) WITH (toast.autovacuum_enabled = false);
CREATE SEQUENCE logged_seq;
CREATE UNLOGGED TABLE logged (id bigint NOT NULL DEFAULT nextval('logged_seq'));
ALTER SEQUENCE logged_seq OWNED BY logged.id;
CREATE SEQUENCE free_seq;
CREATE TABLE owner (id bigint NOT NULL DEFAULT nextval('free_seq'));
ALTER TABLE owner OWNER TO pg_monitor;
CREATE DOMAIN code AS varchar(60);
CREATE TABLE coded (id bigint NOT NULL, k code);
