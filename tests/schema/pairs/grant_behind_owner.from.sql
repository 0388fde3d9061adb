-- tests/schema/random.awk 1311
DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY ARRAY['schema_reader', 'schema_owner', 'Schema Role'] LOOP
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
END LOOP; END $$;
CREATE SCHEMA app;
GRANT USAGE, CREATE ON SCHEMA app TO schema_reader;
GRANT USAGE, CREATE ON SCHEMA app TO schema_reader WITH GRANT OPTION;
CREATE SCHEMA "my schema";
CREATE SCHEMA other;
GRANT USAGE ON SCHEMA other TO "Schema Role";
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
COMMENT ON EXTENSION pg_trgm IS 'it''s "quoted"';
CREATE EXTENSION tablefunc SCHEMA public;
COMMENT ON EXTENSION tablefunc IS 'about it';
CREATE COLLATION app.plain (LOCALE = 'C');
COMMENT ON COLLATION app.plain IS 'größer
and longer';
CREATE COLLATION public."Numbers" (PROVIDER = icu, LOCALE = 'en-u-kn-true', DETERMINISTIC = false);
CREATE TYPE app.state AS ENUM ('new');
CREATE TYPE public."Mood" AS ENUM ('new', 'half''way', 'lost');
GRANT USAGE ON TYPE public."Mood" TO "Schema Role";
CREATE DOMAIN app.amount AS int CONSTRAINT small CHECK (VALUE < 100000 AND VALUE > -5) CONSTRAINT "not two" CHECK (VALUE NOT IN (-2, -3));
CREATE DOMAIN public."Code" AS varchar(60) COLLATE app.plain DEFAULT 'x';
COMMENT ON DOMAIN public."Code" IS 'about it';
GRANT USAGE ON DOMAIN public."Code" TO PUBLIC;
CREATE TYPE app.pair AS (a int, b text);
GRANT USAGE ON TYPE app.pair TO schema_owner;
GRANT USAGE ON TYPE app.pair TO schema_reader WITH GRANT OPTION;
CREATE TYPE app.line AS (id bigint, n1 int, t1 text);
CREATE TYPE app.tick;
CREATE FUNCTION app.tick_in(cstring) RETURNS app.tick LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.tick_out(app.tick) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION app.tick_order(app.tick, app.tick) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION app.tick_less(app.tick, app.tick) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION app.tick_same(app.tick, app.tick) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE TYPE app.tick (INPUT = app.tick_in, OUTPUT = app.tick_out, LIKE = int4);
CREATE TYPE app.steps;
CREATE FUNCTION app.in_steps(app.steps) RETURNS app.steps LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE app.steps AS RANGE (SUBTYPE = int4, CANONICAL = app.in_steps);
CREATE FUNCTION app.greet(who text, n int) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO 'app', 'pg_temp' SET work_mem TO '8MB' AS $$ BEGIN RETURN 'hi ' || who; END $$;
ALTER FUNCTION app.greet(text, int) OWNER TO schema_owner;
GRANT EXECUTE ON FUNCTION app.greet(text, int) TO "Schema Role";
REVOKE ALL ON FUNCTION app.greet(text, int) FROM PUBLIC;
CREATE FUNCTION public."Many"(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql ROWS 10 AS $$ SELECT 1, 'x'::text UNION ALL SELECT 2, 'y' $$;
CREATE FUNCTION app.total(VARIADIC v int[]) RETURNS bigint LANGUAGE sql AS $$ SELECT sum(x) FROM unnest(v) x $$;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(NEW, OLD); END $$;
CREATE AGGREGATE app.mean(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg);
CREATE AGGREGATE app.middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE app.place(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE FUNCTION app.tight(a int, b int) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT LEAKPROOF AS 'int4ne';
CREATE FUNCTION app.listed(n int, other int) RETURNS TABLE (a int, b text) LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;
CREATE SEQUENCE public."Count er";
ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO "Schema Role";
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO schema_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO "Schema Role";
CREATE TABLE app.account (
	id bigint GENERATED ALWAYS AS IDENTITY,
	u1 uuid,
	e2 public."Mood" DEFAULT 'lost' NOT NULL,
	ea app.state[] DEFAULT ARRAY['new']::app.state[] NOT NULL,
	x1 public.citext,
	"Odd ""one" text
);
ALTER TABLE app.account ADD PRIMARY KEY (id);
CREATE INDEX ix_1011724531_1 ON app.account (id DESC);
COMMENT ON INDEX app.ix_1011724531_1 IS 'größer
and longer';
CREATE UNIQUE INDEX u_1011724531 ON app.account (id);
CREATE POLICY "the policy" ON app.account AS RESTRICTIVE FOR ALL TO schema_reader USING (id IN (1, 2, 3));
COMMENT ON POLICY "the policy" ON app.account IS 'who sees';
CREATE POLICY writing ON app.account FOR INSERT WITH CHECK (current_user = 'x');
GRANT SELECT ON TABLE app.account TO schema_reader;
INSERT INTO app.account (id, u1, e2, ea, x1, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (1, '00000000-0000-0000-0000-000000000001', 'new', '{new}', 'value 1', 'value 1');
INSERT INTO app.account (id, u1, e2, ea, x1, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (2, '00000000-0000-0000-0000-000000000002', 'new', '{new}', 'value 2', 'value 2');
INSERT INTO app.account (id, u1, e2, ea, x1, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (3, '00000000-0000-0000-0000-000000000003', 'new', '{new}', 'value 3', 'value 3');
CREATE TABLE public.t1 (
	id bigint GENERATED ALWAYS AS IDENTITY,
	d1 date DEFAULT CURRENT_DATE,
	j1 jsonb,
	a1 int[],
	m1 app.amount DEFAULT '3' NOT NULL,
	p1 app.pair,
	s1 int8range,
	ref int
);
ALTER TABLE public.t1 ADD CONSTRAINT the_key_1693417361 PRIMARY KEY (id);
CREATE INDEX ix_1693417361_1 ON public.t1 (id DESC);
CREATE INDEX ix_1693417361_2 ON public.t1 (id, (id + 1)) WITH (fillfactor = 75);
COMMENT ON INDEX public.ix_1693417361_2 IS 'about it';
ALTER INDEX public.ix_1693417361_2 ALTER COLUMN 2 SET STATISTICS 20;
CREATE INDEX hash_1693417361 ON public.t1 USING brin (id);
CREATE UNIQUE INDEX u_1693417361 ON public.t1 (id);
ALTER TABLE public.t1 REPLICA IDENTITY NOTHING;
COMMENT ON COLUMN public.t1.id IS 'it''s';
INSERT INTO public.t1 (id, d1, j1, a1, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (1, '2024-01-01', '{"k": 1}', '{1,2}', '1', NULL, '[10,15)', NULL);
INSERT INTO public.t1 (id, d1, j1, a1, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (2, '2024-01-02', '{"k": 2}', '{2,2}', '2', NULL, '[20,25)', NULL);
INSERT INTO public.t1 (id, d1, j1, a1, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (3, '2024-01-03', '{"k": 3}', '{3,2}', '3', NULL, '[30,35)', NULL);
CREATE SEQUENCE public."größe_seq";
CREATE TABLE public."größe" (
	id bigint NOT NULL DEFAULT nextval('public."größe_seq"'),
	u1 uuid,
	p1 app.pair,
	s1 int8range,
	ref int,
	"Odd ""one" text,
	g1 text
);
ALTER SEQUENCE public."größe_seq" OWNED BY public."größe".id;
ALTER TABLE public."größe" ADD PRIMARY KEY (id);
CREATE INDEX ix_280402668_1 ON public."größe" (id);
CREATE INDEX ix_280402668_2 ON public."größe" (id) WHERE id BETWEEN 1 AND 5 AND id <> 3;
CREATE INDEX ix_280402668_3 ON public."größe" ((id % 7), id) WHERE id > 0;
CREATE INDEX hash_280402668 ON public."größe" USING brin (id) WITH (pages_per_range = 8);
CREATE UNIQUE INDEX u_280402668 ON public."größe" (id);
CREATE POLICY writing ON public."größe" FOR INSERT WITH CHECK (id > 0);
ALTER TABLE public."größe" OWNER TO schema_reader;
GRANT INSERT, UPDATE ON TABLE public."größe" TO PUBLIC;
INSERT INTO public."größe" (id, u1, p1, s1, ref, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (1, '00000000-0000-0000-0000-000000000001', NULL, '[10,15)', NULL, 'value 1');
INSERT INTO public."größe" (id, u1, p1, s1, ref, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (2, '00000000-0000-0000-0000-000000000002', NULL, '[20,25)', NULL, 'value 2');
INSERT INTO public."größe" (id, u1, p1, s1, ref, "Odd ""one") OVERRIDING SYSTEM VALUE VALUES (3, '00000000-0000-0000-0000-000000000003', NULL, '[30,35)', NULL, 'value 3');
CREATE UNLOGGED TABLE "my schema".log (
	id bigint NOT NULL,
	a1 bigint[] DEFAULT '{}' NOT NULL,
	u1 uuid,
	x1 public.citext,
	"Odd ""one" text,
	g1 text
);
ALTER TABLE "my schema".log ADD CONSTRAINT one_id_2029377468 UNIQUE (id);
CREATE INDEX ix_2029377468_1 ON "my schema".log (id DESC);
CREATE INDEX ix_2029377468_2 ON "my schema".log (id) WITH (fillfactor = 75);
CREATE INDEX ix_2029377468_3 ON "my schema".log ((id % 7), id) WHERE id BETWEEN 1 AND 5 AND id <> 3;
ALTER INDEX "my schema".ix_2029377468_3 ALTER COLUMN 1 SET STATISTICS 10;
CREATE UNIQUE INDEX u_2029377468 ON "my schema".log (id);
CREATE POLICY writing ON "my schema".log FOR INSERT WITH CHECK (id > 0);
GRANT ALL ON TABLE "my schema".log TO schema_owner;
COMMENT ON COLUMN "my schema".log.id IS 'the id';
GRANT SELECT (id) ON "my schema".log TO schema_reader;
CREATE TABLE "my schema"."a ""b""" (
	id bigint GENERATED ALWAYS AS IDENTITY,
	t1 varchar(80) DEFAULT upper('y') NOT NULL,
	d1 timestamptz,
	j1 jsonb,
	a1 bigint[],
	e2 public."Mood",
	ea app.state[],
	m1 app.amount DEFAULT '3' NOT NULL,
	p1 app.pair,
	s1 int8range,
	ref int,
	g1 text
);
ALTER TABLE "my schema"."a ""b""" ADD CONSTRAINT the_key_1999714436 PRIMARY KEY (id);
ALTER TABLE "my schema"."a ""b""" ADD CONSTRAINT "t, checked" CHECK (t1 NOT LIKE '%%bad%%') NO INHERIT;
ALTER TABLE "my schema"."a ""b""" ALTER t1 SET STORAGE MAIN;
CREATE INDEX ix_1999714436_3 ON "my schema"."a ""b""" (t1 text_pattern_ops) INCLUDE (id);
CREATE INDEX gin_1999714436 ON "my schema"."a ""b""" USING gin (j1 jsonb_path_ops);
CREATE UNIQUE INDEX u_1999714436 ON "my schema"."a ""b""" (id) INCLUDE (t1);
ALTER TABLE "my schema"."a ""b""" OWNER TO schema_owner;
INSERT INTO "my schema"."a ""b""" (id, t1, d1, j1, a1, e2, ea, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (1, 'value 1', '2024-01-01', '{"k": 1}', '{1,2}', 'new', '{new}', '1', NULL, '[10,15)', NULL);
INSERT INTO "my schema"."a ""b""" (id, t1, d1, j1, a1, e2, ea, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (2, 'value 2', '2024-01-02', '{"k": 2}', '{2,2}', 'new', '{new}', '2', NULL, '[20,25)', NULL);
INSERT INTO "my schema"."a ""b""" (id, t1, d1, j1, a1, e2, ea, m1, p1, s1, ref) OVERRIDING SYSTEM VALUE VALUES (3, 'value 3', '2024-01-03', '{"k": 3}', '{3,2}', 'new', '{new}', '3', NULL, '[30,35)', NULL);
CREATE TABLE app.parent (id bigint NOT NULL, n1 int DEFAULT 1);
CREATE TABLE app.other_parent (id bigint, z int);
CREATE TABLE app.base (id bigint NOT NULL, n1 int, t1 text);
INSERT INTO app.base (id, n1, t1) OVERRIDING SYSTEM VALUE VALUES (1, '1', 'value 1');
INSERT INTO app.base (id, n1, t1) OVERRIDING SYSTEM VALUE VALUES (2, '2', 'value 2');
INSERT INTO app.base (id, n1, t1) OVERRIDING SYSTEM VALUE VALUES (3, '3', 'value 3');
CREATE TABLE app.heir (own text, id bigint NOT NULL, n1 int, t1 text);
INSERT INTO app.heir (own, id, n1, t1) OVERRIDING SYSTEM VALUE VALUES ('value 1', 11, '1', 'value 1');
INSERT INTO app.heir (own, id, n1, t1) OVERRIDING SYSTEM VALUE VALUES ('value 2', 12, '2', 'value 2');
INSERT INTO app.heir (own, id, n1, t1) OVERRIDING SYSTEM VALUE VALUES ('value 3', 13, '3', 'value 3');
CREATE TABLE app.kind (id bigint NOT NULL, n1 int DEFAULT 2) PARTITION BY LIST (id);
CREATE TABLE app.kind_1 PARTITION OF app.kind FOR VALUES IN (1, 2);
CREATE TABLE app.kind_rest PARTITION OF app.kind DEFAULT;
ALTER TABLE app.kind ADD CONSTRAINT one_id_924056779 UNIQUE NULLS NOT DISTINCT (id);
ALTER TABLE app.kind ADD CONSTRAINT "id and n 924056779" UNIQUE (id, n1);
ALTER TABLE app.kind ADD CONSTRAINT n_small CHECK (n1 BETWEEN -100 AND 1000 AND id > 0);
COMMENT ON CONSTRAINT n_small ON app.kind IS 'for short';
CREATE INDEX n_924056779 ON app.kind (n1);
ALTER TABLE app.kind ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE app.kind IS 'it''s "quoted"';
CREATE INDEX own_924056779 ON app.kind_1 (id, (id + 2), id);
ALTER TABLE "my schema"."a ""b""" ADD CONSTRAINT ref_fk FOREIGN KEY (ref) REFERENCES app.kind (id) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE;
CREATE VIEW app.text_of AS SELECT id, upper(t1::text) AS t, count(*) AS n FROM "my schema"."a ""b""" GROUP BY id;
CREATE VIEW app.checked AS SELECT id FROM "my schema"."a ""b""" WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE MATERIALIZED VIEW app.stored AS SELECT id, 1 AS one, 'x'::text AS label FROM "my schema"."a ""b""";
CREATE UNIQUE INDEX stored_id ON app.stored (id);
COMMENT ON INDEX app.stored_id IS 'of what is stored';
CREATE FUNCTION app.ids() RETURNS SETOF bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT id::bigint FROM public.t1 WHERE id > 0 ORDER BY 1; END;
CREATE FUNCTION app.id_of(r public.t1) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT (r).id + 0';
CREATE TRIGGER "touch it" AFTER DELETE ON app.account FOR EACH ROW EXECUTE FUNCTION app.touch();
COMMENT ON TRIGGER "touch it" ON app.account IS 'touches';
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.account DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER "touch it" BEFORE INSERT ON public.t1 FOR EACH ROW EXECUTE FUNCTION app.touch('arg');
ALTER TABLE public.t1 DISABLE TRIGGER "touch it";
CREATE TRIGGER seen AFTER UPDATE ON public.t1 FOR EACH ROW WHEN (OLD.id IN (1, 2) AND NEW.id > 3) EXECUTE FUNCTION app.touch();
CREATE RULE "a rule" AS ON INSERT TO public.t1 WHERE NEW.id > 100 DO INSTEAD NOTHING;
CREATE TRIGGER "touch it" AFTER DELETE ON public."größe" FOR EACH ROW EXECUTE FUNCTION app.touch();
COMMENT ON TRIGGER "touch it" ON public."größe" IS 'touches';
CREATE TRIGGER seen AFTER UPDATE ON public."größe" FOR EACH ROW WHEN (OLD.id IN (1, 2) AND NEW.id > 3) EXECUTE FUNCTION app.touch();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public."größe" DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER "each time" BEFORE INSERT OR TRUNCATE ON public."größe" FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE TRIGGER "touch it" BEFORE INSERT ON "my schema".log FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE "my schema".log ENABLE ALWAYS TRIGGER "touch it";
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON "my schema".log DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER "each time" AFTER DELETE ON "my schema".log REFERENCING OLD TABLE AS "the rows" FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE TRIGGER "touch it" BEFORE UPDATE ON "my schema"."a ""b""" FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER seen AFTER UPDATE ON "my schema"."a ""b""" FOR EACH ROW WHEN (OLD.id IN (1, 2) AND NEW.id > 3) EXECUTE FUNCTION app.touch();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON "my schema"."a ""b""" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER "each time" AFTER INSERT ON "my schema"."a ""b""" REFERENCING NEW TABLE AS "the rows" FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE TRIGGER "touch it" BEFORE INSERT OR UPDATE OF id ON app.kind FOR EACH ROW EXECUTE FUNCTION app.touch('arg');
ALTER TABLE app.kind_1 ENABLE ALWAYS TRIGGER "touch it";
CREATE TRIGGER seen AFTER UPDATE ON app.kind FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION app.touch();
CREATE TRIGGER "each time" BEFORE UPDATE ON app.kind FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE PUBLICATION "the news" FOR TABLE public."größe" WHERE (id > 5) WITH (publish = 'insert, delete', publish_via_partition_root = true);
CREATE TEXT SEARCH DICTIONARY app.words (TEMPLATE = simple, ACCEPT = false);
CREATE FOREIGN DATA WRAPPER "a wrapper";
CREATE SERVER there TYPE 'x' VERSION '2' FOREIGN DATA WRAPPER "a wrapper" OPTIONS (host 'b');
COMMENT ON SERVER there IS 'größer
and longer';
CREATE USER MAPPING FOR schema_reader SERVER there;
CREATE FOREIGN TABLE app.far (id int DEFAULT 2 NOT NULL) SERVER there OPTIONS ("table" 'a');
ALTER FOREIGN TABLE app.far OWNER TO schema_owner;
GRANT SELECT ON TABLE app.far TO PUBLIC;
CREATE OPERATOR CLASS app.plain_ints FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4), FUNCTION 2 btint4sortsupport(internal);
CREATE OPERATOR CLASS app.hashed_ints FOR TYPE int4 USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int4);
CREATE OPERATOR CLASS app.near FOR TYPE point USING gist AS OPERATOR 15 <-> (point, point) FOR ORDER BY float_ops, FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal), FUNCTION 3 gist_point_compress(internal), FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal), FUNCTION 8 gist_point_distance(internal, point, smallint, oid, internal), STORAGE box;
CREATE OPERATOR FAMILY app.mixed USING btree;
ALTER OPERATOR FAMILY app.mixed USING btree ADD OPERATOR 1 < (int4, int8), OPERATOR 3 = (int4, int8), FUNCTION 1 (int4, int8) btint48cmp(int4, int8);
CREATE OPERATOR CLASS app.in_mixed FOR TYPE int4 USING btree FAMILY app.mixed AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4), OPERATOR 5 >;
CREATE OPERATOR app.<< (FUNCTION = app.tick_less, LEFTARG = app.tick, RIGHTARG = app.tick, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR app.~= (FUNCTION = app.tick_same, LEFTARG = app.tick, RIGHTARG = app.tick, COMMUTATOR = OPERATOR(app.~=));
CREATE OPERATOR CLASS app.ticks DEFAULT FOR TYPE app.tick USING btree AS OPERATOR 1 app.<<, OPERATOR 3 app.~=, FUNCTION 1 app.tick_order(app.tick, app.tick);
ALTER OPERATOR CLASS app.ticks USING btree OWNER TO "Schema Role";
CREATE FUNCTION app.again() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION app.again_now(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION app.again_checks(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE again HANDLER app.again;
CREATE CAST (app.tick AS int) WITHOUT FUNCTION;
CREATE FUNCTION app.as_text(app.pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT ($1).b::text $$;
CREATE CAST (app.pair AS text) WITH FUNCTION app.as_text(app.pair);
ALTER MATERIALIZED VIEW app.stored DEPENDS ON EXTENSION citext;
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION public.on_ddl();
COMMENT ON EVENT TRIGGER watch IS 'größer';
ALTER EVENT TRIGGER watch DISABLE;
