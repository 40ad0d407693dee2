-- Retention that the worker may ask for and cannot misuse: in small steps, by
-- the server's clock, for no less than the owner's rule. What leaves the audit
-- trail leaves its leaf behind, so that every chain can still be walked.

-- Only the owner writes it: no worker's option or clock shortens it.
CREATE TABLE retention_rule (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    days int     NOT NULL CHECK (days BETWEEN 2 AND 36500)
);
INSERT INTO retention_rule (days) VALUES (180);

-- Leaves of audit rows whose partition left.
CREATE TABLE audit_left (
    source int    NOT NULL,
    seq    bigint NOT NULL,
    leaf   bytea  NOT NULL,
    PRIMARY KEY (source, seq)
);
CREATE TRIGGER audit_left_rows BEFORE UPDATE OR DELETE ON audit_left
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_left_truncate BEFORE TRUNCATE ON audit_left
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER partition_drop_truncate BEFORE TRUNCATE ON partition_drop
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN partition_drop.chains IS
    'of audit partitions: {"source": [first seq, last seq, rows]}';

-- Every link of every chain, whether its row is still here or not. A row that
-- is on its way out is in both tables and here once, unless they differ.
CREATE VIEW audit_leaf AS
    SELECT source, seq, leaf FROM audit
    UNION SELECT source, seq, leaf FROM audit_left;

-- The partition that is on its way out, and how far it was walked.
CREATE TABLE partition_leaving (
    name   text   PRIMARY KEY,
    parent text   NOT NULL,
    rows   bigint NOT NULL DEFAULT 0,
    chains jsonb  NOT NULL DEFAULT '{}',
    source int    NOT NULL DEFAULT 0, -- the last row that was walked
    place  bigint NOT NULL DEFAULT 0
);

CREATE INDEX post_state_ts ON post_state (ts);
CREATE INDEX review_item_closed ON review_item (closed_at)
    WHERE state = 'closed';

-- What is known of the rows of a source that leave, and p_rows more.
CREATE FUNCTION chain_range(p_chains jsonb, p_source int, p_lo bigint,
    p_hi bigint, p_rows bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_array(
        least(p_lo, (p_chains->p_source::text->>0)::bigint),
        greatest(p_hi, (p_chains->p_source::text->>1)::bigint),
        p_rows + coalesce((p_chains->p_source::text->>2)::bigint, 0))
$$;

-- A row that comes to an audit partition on its way out: behind the walk or
-- before it, its leaf is kept, and counted once.
CREATE FUNCTION audit_late() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    INSERT INTO winnow.audit_left (source, seq, leaf)
        VALUES (NEW.source, NEW.seq, NEW.leaf) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        UPDATE winnow.partition_leaving SET rows = rows + 1, chains = chains ||
            jsonb_build_object(NEW.source, winnow.chain_range(
                chains, NEW.source, NEW.seq, NEW.seq, 1))
         WHERE name = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

-- Walks at most p_rows rows of the partition on its way out: they are counted,
-- and leaves of audit rows are copied. True at its end.
CREATE FUNCTION partition_walk(p_name text, p_rows int) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    l winnow.partition_leaving;
    r record;
    walk text;
BEGIN
    SELECT * INTO STRICT l FROM winnow.partition_leaving
     WHERE name = p_name FOR UPDATE;
    IF l.parent = 'audit' THEN
        walk := 'WITH c AS MATERIALIZED (SELECT source, seq AS place, leaf '
            'FROM winnow.%I WHERE (source, seq) > ($1, $2) '
            'ORDER BY source, seq LIMIT $3), i AS (INSERT INTO '
            'winnow.audit_left (source, seq, leaf) SELECT source, place, leaf '
            'FROM c ON CONFLICT DO NOTHING RETURNING source), '
            'k AS (SELECT source, count(*) AS kept FROM i GROUP BY source), ';
    ELSE
        walk := 'WITH c AS MATERIALIZED (SELECT source, off AS place '
            'FROM winnow.%I WHERE (source, off) > ($1, $2) '
            'ORDER BY source, off LIMIT $3), '
            'k AS (SELECT source, count(*) AS kept FROM c GROUP BY source), ';
    END IF;
    EXECUTE format(walk || 's AS (SELECT source, min(place) AS lo, '
        'max(place) AS hi, count(*) AS n, coalesce(max(kept), 0) AS kept '
        'FROM c LEFT JOIN k USING (source) GROUP BY source) '
        'SELECT coalesce(sum(n), 0) AS n, coalesce(sum(kept), 0) AS kept, '
        'max(source) AS source, max(hi) FILTER (WHERE source = '
        '(SELECT max(source) FROM s)) AS place, coalesce(jsonb_object_agg('
        'source, winnow.chain_range($4, source, lo, hi, kept)) '
        'FILTER (WHERE kept > 0), ''{}'') AS chains FROM s', p_name)
        INTO r USING l.source, l.place, p_rows, l.chains;
    UPDATE winnow.partition_leaving SET rows = rows + r.kept,
        source = coalesce(r.source, source), place = coalesce(r.place, place),
        chains = CASE WHEN parent = 'audit' THEN chains || r.chains
            ELSE chains END
     WHERE name = p_name;
    RETURN r.n < p_rows;
END $$;

-- Whether rows of an outbox partition have yet to go out.
CREATE FUNCTION outbox_waits(p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    waits boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM winnow.source_cursor c '
        'LEFT JOIN winnow.relay_cursor r ON r.source = c.id '
        'CROSS JOIN LATERAL (SELECT 1 FROM winnow.%I o WHERE o.source = c.id '
        'AND o.off >= coalesce(r.next_offset, 0) LIMIT 1) w)', p_name)
        INTO waits;
    RETURN waits;
END $$;

-- Its last row was walked: out it goes, unless rows came that have to go out
-- first. The parent is locked before its part, as writers do.
CREATE FUNCTION partition_leave(p_name text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    l winnow.partition_leaving;
BEGIN
    SELECT * INTO STRICT l FROM winnow.partition_leaving
     WHERE name = p_name FOR UPDATE;
    PERFORM pg_advisory_xact_lock(7305811243);
    EXECUTE format('LOCK TABLE ONLY winnow.%I IN ACCESS EXCLUSIVE MODE',
        l.parent);
    EXECUTE format('LOCK TABLE winnow.%I IN ACCESS EXCLUSIVE MODE', p_name);
    DELETE FROM winnow.partition_leaving WHERE name = p_name;
    IF l.parent = 'outbox' AND winnow.outbox_waits(p_name) THEN
        RETURN 0;
    END IF;
    INSERT INTO winnow.partition_drop (name, rows, chains, reason)
        VALUES (p_name, l.rows,
            CASE WHEN l.parent = 'audit' THEN l.chains END,
            CASE WHEN l.parent = 'outbox' THEN 'relayed' ELSE 'retention' END);
    EXECUTE format('DROP TABLE winnow.%I', p_name);
    RETURN 1;
END $$;

-- The first partition that is wholly older than `oldest`; of the outbox, of
-- two days ago or older, since a batch begun before midnight may still come.
CREATE FUNCTION partition_due(at timestamptz, oldest timestamptz,
    OUT name text, OUT parent text) LANGUAGE plpgsql AS $$
BEGIN
    FOR name, parent IN
        SELECT c.relname, p.relname
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          JOIN pg_class p ON p.oid = i.inhparent
          JOIN pg_namespace n ON n.oid = p.relnamespace
         WHERE n.nspname = 'winnow' AND c.relkind = 'r' AND p.relname IN
            ('verdict', 'audit', 'content', 'dead_letter', 'outbox')
         ORDER BY c.relname
    LOOP
        IF parent <> 'outbox' THEN
            IF to_date(right(name, 7), 'YYYY_MM') + interval '1 month'
                <= oldest AT TIME ZONE 'UTC' THEN
                RETURN;
            END IF;
        ELSIF to_date(right(name, 10), 'YYYY_MM_DD')
            <= (at AT TIME ZONE 'UTC')::date - 2
            AND NOT winnow.outbox_waits(name) THEN
            RETURN;
        END IF;
    END LOOP;
    name := NULL;
    parent := NULL;
END $$;

-- Posts nobody heard of for so long, with their salts.
CREATE FUNCTION posts_leave(oldest timestamptz, p_rows int) RETURNS bigint
LANGUAGE sql AS $$
    WITH old AS (
        DELETE FROM winnow.post_state WHERE post_id IN (
            SELECT post_id FROM winnow.post_state WHERE ts < oldest
             ORDER BY ts LIMIT p_rows FOR UPDATE SKIP LOCKED)
        RETURNING post_id),
    salts AS (
        DELETE FROM winnow.post_salt USING old
         WHERE post_salt.post_id = old.post_id)
    SELECT count(*) FROM old
$$;

-- What only points at what has left: closed items that nobody decided, rows
-- that the broker refused, and runs over standard input that left no row.
CREATE FUNCTION pointers_leave(oldest timestamptz, p_rows int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
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

-- One step: at most p_rows rows are read or go, or one partition begins to
-- leave, or leaves. For the owner, since it believes `at`; tests call it.
CREATE FUNCTION retention_step_at(at timestamptz, p_days int, p_rows int,
    OUT dropped int, OUT gone bigint, OUT more boolean)
LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
    oldest timestamptz := at - p_days * interval '1 day';
    due record;
    leaving text;
BEGIN
    dropped := 0;
    gone := 0;
    more := false;
    IF p_days < 2 OR p_rows < 1 THEN
        RAISE EXCEPTION 'retention under 2 days' USING ERRCODE = 'MF003';
    END IF;
    IF NOT pg_try_advisory_xact_lock(7305811244) THEN
        RETURN; -- another worker is at it
    END IF;
    more := true;
    SELECT l.name INTO leaving FROM winnow.partition_leaving l
     ORDER BY l.name LIMIT 1;
    IF leaving IS NOT NULL THEN
        IF winnow.partition_walk(leaving, p_rows) THEN
            dropped := winnow.partition_leave(leaving);
        END IF;
        RETURN;
    END IF;
    SELECT d.name, d.parent INTO due FROM winnow.partition_due(at, oldest) d;
    IF due.name IS NOT NULL THEN
        IF due.parent = 'audit' THEN
            EXECUTE format('CREATE TRIGGER audit_late AFTER INSERT ON '
                'winnow.%I FOR EACH ROW EXECUTE FUNCTION winnow.audit_late()',
                due.name);
        END IF;
        INSERT INTO winnow.partition_leaving (name, parent)
            VALUES (due.name, due.parent);
        RETURN;
    END IF;
    gone := winnow.posts_leave(oldest, p_rows);
    IF gone = 0 THEN
        gone := winnow.pointers_leave(oldest, p_rows);
    END IF;
    more := gone > 0;
END $$;

-- What the worker may ask for. `days`: what was held to, in the end.
CREATE FUNCTION retention_step(p_days int, OUT dropped int, OUT gone bigint,
    OUT more boolean, OUT days int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
BEGIN
    SELECT greatest(p_days, r.days) INTO STRICT days
        FROM winnow.retention_rule r;
    SELECT s.dropped, s.gone, s.more INTO dropped, gone, more
        FROM winnow.retention_step_at(now(), days, 5000) s;
END $$;

DROP FUNCTION retention(timestamptz, int);
DROP FUNCTION partition_leave(text, boolean, text);

-- The outbox partition of one day, for a batch made on it: the clock may have
-- jumped since partitions_make(), or the day may have left.
CREATE FUNCTION partitions_day(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    d date := (at AT TIME ZONE 'UTC')::date;
BEGIN
    IF at < now() - interval '4000 days' OR at > now() + interval '800 days'
    THEN
        RAISE EXCEPTION 'no partitions are made for %', at
            USING ERRCODE = 'MF003';
    END IF;
    PERFORM pg_advisory_xact_lock(7305811243);
    PERFORM winnow.partition_make('outbox',
        'outbox' || to_char(d, '"_"YYYY"_"MM"_"DD'),
        to_char(d, 'YYYY-MM-DD'), to_char(d + 1, 'YYYY-MM-DD'));
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA winnow FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retention_step(int), partitions_day(timestamptz)
    TO winnow_worker;
GRANT SELECT ON retention_rule
    TO winnow_worker, winnow_console, winnow_auditor;
GRANT SELECT ON audit_left, audit_leaf, partition_leaving, partition_drop
    TO winnow_console, winnow_auditor;
