-- How often sessions have ended: what a process has read of a session is true for as long as this has not moved.
CREATE TABLE session_ends (ended bigint NOT NULL);
INSERT INTO session_ends VALUES (0);

CREATE FUNCTION count_session_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone) THEN
        UPDATE session_ends SET ended = ended + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER session_ends AFTER DELETE ON sessions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_session_ends();
