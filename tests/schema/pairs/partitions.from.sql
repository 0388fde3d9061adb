-- A partition is attached elsewhere while a column has another type; its index is on that.
CREATE TABLE event (id bigint NOT NULL, t varchar(50)) PARTITION BY RANGE (id);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (100);
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (100) TO (300);
ALTER TABLE event ADD CONSTRAINT t_checked CHECK (t NOT IN ('a', 'b'));
CREATE INDEX event_t ON event (lower(t));
INSERT INTO event VALUES (1, 'x'), (150, 'y');
-- The tree of a check that stands from before is not the one that its text gives.
CREATE TABLE kind (id bigint NOT NULL, n int) PARTITION BY LIST (id);
CREATE TABLE kind_1 PARTITION OF kind FOR VALUES IN (1, 2);
ALTER TABLE kind ADD CONSTRAINT n_small CHECK (n BETWEEN -100 AND 1000 AND id > 0);
INSERT INTO kind VALUES (1, 1);
-- The same beside a check that nobody has validated.
CREATE TABLE unsure (id bigint NOT NULL, n int) PARTITION BY LIST (id);
ALTER TABLE unsure ADD CONSTRAINT n_small CHECK (n BETWEEN -100 AND 1000 AND id > 0);
-- What ADD COLUMN gives to the partitions, too.
CREATE TABLE late (id bigint) PARTITION BY LIST (id);
CREATE TABLE late_1 PARTITION OF late FOR VALUES IN (1);
CREATE TABLE late_2 PARTITION OF late FOR VALUES IN (2);
INSERT INTO late VALUES (1), (2);
-- Detached once nothing refers to its key, and before the parent's check goes; one comes that has what is not valid.
CREATE TABLE leaves (id bigint NOT NULL) PARTITION BY LIST (id);
CREATE TABLE leaves_1 PARTITION OF leaves FOR VALUES IN (1);
CREATE TABLE leaves_2 PARTITION OF leaves FOR VALUES IN (2);
ALTER TABLE leaves ADD CONSTRAINT is_positive CHECK (id > 0);
ALTER TABLE leaves ADD CONSTRAINT stays CHECK (id < 100 AND id > -5);
ALTER TABLE leaves ADD CONSTRAINT leaves_key UNIQUE (id);
INSERT INTO leaves VALUES (1), (2);
CREATE TABLE refers (id bigint CONSTRAINT refers REFERENCES leaves (id));
