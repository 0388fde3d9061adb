-- revision: 6d0e5c81f2a7
-- revises: 8c4f1a2b9d3e
-- message: replace phone by phone_e164
-- created: 2026-11-23T09:30:00Z

-- ripcord:upgrade
ALTER TABLE contact ADD COLUMN phone_e164 text;
UPDATE contact SET phone_e164 = '+' || regexp_replace(phone, '[^0-9]', '', 'g')
WHERE phone ~ '^\+[0-9 ]+$';
ALTER TABLE contact DROP COLUMN phone;

-- ripcord:verify
SELECT count(*) > 0 FROM contact WHERE phone_e164 ~ '^\+[1-9][0-9]{6,14}$';

-- ripcord:downgrade
ALTER TABLE contact ADD COLUMN phone text;
UPDATE contact SET phone = phone_e164;
ALTER TABLE contact DROP COLUMN phone_e164;
