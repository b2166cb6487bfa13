-- Version 4. Never changed once released: a change is a new file.

-- In place of `fingerprints`, when they are more than are kept one by one; empty: there is none.
ALTER TABLE partitions ADD COLUMN fingerprint_sketch BLOB NOT NULL DEFAULT x'';
-- 8 bytes each, little endian: of rows ahead of the cursor that will be stored.
ALTER TABLE partitions ADD COLUMN fingerprints_ahead BLOB NOT NULL DEFAULT x'';
