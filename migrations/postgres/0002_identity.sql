-- What identity keeps beside the ledger.

-- Magic links, by the digest of their token.
CREATE TABLE sign_in_tokens (
    token_hash text COLLATE "C" PRIMARY KEY,
    -- The address, encrypted under the installation's key: nobody may be known by it yet.
    address    text NOT NULL,
    expires_at bigint NOT NULL
);

-- Signed-in browsers and programs. Signing out deletes the row, and the token stops working at once.
CREATE TABLE sessions (
    session_id text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C" NOT NULL,
    org_id     text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- The key under which a person's data is encrypted, itself encrypted under the master key. Dropping it erases the data.
CREATE TABLE person_keys (
    user_id text COLLATE "C" PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- When an API key was used last, to the minute.
CREATE TABLE api_key_uses (
    key_id    text COLLATE "C" PRIMARY KEY,
    last_used bigint NOT NULL
);

-- How much was used of a limit that all processes share, per window.
CREATE TABLE limit_uses (
    key    text COLLATE "C" NOT NULL,
    window_start bigint NOT NULL,
    uses   bigint NOT NULL,
    PRIMARY KEY (key, window_start)
);
