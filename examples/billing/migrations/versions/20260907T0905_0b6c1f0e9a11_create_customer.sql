-- revision: 0b6c1f0e9a11
-- revises:
-- message: create customer
-- created: 2026-09-07T09:05:00Z

-- ripcord:upgrade
CREATE TABLE customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL CHECK (name <> ''),
  country char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX customer_name ON customer (lower(name));
COMMENT ON COLUMN customer.country IS 'ISO 3166-1 alpha-2';

-- ripcord:verify
SELECT to_regclass('customer') IS NOT NULL;

-- ripcord:downgrade
DROP TABLE customer;
