-- What a table has by its parents, and what it has in another way.
CREATE TABLE parent (id bigint, n int DEFAULT 2);
CREATE TABLE child (own int) INHERITS (parent);
INSERT INTO parent VALUES (1, 1);
CREATE TABLE a (n int DEFAULT 1);
-- Parents have an order.
CREATE TABLE p1 (a int);
CREATE TABLE p2 (a int, b int);
CREATE TABLE ordered (a int, b int) INHERITS (p1, p2);
INSERT INTO ordered VALUES (1, 2);
