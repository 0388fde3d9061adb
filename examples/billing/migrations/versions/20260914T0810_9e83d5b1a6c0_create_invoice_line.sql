-- revision: 9e83d5b1a6c0
-- revises: 4f2a9d7c3b18
-- message: create invoice line and invoice total
-- created: 2026-09-14T08:10:00Z

-- ripcord:upgrade
CREATE TABLE invoice_line (
  invoice_id bigint NOT NULL REFERENCES invoice ON DELETE CASCADE,
  position integer NOT NULL CHECK (position > 0),
  description text NOT NULL,
  quantity numeric(12, 3) NOT NULL CHECK (quantity > 0),
  unit_price numeric(12, 2) NOT NULL,
  amount numeric(14, 2) GENERATED ALWAYS AS (round(quantity * unit_price, 2)) STORED,
  PRIMARY KEY (invoice_id, position)
);

CREATE VIEW invoice_total AS
SELECT invoice.id AS invoice_id, coalesce(sum(invoice_line.amount), 0) AS total
FROM invoice
LEFT JOIN invoice_line ON invoice_line.invoice_id = invoice.id
GROUP BY invoice.id;

-- ripcord:verify
SELECT (SELECT count(*) FROM invoice_total) = (SELECT count(*) FROM invoice);

-- ripcord:downgrade
DROP VIEW invoice_total;
DROP TABLE invoice_line;
