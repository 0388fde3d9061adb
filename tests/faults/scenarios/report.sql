-- message: a view over all of it

-- ripcord:upgrade
CREATE VIEW report AS SELECT c.name, c.region, t.cents FROM customers c JOIN totals t ON t.customer = c.id;
ALTER TYPE order_state RENAME VALUE 'sent' TO 'shipped';

-- ripcord:verify
SELECT count(*) = 500 FROM report;

-- ripcord:downgrade
DROP VIEW report;
ALTER TYPE order_state RENAME VALUE 'shipped' TO 'sent';
