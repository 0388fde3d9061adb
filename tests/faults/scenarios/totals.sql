-- message: a table filled from another

-- ripcord:upgrade
CREATE TABLE totals (customer bigint PRIMARY KEY REFERENCES customers, cents numeric NOT NULL);
INSERT INTO totals SELECT customer, sum(cents) FROM orders GROUP BY customer;

-- ripcord:verify
SELECT sum(cents) = (SELECT sum(cents) FROM orders) FROM totals;

-- ripcord:downgrade
DROP TABLE totals;
