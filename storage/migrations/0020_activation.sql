-- What was activated, and what the workers say that they run.

-- The newest row of a kind is in force. Each has a row of the staff chain.
CREATE TABLE activation (
    id       bigserial PRIMARY KEY,
    kind     text   NOT NULL CHECK (kind IN ('model', 'policy')),
    act      text   NOT NULL CHECK (act IN ('activate', 'rollback')),
    place    text   NOT NULL, -- as workers see it; '': each worker's own
    version  text   NOT NULL, -- with the hash of what is there
    prior    bigint REFERENCES activation (id), -- what a rollback brings back
    staff_id text   NOT NULL,
    reason   text   NOT NULL,
    seq      bigint NOT NULL, -- of its audit row
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX activation_kind ON activation (kind, id);
CREATE TRIGGER activation_rows BEFORE UPDATE OR DELETE ON activation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER activation_truncate BEFORE TRUNCATE ON activation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE running (
    instance   text   NOT NULL, -- as in source_cursor.owner
    kind       text   NOT NULL,
    activation bigint NOT NULL, -- the last it heard of; 0: none
    version    text   NOT NULL, -- what it runs
    cause      text,            -- why not what was activated; null: it does
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (instance, kind)
);

-- Those of them that are connected.
CREATE VIEW running_now AS
    SELECT r.* FROM running r WHERE EXISTS (
        SELECT 1 FROM pg_stat_activity a WHERE a.application_name = r.instance
           AND a.datname = current_database());

-- A worker's word of itself; who has gone for a minute is forgotten.
CREATE FUNCTION running_set(p_instance text, p_kind text, p_activation bigint,
    p_version text, p_cause text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    DELETE FROM winnow.running r WHERE r.at < now() - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM winnow.running_now n
            WHERE n.instance = r.instance);
    INSERT INTO winnow.running (instance, kind, activation, version, cause)
        VALUES (p_instance, p_kind, p_activation, p_version, p_cause)
        ON CONFLICT (instance, kind) DO UPDATE SET
            activation = EXCLUDED.activation, version = EXCLUDED.version,
            cause = EXCLUDED.cause, at = clock_timestamp();
END $$;

REVOKE ALL ON FUNCTION running_set(text, text, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION running_set(text, text, bigint, text, text)
    TO winnow_worker;
GRANT SELECT ON activation, running, running_now
    TO winnow_worker, winnow_console, winnow_auditor;
GRANT INSERT ON activation TO winnow_console;
GRANT USAGE ON SEQUENCE activation_id_seq TO winnow_console;
