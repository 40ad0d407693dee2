-- What a second model said of a share of the posts, apart from the verdicts.

CREATE TABLE shadow_score (
    off          bigint   NOT NULL, -- with source: its verdict
    source       int      NOT NULL,
    model        int      NOT NULL, -- version: the second model
    live         int      NOT NULL, -- version: the one that judged
    flags        smallint NOT NULL, -- bit n: flag of head n
    live_flags   smallint NOT NULL,
    action       smallint NOT NULL, -- what the policy would have said
    live_action  smallint NOT NULL,
    spam         real, scam real, bait real, ai_text real,
    live_spam    real, live_scam real, live_bait real, live_ai_text real,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, off, model, live)
);
CREATE INDEX shadow_score_at ON shadow_score (at);

GRANT SELECT, INSERT ON shadow_score TO winnow_worker;
GRANT SELECT ON shadow_score TO winnow_console, winnow_auditor;

-- What only points at what has left, and what was said beside it.
CREATE OR REPLACE FUNCTION pointers_leave(oldest timestamptz, p_rows int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM winnow.shadow_score WHERE ctid IN (
        SELECT ctid FROM winnow.shadow_score WHERE at < oldest
         ORDER BY at LIMIT p_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RETURN n;
    END IF;
    DELETE FROM winnow.review_item WHERE id IN (
        SELECT i.id FROM winnow.review_item i
         WHERE i.state = 'closed' AND i.closed_at < oldest AND NOT EXISTS (
            SELECT 1 FROM winnow.decision d WHERE d.item = i.id)
         ORDER BY i.closed_at LIMIT p_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RETURN n;
    END IF;
    DELETE FROM winnow.outbox_refused WHERE (source, off) IN (
        SELECT r.source, r.off FROM winnow.outbox_refused r
          JOIN winnow.relay_cursor c ON c.source = r.source
         WHERE r.off < c.next_offset AND NOT EXISTS (
            SELECT 1 FROM winnow.outbox o
             WHERE o.source = r.source AND o.off = r.off) LIMIT p_rows);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RETURN n;
    END IF;
    DELETE FROM winnow.source_cursor WHERE id IN (
        SELECT id FROM winnow.source_cursor
         WHERE kind = 'file' AND ident LIKE '0:%' AND chain_seq = 0
           AND updated < oldest LIMIT p_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
