-- A parsed body moves from a table that goes to one that comes; what the one needs waits for the other to go.
CREATE TYPE mood AS ENUM ('new');
CREATE TABLE gone (id bigint NOT NULL, e mood);
CREATE FUNCTION ids() RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT id FROM gone; END;
-- The same over a function that a check of the old table and the new one need.
CREATE FUNCTION twice(x bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT $1 * 2 $$;
CREATE TABLE checked (id bigint NOT NULL, CHECK (twice(id) > 0));
CREATE FUNCTION of_checked() RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT id FROM checked; END;
COMMENT ON FUNCTION of_checked() IS 'stays';
GRANT EXECUTE ON FUNCTION of_checked() TO pg_monitor;
INSERT INTO gone VALUES (1, 'new');
INSERT INTO checked VALUES (1);
-- A function that would go with the extension; it goes once what used it does without.
CREATE EXTENSION tablefunc;
CREATE FUNCTION leans(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TABLE leaning (id bigint DEFAULT leans(1));
ALTER FUNCTION leans(bigint) DEPENDS ON EXTENSION tablefunc;
-- A function that is replaced forgets on which extension it depends.
CREATE EXTENSION citext;
CREATE FUNCTION dependent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
ALTER FUNCTION dependent() DEPENDS ON EXTENSION citext;
CREATE TABLE triggered (id bigint);
CREATE TRIGGER tr BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION dependent();
ALTER TRIGGER tr ON triggered DEPENDS ON EXTENSION citext;
-- The index of a key goes, and what stood for the rows' identity by it; who refers takes the one that comes.
CREATE TABLE known (id bigint NOT NULL CONSTRAINT known_id UNIQUE, n int NOT NULL);
ALTER TABLE known REPLICA IDENTITY USING INDEX known_id;
CREATE TABLE knows (id bigint);
ALTER TABLE knows ADD CONSTRAINT knows FOREIGN KEY (id) REFERENCES known (id) NOT VALID;
CREATE TABLE meets (id bigint);
INSERT INTO known VALUES (1, 1);
INSERT INTO knows VALUES (1);
-- A class cannot do without one of its operators; an index waits for the class.
CREATE OPERATOR FAMILY several USING btree;
CREATE OPERATOR CLASS of_several FOR TYPE int4 USING btree FAMILY several AS OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >,
	FUNCTION 1 btint4cmp(int4, int4);
CREATE TABLE ordered (n int);
CREATE INDEX ordered_n ON ordered (n of_several);
-- What is replaced depends on the extension still.
CREATE EXTENSION hstore;
CREATE FUNCTION stays_with() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION stays_with() DEPENDS ON EXTENSION hstore;
