-- Named lists that rules ask: versions that are only ever added. The newest of
-- a name is in force.

-- The text of a version in parts of whole lines, as a file has them.
CREATE TABLE list_part (
    version bigint NOT NULL,
    n       int    NOT NULL, -- from 0
    body    bytea  NOT NULL,
    PRIMARY KEY (version, n)
);

CREATE TABLE list_version (
    id       bigserial PRIMARY KEY,
    name     text   NOT NULL,
    kind     text   NOT NULL CHECK (kind IN ('exact', 'domain', 'cidr')),
    parts    int    NOT NULL,
    entries  bigint NOT NULL,
    hash     text   NOT NULL, -- of kind and entries, as /status has it
    staff_id text   NOT NULL,
    reason   text   NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX list_version_name ON list_version (name, id);
CREATE TRIGGER list_version_rows BEFORE UPDATE OR DELETE ON list_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER list_version_truncate BEFORE TRUNCATE ON list_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON list_version, list_part
    TO winnow_worker, winnow_console, winnow_auditor;
GRANT INSERT ON list_version, list_part TO winnow_console;
GRANT USAGE ON SEQUENCE list_version_id_seq TO winnow_console;
