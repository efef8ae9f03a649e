-- The ledger: what is appended and never changed.

CREATE TABLE events (
    position       bigint PRIMARY KEY,
    org_id         text COLLATE "C" NOT NULL,
    org_position   bigint NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint NOT NULL,
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    -- json, not jsonb: stored as the bytes that were hashed.
    payload        json NOT NULL,
    -- What cqrs-es expects to find; all there is to know stands in columns of its own.
    metadata       json NOT NULL DEFAULT '{}',
    actor          text COLLATE "C" NOT NULL,
    command_id     text COLLATE "C" NOT NULL,
    -- Microseconds since 1970.
    recorded_at    bigint NOT NULL,
    hash           bytea NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, sequence),
    UNIQUE (org_id, org_position)
);
ALTER TABLE events ALTER COLUMN payload SET STORAGE MAIN;

CREATE TABLE receipts (
    org_id   text COLLATE "C" NOT NULL,
    org_seq  bigint NOT NULL,
    position bigint NOT NULL,
    payload  bytea NOT NULL,
    PRIMARY KEY (org_id, org_seq)
);
ALTER TABLE receipts ALTER COLUMN payload SET STORAGE MAIN;

CREATE TABLE blobs (
    sha256 text COLLATE "C" PRIMARY KEY,
    bytes  bytea NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_keep BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipts_append_only BEFORE UPDATE OR DELETE ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipts_keep BEFORE TRUNCATE ON receipts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER blobs_append_only BEFORE UPDATE OR DELETE ON blobs FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER blobs_keep BEFORE TRUNCATE ON blobs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Ordinary tables of the store: they may be rewritten without touching the ledger.

-- Which commands were carried out, so that a repeat is answered and not carried out again.
CREATE TABLE commands (
    command_id     text COLLATE "C" PRIMARY KEY,
    -- Digest of the request that came with an idempotency key.
    fingerprint    text COLLATE "C",
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    recorded_at    bigint NOT NULL
);

-- What is unique beyond one stream.
CREATE TABLE claims (
    org_id text COLLATE "C" NOT NULL,
    scope  text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, scope, key)
);

-- Which build of each read model readers see, and how far it is.
CREATE TABLE projections (
    name     text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL,
    build    bigint NOT NULL,
    position bigint NOT NULL,
    -- 'live' or 'stalled'.
    state    text NOT NULL,
    reason   text
);
