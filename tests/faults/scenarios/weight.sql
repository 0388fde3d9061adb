-- message: a column that is empty

-- ripcord:upgrade
ALTER TABLE orders ADD COLUMN grams integer;

-- ripcord:downgrade
ALTER TABLE orders DROP COLUMN grams;
