-- What identity keeps beside the ledger.

-- Magic links, by the digest of their token.
CREATE TABLE sign_in_tokens (
    token_hash text PRIMARY KEY,
    -- The address, encrypted under the installation's key: nobody may be known by it yet.
    address    text NOT NULL,
    expires_at integer NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed-in browsers and programs. Signing out deletes the row, and the token stops working at once.
CREATE TABLE sessions (
    session_id text PRIMARY KEY,
    user_id    text NOT NULL,
    org_id     text NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- The key under which a person's data is encrypted, itself encrypted under the master key. Dropping it erases the data.
CREATE TABLE person_keys (
    user_id text PRIMARY KEY,
    wrapped blob NOT NULL
) STRICT, WITHOUT ROWID;

-- When an API key was used last, to the minute.
CREATE TABLE api_key_uses (
    key_id    text PRIMARY KEY,
    last_used integer NOT NULL
) STRICT, WITHOUT ROWID;

-- How much was used of a limit that all processes share, per window.
CREATE TABLE limit_uses (
    key    text NOT NULL,
    window_start integer NOT NULL,
    uses   integer NOT NULL,
    PRIMARY KEY (key, window_start)
) STRICT, WITHOUT ROWID;
