-- How far each reactor has read the ledger. It may be lost: what a reactor does again changes nothing.
CREATE TABLE reactors (
    name     text PRIMARY KEY,
    -- The last position that it is done with.
    position integer NOT NULL,
    -- The position that it cannot get past, while there is one.
    stuck_at integer
) STRICT, WITHOUT ROWID;
