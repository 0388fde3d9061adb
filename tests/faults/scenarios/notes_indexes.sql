-- message: two indexes without a lock

-- ripcord:upgrade transaction=off
CREATE INDEX CONCURRENTLY notes_customer ON notes (customer);
CREATE INDEX CONCURRENTLY orders_customer ON orders (customer);

-- ripcord:downgrade transaction=off
DROP INDEX CONCURRENTLY orders_customer;
DROP INDEX CONCURRENTLY notes_customer;
