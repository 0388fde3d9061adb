-- What a table has by its parents, and what it has in another way.
CREATE TABLE parent (id bigint, n int DEFAULT 2);
CREATE TABLE child (own int) INHERITS (parent);
INSERT INTO parent VALUES (1, 1);
CREATE TABLE a (n int DEFAULT 1);
