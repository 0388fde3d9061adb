-- message: a view that does not hold what it promises

-- ripcord:upgrade
CREATE VIEW note_count AS SELECT count(*) AS n FROM notes;

-- ripcord:verify
SELECT n = 499 FROM note_count;

-- ripcord:downgrade
DROP VIEW note_count;
