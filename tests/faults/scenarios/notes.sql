-- message: a table of its own

-- ripcord:upgrade
CREATE TABLE notes (id serial PRIMARY KEY, customer bigint NOT NULL, body text);

-- ripcord:downgrade
DROP TABLE notes;
