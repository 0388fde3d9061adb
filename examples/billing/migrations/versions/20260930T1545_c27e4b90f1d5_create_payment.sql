-- revision: c27e4b90f1d5
-- revises: 9e83d5b1a6c0
-- message: create payment, which closes an invoice
-- created: 2026-09-30T15:45:00Z

-- ripcord:upgrade
CREATE TABLE payment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  invoice_id bigint NOT NULL REFERENCES invoice,
  received_on date NOT NULL,
  amount numeric(14, 2) NOT NULL CHECK (amount > 0),
  method text NOT NULL CHECK (method IN ('transfer', 'card', 'direct debit'))
);
CREATE INDEX payment_invoice ON payment (invoice_id);

CREATE FUNCTION close_paid_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE invoice SET state = 'paid'
  WHERE id = NEW.invoice_id AND state = 'open'
    AND (SELECT sum(amount) FROM payment WHERE invoice_id = NEW.invoice_id)
        >= (SELECT total FROM invoice_total WHERE invoice_id = NEW.invoice_id);
  RETURN NULL;
END
$$;

CREATE TRIGGER payment_closes_invoice AFTER INSERT ON payment
FOR EACH ROW EXECUTE FUNCTION close_paid_invoice();

-- ripcord:verify
SELECT count(*) = 1 FROM pg_trigger WHERE tgrelid = 'payment'::regclass AND tgname = 'payment_closes_invoice';

-- ripcord:downgrade
DROP TABLE payment;
DROP FUNCTION close_paid_invoice();
