-- revision: 1975ea83b712
-- revises: c27e4b90f1d5
-- message: create contact
-- created: 2026-10-19T11:30:00Z

-- ripcord:upgrade
CREATE TABLE contact (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
  name text NOT NULL,
  email text NOT NULL CHECK (position('@' IN email) > 1),
  phone text
);
CREATE UNIQUE INDEX contact_email ON contact (lower(email));
CREATE INDEX contact_customer ON contact (customer_id);

-- ripcord:verify
SELECT indisunique FROM pg_index WHERE indexrelid = 'contact_email'::regclass;

-- ripcord:downgrade
DROP TABLE contact;
