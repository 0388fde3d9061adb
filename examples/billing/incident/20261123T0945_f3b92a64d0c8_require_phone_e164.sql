-- revision: f3b92a64d0c8
-- revises: 6d0e5c81f2a7
-- message: every contact can be called
-- created: 2026-11-23T09:45:00Z

-- ripcord:upgrade
ALTER TABLE contact ADD CONSTRAINT phone_is_e164 CHECK (phone_e164 ~ '^\+[1-9][0-9]{6,14}$');

-- ripcord:verify
SELECT count(*) = 0 FROM contact WHERE phone_e164 IS NULL;

-- ripcord:downgrade
ALTER TABLE contact DROP CONSTRAINT phone_is_e164;
