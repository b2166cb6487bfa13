-- What a turn's tries failed with before they had a run is a run of the history, too. It is none that the turn can go on with, which is `run_id`. No reference: the turn may
-- outlive it.
ALTER TABLE turns ADD COLUMN failed_start TEXT;
