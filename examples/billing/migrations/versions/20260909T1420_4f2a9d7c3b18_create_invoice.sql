-- revision: 4f2a9d7c3b18
-- revises: 0b6c1f0e9a11
-- message: create invoice
-- created: 2026-09-09T14:20:00Z

-- ripcord:upgrade
CREATE TYPE invoice_state AS ENUM ('draft', 'open', 'paid', 'void');

CREATE TABLE invoice (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customer,
  number text NOT NULL UNIQUE,
  state invoice_state NOT NULL DEFAULT 'draft',
  issued_on date,
  due_on date,
  CONSTRAINT due_after_issue CHECK (due_on >= issued_on),
  CONSTRAINT issued_unless_draft CHECK (state = 'draft' OR issued_on IS NOT NULL)
);
CREATE INDEX invoice_customer ON invoice (customer_id);

-- ripcord:verify
SELECT enum_range(NULL::invoice_state)::text = '{draft,open,paid,void}';

-- ripcord:downgrade
DROP TABLE invoice;
DROP TYPE invoice_state;
