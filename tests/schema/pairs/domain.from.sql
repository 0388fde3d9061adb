CREATE DOMAIN amount AS int CONSTRAINT small CHECK (VALUE < 100) CONSTRAINT other CHECK (VALUE > -7);
CREATE TABLE t (id int, m amount);
INSERT INTO t VALUES (1, 2);
-- What an extension has and a range's multirange are made while nothing is given to them by default.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO pg_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE pg_monitor GRANT SELECT ON TABLES TO pg_read_all_data;
