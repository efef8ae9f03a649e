-- The ledger: what is appended and never changed.

CREATE TABLE events (
    position       integer PRIMARY KEY,
    org_id         text NOT NULL,
    org_position   integer NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    sequence       integer NOT NULL,
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    payload        text NOT NULL,
    -- What cqrs-es expects to find; all there is to know stands in columns of its own.
    metadata       text NOT NULL DEFAULT '{}',
    actor          text NOT NULL,
    command_id     text NOT NULL,
    -- Microseconds since 1970.
    recorded_at    integer NOT NULL,
    hash           blob NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, sequence),
    UNIQUE (org_id, org_position)
) STRICT;

CREATE TABLE receipts (
    org_id   text NOT NULL,
    org_seq  integer NOT NULL,
    position integer NOT NULL,
    payload  blob NOT NULL,
    PRIMARY KEY (org_id, org_seq)
) STRICT;

CREATE TABLE blobs (
    sha256 text PRIMARY KEY,
    bytes  blob NOT NULL
) STRICT;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- INSERT OR REPLACE deletes without firing the triggers above.
CREATE TRIGGER events_no_replace BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
    OR EXISTS (SELECT 1 FROM events WHERE aggregate_type = NEW.aggregate_type AND aggregate_id = NEW.aggregate_id AND sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM events WHERE org_id = NEW.org_id AND org_position = NEW.org_position)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER receipts_no_update BEFORE UPDATE ON receipts BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER receipts_no_delete BEFORE DELETE ON receipts BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER receipts_no_replace BEFORE INSERT ON receipts
WHEN EXISTS (SELECT 1 FROM receipts WHERE org_id = NEW.org_id AND org_seq = NEW.org_seq)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER blobs_no_update BEFORE UPDATE ON blobs BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER blobs_no_delete BEFORE DELETE ON blobs BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER blobs_no_replace BEFORE INSERT ON blobs
WHEN EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256)
BEGIN SELECT RAISE(IGNORE); END;

-- Ordinary tables of the store: they may be rewritten without touching the ledger.

-- Which commands were carried out, so that a repeat is answered and not carried out again.
CREATE TABLE commands (
    command_id     text PRIMARY KEY,
    -- Digest of the request that came with an idempotency key.
    fingerprint    text,
    first_position integer NOT NULL,
    last_position  integer NOT NULL,
    recorded_at    integer NOT NULL
) STRICT, WITHOUT ROWID;

-- What is unique beyond one stream.
CREATE TABLE claims (
    org_id text NOT NULL,
    scope  text NOT NULL,
    key    text NOT NULL,
    holder text NOT NULL,
    PRIMARY KEY (org_id, scope, key)
) STRICT, WITHOUT ROWID;

-- Which build of each read model readers see, and how far it is.
CREATE TABLE projections (
    name     text PRIMARY KEY,
    version  integer NOT NULL,
    build    integer NOT NULL,
    position integer NOT NULL,
    -- 'live' or 'stalled'.
    state    text NOT NULL,
    reason   text
) STRICT;
