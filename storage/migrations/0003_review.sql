-- The review queue, and what staff decide.

CREATE TABLE review_item (
    id         bigserial PRIMARY KEY,
    source     int      NOT NULL,
    off        bigint   NOT NULL,
    ts         timestamptz NOT NULL, -- with source, off: its content
    post_id    text COLLATE "C" NOT NULL,
    author_id  text COLLATE "C",
    action     smallint NOT NULL,    -- the machine's
    reasons    jsonb,
    priority   double precision NOT NULL,
    version    bigint   NOT NULL,    -- of the post, when it was made
    state      text     NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'decided', 'closed')),
    closed_why text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at  timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE UNIQUE INDEX review_item_one_open ON review_item (post_id)
    WHERE state = 'open';
CREATE INDEX review_item_order ON review_item (priority DESC, id)
    WHERE state = 'open';

CREATE TABLE decision (
    id       bigserial PRIMARY KEY,
    item     bigint   NOT NULL REFERENCES review_item (id),
    staff_id text     NOT NULL,
    spam     smallint, scam smallint, bait smallint, ai_text smallint,
    action   smallint NOT NULL,
    reason   text     NOT NULL,
    ref      text UNIQUE, -- of an imported one
    at       timestamptz NOT NULL
);
CREATE INDEX decision_item ON decision (item);
CREATE TRIGGER decision_rows BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_truncate BEFORE TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE staff_salt (
    staff_id text PRIMARY KEY,
    salt     bytea NOT NULL
);

-- The one chain of what staff did: locked until the transaction ends.
CREATE FUNCTION staff_lock(OUT source int, OUT seq bigint, OUT head bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    INSERT INTO winnow.source_cursor (kind, cluster, topic, part, ident,
        next_offset) VALUES ('staff', '', 'staff', 0, '', 0)
        ON CONFLICT DO NOTHING;
    SELECT c.id, c.chain_seq, c.chain_head INTO source, seq, head
        FROM winnow.source_cursor c WHERE c.kind = 'staff' FOR UPDATE;
END $$;

CREATE FUNCTION staff_advance(p_seq bigint, p_head bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    UPDATE winnow.source_cursor SET chain_seq = p_seq, next_offset = p_seq,
        chain_head = p_head, updated = clock_timestamp()
     WHERE kind = 'staff' AND chain_seq = p_seq - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the staff chain moved' USING ERRCODE = 'MF001';
    END IF;
END $$;
