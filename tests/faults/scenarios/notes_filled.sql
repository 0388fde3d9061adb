-- message: its rows

-- ripcord:upgrade
INSERT INTO notes (customer, body) SELECT id, 'about ' || name FROM customers;

-- ripcord:verify
SELECT count(*) = 500 FROM notes;

-- ripcord:downgrade
DELETE FROM notes;
