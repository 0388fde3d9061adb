CREATE TABLE contact (id bigint PRIMARY KEY, mail text NOT NULL);
INSERT INTO contact VALUES (1, 'a@b');
