-- message: a table filled from another

-- ripcord:upgrade
CREATE TABLE totals (customer bigint PRIMARY KEY REFERENCES customers, cents numeric NOT NULL);
DO $$
BEGIN
	INSERT INTO totals SELECT customer, sum(cents) FROM orders GROUP BY customer;
EXCEPTION WHEN unique_violation THEN
	RAISE; -- that it could be caught makes it a subtransaction
END $$;

-- ripcord:verify
SELECT sum(cents) = (SELECT sum(cents) FROM orders) FROM totals;

-- ripcord:downgrade
DROP TABLE totals;
