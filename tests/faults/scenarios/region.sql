-- message: fill a new column of old rows

-- ripcord:upgrade
ALTER TABLE customers ADD COLUMN region text;
UPDATE customers SET region = 'region ' || id % 7;
SELECT nextval('invoice_number');

-- ripcord:verify
SELECT count(*) = 0 FROM customers WHERE region IS NULL;

-- ripcord:downgrade
ALTER TABLE customers DROP COLUMN region;
