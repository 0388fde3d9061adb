-- message: two indexes without a lock

-- ripcord:upgrade transaction=off
CREATE INDEX CONCURRENTLY orders_state ON orders (state, customer);
CREATE UNIQUE INDEX CONCURRENTLY customers_name ON customers (name);

-- ripcord:downgrade transaction=off
DROP INDEX CONCURRENTLY customers_name;
DROP INDEX CONCURRENTLY orders_state;
