-- Erasure reaches dead letters that have yet to go out; cursors and chains move
-- through functions alone.

-- Of a dead letter's commitments: its own, erased with its bytes.
ALTER TABLE dead_letter ADD COLUMN salt bytea;

-- Takes what bytes there are of dead letters of these posts, also from rows
-- that have yet to go out.
CREATE FUNCTION dead_erase(p_posts text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
    WITH d AS (
        UPDATE winnow.dead_letter
           SET raw = NULL, key = NULL, sha256 = NULL, salt = NULL
         WHERE post_id = ANY (p_posts) AND (raw IS NOT NULL OR key IS NOT NULL
            OR sha256 IS NOT NULL OR salt IS NOT NULL)
        RETURNING source, off)
    UPDATE winnow.outbox o
       SET value = convert_to((convert_from(o.value, 'UTF8')::jsonb
           || '{"sha256": null, "head": null}')::text, 'UTF8')
      FROM d WHERE o.source = d.source AND o.off = d.off AND o.kind = 2
$$;

-- Takes a partition: makes its row at p_start where there is none, and counts
-- what became of the owner before. One that is gone died; one whose connection
-- is there was only slow, and that is neither a death nor a stall. Whoever
-- sits on the row for a second is for the caller to end.
CREATE FUNCTION cursor_claim(p_kind text, p_cluster text, p_topic text,
    p_part int, p_ident text, p_start bigint, p_owner text, p_careful bigint)
RETURNS TABLE (r_id int, r_epoch bigint, r_next bigint, r_leader_epoch int,
    r_seq bigint, r_head bytea, r_unclean boolean, r_stalled int,
    r_careful_until bigint, r_attempt bigint, r_deaths int, r_fresh boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    fresh boolean;
    number int;
BEGIN
    IF p_kind = 'staff' THEN
        RAISE EXCEPTION 'the chain of staff has no owner'
            USING ERRCODE = 'MF003';
    END IF;
    INSERT INTO winnow.source_cursor (kind, cluster, topic, part, ident,
        next_offset) VALUES (p_kind, p_cluster, p_topic, p_part, p_ident,
        p_start) ON CONFLICT DO NOTHING;
    fresh := FOUND;
    SELECT c.id INTO STRICT number FROM winnow.source_cursor c
     WHERE c.kind = p_kind AND c.cluster = p_cluster AND c.topic = p_topic
       AND c.part = p_part AND c.ident = p_ident FOR UPDATE;
    RETURN QUERY
    UPDATE winnow.source_cursor c SET epoch = c.epoch + 1, owner = p_owner,
        stalled = CASE WHEN o.owner = '' THEN 0
            WHEN o.alive THEN c.stalled
            WHEN c.next_offset = c.claimed_next THEN c.stalled + 1
            ELSE 1 END,
        careful_until = CASE WHEN o.owner <> '' AND NOT o.alive
            AND c.next_offset = c.claimed_next AND c.stalled >= 1
            THEN greatest(c.careful_until, c.next_offset + p_careful)
            ELSE c.careful_until END,
        attempt_deaths = c.attempt_deaths + CASE WHEN o.owner <> ''
            AND NOT o.alive AND c.attempt_live THEN 1 ELSE 0 END,
        attempt_live = false, claimed_next = c.next_offset,
        updated = clock_timestamp()
      FROM (SELECT s.owner, EXISTS (SELECT 1 FROM pg_stat_activity a
             WHERE a.application_name = s.owner
               AND a.datname = current_database()
               AND a.pid <> pg_backend_pid()) AS alive
              FROM winnow.source_cursor s WHERE s.id = number) o
     WHERE c.id = number
    RETURNING c.id, c.epoch, c.next_offset, c.leader_epoch, c.chain_seq,
        c.chain_head, o.owner <> '', c.stalled, c.careful_until,
        c.attempt_offset, c.attempt_deaths, fresh;
END $$;

CREATE FUNCTION cursor_release(p_source int, p_epoch bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    UPDATE winnow.source_cursor SET owner = '', attempt_live = false,
        stalled = 0, updated = clock_timestamp()
     WHERE id = p_source AND epoch = p_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source %: another owner has it', p_source
            USING ERRCODE = 'MF001';
    END IF;
END $$;

CREATE FUNCTION cursor_reident(p_source int, p_epoch bigint, p_ident text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    UPDATE winnow.source_cursor SET ident = p_ident,
        updated = clock_timestamp()
     WHERE id = p_source AND epoch = p_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source %: another owner has it', p_source
            USING ERRCODE = 'MF001';
    END IF;
END $$;

-- The record at p_offset is alone in hand; returns how many died with it so.
CREATE FUNCTION cursor_attempt(p_source int, p_epoch bigint, p_offset bigint)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    deaths int;
BEGIN
    UPDATE winnow.source_cursor SET attempt_live = true,
        attempt_offset = p_offset, attempt_deaths = CASE
            WHEN attempt_offset = p_offset THEN attempt_deaths ELSE 0 END
     WHERE id = p_source AND epoch = p_epoch
    RETURNING attempt_deaths INTO deaths;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source %: another owner has it', p_source
            USING ERRCODE = 'MF001';
    END IF;
    RETURN deaths;
END $$;

ALTER FUNCTION cursor_advance(int, bigint, bigint, bigint, int, bigint, bytea)
    SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp;
ALTER FUNCTION relay_check(int, bigint)
    SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp;
ALTER FUNCTION relay_beat(int, bigint)
    SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp;
ALTER FUNCTION relay_advance(int, bigint, bigint)
    SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp;

-- A row that no batch of a worker's wrote: it is the next of the chain of
-- staff, and moves it on, or there is no row.
CREATE FUNCTION audit_staff() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    c winnow.source_cursor;
BEGIN
    SELECT * INTO c FROM winnow.source_cursor
     WHERE id = NEW.source AND kind = 'staff' FOR UPDATE;
    IF NOT FOUND OR NEW.kind = 1
        OR NEW.leaf <> sha256('\x00'::bytea || NEW.body) THEN
        RAISE EXCEPTION 'audit: not a row of staff' USING ERRCODE = 'MF003';
    END IF;
    IF NEW.seq <> c.chain_seq + 1 OR NEW.off <> NEW.seq THEN
        RAISE EXCEPTION 'the staff chain moved' USING ERRCODE = 'MF001';
    END IF;
    UPDATE winnow.source_cursor SET chain_seq = NEW.seq,
        next_offset = NEW.seq, chain_head = sha256(c.chain_head || NEW.leaf),
        updated = clock_timestamp() WHERE id = c.id;
    RETURN NULL;
END $$;
-- Who may write the outbox writes batches: a worker, or the owner.
CREATE TRIGGER audit_staff AFTER INSERT ON audit FOR EACH ROW
    WHEN (NEW.kind <> 1
        OR NOT has_table_privilege('winnow.outbox'::regclass, 'INSERT'))
    EXECUTE FUNCTION audit_staff();

-- After the row: that the head is the one its writer reckons with.
CREATE OR REPLACE FUNCTION staff_advance(p_seq bigint, p_head bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    PERFORM 1 FROM winnow.source_cursor WHERE kind = 'staff'
        AND chain_seq = p_seq AND chain_head = p_head;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the staff chain moved' USING ERRCODE = 'MF001';
    END IF;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA winnow FROM PUBLIC;
REVOKE UPDATE (key, raw, sha256) ON dead_letter FROM winnow_worker;
REVOKE INSERT, UPDATE ON source_cursor, relay_cursor FROM winnow_worker;
REVOKE USAGE ON SEQUENCE source_cursor_id_seq FROM winnow_worker;
GRANT EXECUTE ON FUNCTION dead_erase(text[]),
    cursor_claim(text, text, text, int, text, bigint, text, bigint),
    cursor_release(int, bigint), cursor_reident(int, bigint, text),
    cursor_attempt(int, bigint, bigint) TO winnow_worker;
