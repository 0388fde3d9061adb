CREATE TYPE piece AS (id bigint, n int, t text);
CREATE TABLE typed OF piece (id WITH OPTIONS NOT NULL, n WITH OPTIONS DEFAULT 5);
