-- revision: 8c4f1a2b9d3e
-- revises: 1975ea83b712
-- message: add is_billing_contact
-- created: 2026-11-22T10:15:00Z
-- branch-labels:
-- depends-on:

-- ripcord:upgrade lock_timeout=5s
ALTER TABLE contact ADD COLUMN is_billing_contact boolean NOT NULL DEFAULT false;

-- ripcord:verify
SELECT count(*) = 0 FROM contact WHERE is_billing_contact IS NULL;

-- ripcord:downgrade
ALTER TABLE contact DROP COLUMN is_billing_contact;
