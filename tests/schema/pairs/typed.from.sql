CREATE TYPE piece AS (id bigint, n int, t text);
