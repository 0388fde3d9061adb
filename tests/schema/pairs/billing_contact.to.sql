CREATE TABLE contact (id bigint PRIMARY KEY, mail text NOT NULL, is_billing_contact boolean NOT NULL DEFAULT false);
