-- load.sql - made-up rows for revision 1975ea83b712 or later: the same ones every time.
BEGIN;

INSERT INTO customer (name, country, created_at)
SELECT 'Customer ' || n, (ARRAY['DE', 'FR', 'GB', 'NL', 'PL'])[1 + n % 5],
       timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 10000) n;

-- One number in twenty is as somebody typed it: with an extension, or with the trunk's zero.
INSERT INTO contact (customer_id, name, email, phone)
SELECT customer.id, 'Contact ' || n, 'contact' || n || '@customer' || customer.id || '.example',
       CASE n % 20 WHEN 7 THEN '0' || (300000 + n) || ' ext. ' || n % 90
                   ELSE '+49 30 ' || (1000000 + n) END
FROM customer, generate_series(1, 10) i, LATERAL (SELECT customer.id * 10 + i AS n) numbered
ORDER BY n;

INSERT INTO invoice (customer_id, number, state, issued_on, due_on)
SELECT customer.id, '2026-' || lpad(n::text, 6, '0'), 'open',
       date '2026-02-01' + (n % 200)::integer, date '2026-02-15' + (n % 200)::integer
FROM customer, generate_series(0, 1) i, LATERAL (SELECT customer.id * 2 + i AS n) numbered
ORDER BY n;

INSERT INTO invoice_line (invoice_id, position, description, quantity, unit_price)
SELECT invoice.id, p, 'Service ' || p, 1 + invoice.id % 7, 10 * p + (invoice.id % 100) / 100.0
FROM invoice, generate_series(1, 2) p;

COMMIT;

-- Every fourth invoice is paid; the trigger closes it.
INSERT INTO payment (invoice_id, received_on, amount, method)
SELECT invoice.id, invoice.due_on, total, (ARRAY['transfer', 'card', 'direct debit'])[1 + invoice.id % 3]
FROM invoice JOIN invoice_total ON invoice_total.invoice_id = invoice.id
WHERE invoice.id % 4 = 0;
ANALYZE customer, contact, invoice, invoice_line, payment;
