-- A line a head, a line a table with a digest of its rows, in whatever order they lie, and a line a large object.
-- Left out: what ripcord itself keeps there, and the table that the other session writes to.
SELECT 'head', version_num FROM alembic_version ORDER BY 2;
SELECT format($$SELECT %L, md5(coalesce(string_agg(r, E'\n' ORDER BY r COLLATE "C"), '')) FROM (SELECT t::text AS r FROM %I.%I t) rows$$,
              nspname || '.' || relname, nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'ripcord')
  AND relname NOT IN ('alembic_version', 'visits')
ORDER BY nspname || '.' || relname COLLATE "C" \gexec
SELECT 'large object', oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid;
