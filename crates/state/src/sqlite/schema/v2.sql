-- Version 2. Never changed once released: a change is a new file.

-- JSON: the range that the run reads again, in the orchestrator's own form. NULL: it reads what is new.
ALTER TABLE runs ADD COLUMN again TEXT;
