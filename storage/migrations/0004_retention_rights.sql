-- Partitions leave through one function that records what left; roles.

CREATE TABLE partition_drop (
    id      serial PRIMARY KEY,
    name    text   NOT NULL,
    rows    bigint NOT NULL,
    -- of audit partitions: {"source": [first seq, last seq]}
    chains  jsonb,
    reason  text   NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER partition_drop_rows BEFORE UPDATE OR DELETE ON partition_drop
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION partition_leave(p_name text, p_audit boolean, p_reason text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    c jsonb;
BEGIN
    EXECUTE format('SELECT count(*) FROM winnow.%I', p_name) INTO n;
    IF p_audit THEN
        EXECUTE format('SELECT jsonb_object_agg(source, '
            'jsonb_build_array(lo, hi)) FROM (SELECT source, min(seq) lo, '
            'max(seq) hi FROM winnow.%I GROUP BY source) s', p_name) INTO c;
    END IF;
    INSERT INTO winnow.partition_drop (name, rows, chains, reason)
        VALUES (p_name, n, c, p_reason);
    EXECUTE format('DROP TABLE winnow.%I', p_name);
END $$;

-- Drops time partitions wholly older than p_days before `at`, and outbox
-- partitions of two days ago or older whose every row was relayed.
CREATE FUNCTION retention(at timestamptz, p_days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    r record;
    waiting boolean;
    dropped int := 0;
    oldest timestamp := (at AT TIME ZONE 'UTC') - p_days * interval '1 day';
BEGIN
    IF p_days < 2 THEN
        RAISE EXCEPTION 'retention under 2 days' USING ERRCODE = 'MF003';
    END IF;
    PERFORM pg_advisory_xact_lock(7305811243);
    FOR r IN
        SELECT c.relname AS name, p.relname AS parent
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          JOIN pg_class p ON p.oid = i.inhparent
          JOIN pg_namespace n ON n.oid = p.relnamespace
         WHERE n.nspname = 'winnow' AND c.relkind = 'r' AND p.relname IN
            ('verdict', 'audit', 'content', 'dead_letter', 'outbox')
         ORDER BY c.relname
    LOOP
        IF r.parent <> 'outbox' THEN
            IF to_date(right(r.name, 7), 'YYYY_MM') + interval '1 month'
                <= oldest THEN
                PERFORM winnow.partition_leave(
                    r.name, r.parent = 'audit', 'retention');
                dropped := dropped + 1;
            END IF;
        ELSIF to_date(right(r.name, 10), 'YYYY_MM_DD')
            <= (at AT TIME ZONE 'UTC')::date - 2 THEN
            -- a batch that was begun before midnight may still come
            EXECUTE format('LOCK TABLE winnow.%I IN ACCESS EXCLUSIVE MODE',
                r.name);
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM winnow.%I o '
                'LEFT JOIN winnow.relay_cursor r USING (source) '
                'WHERE o.off >= coalesce(r.next_offset, 0))', r.name)
                INTO waiting;
            IF NOT waiting THEN
                PERFORM winnow.partition_leave(r.name, false, 'relayed');
                dropped := dropped + 1;
            END IF;
        END IF;
    END LOOP;
    -- Posts nobody heard of for so long; bounded, the rest next time.
    WITH old AS (
        DELETE FROM winnow.post_state WHERE post_id IN (
            SELECT post_id FROM winnow.post_state
             WHERE ts < oldest AT TIME ZONE 'UTC' LIMIT 20000
               FOR UPDATE SKIP LOCKED)
        RETURNING post_id)
    DELETE FROM winnow.post_salt USING old
     WHERE post_salt.post_id = old.post_id;
    RETURN dropped;
END $$;

-- Groups without login; people and services become members. They belong to
-- the whole server: another database may have made them, or be doing so now.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['winnow_worker', 'winnow_console',
        'winnow_auditor']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA winnow FROM PUBLIC;
GRANT USAGE ON SCHEMA winnow
    TO winnow_worker, winnow_console, winnow_auditor;
GRANT SELECT ON schema_version
    TO winnow_worker, winnow_console, winnow_auditor;

GRANT SELECT, INSERT, UPDATE ON source_cursor, post_state, relay_cursor
    TO winnow_worker;
GRANT SELECT, INSERT ON version, verdict, audit, content, dead_letter,
    outbox, outbox_refused, post_salt, review_item TO winnow_worker;
GRANT UPDATE (key, raw, sha256) ON dead_letter TO winnow_worker;
GRANT UPDATE (state, closed_why, closed_at) ON review_item TO winnow_worker;
GRANT DELETE ON content, post_salt TO winnow_worker;
GRANT SELECT ON decision TO winnow_worker;
GRANT USAGE ON SEQUENCE source_cursor_id_seq, version_id_seq,
    review_item_id_seq TO winnow_worker;
GRANT EXECUTE ON FUNCTION
    cursor_advance(int, bigint, bigint, bigint, int, bigint, bytea),
    relay_check(int, bigint), relay_beat(int, bigint),
    relay_advance(int, bigint, bigint), partitions_make(timestamptz),
    partitions_month(timestamptz), retention(timestamptz, int)
    TO winnow_worker;

GRANT SELECT ON source_cursor, version, verdict, content, dead_letter,
    review_item, decision, post_state, post_salt, staff_salt, audit,
    outbox, relay_cursor TO winnow_console;
GRANT INSERT ON audit, content, review_item, decision, post_state, post_salt,
    staff_salt TO winnow_console;
GRANT UPDATE (state, closed_why, closed_at) ON review_item
    TO winnow_console;
GRANT UPDATE (version) ON post_state TO winnow_console; -- to lock its row
GRANT USAGE ON SEQUENCE review_item_id_seq, decision_id_seq
    TO winnow_console;
GRANT EXECUTE ON FUNCTION staff_lock(), staff_advance(bigint, bytea),
    partitions_month(timestamptz) TO winnow_console;

GRANT SELECT ON audit, source_cursor, partition_drop TO winnow_auditor;
