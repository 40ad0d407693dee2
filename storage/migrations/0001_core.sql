-- Cursor, verdicts, audit trail, content, dead letters, state of each post.
-- A migration that has landed is never edited.

CREATE TABLE source_cursor (
    id             serial PRIMARY KEY,
    kind           text   NOT NULL,
    cluster        text   NOT NULL,
    topic          text   NOT NULL,
    part           int    NOT NULL,
    ident          text   NOT NULL,
    epoch          bigint NOT NULL DEFAULT 0,
    owner          text   NOT NULL DEFAULT '',
    next_offset    bigint NOT NULL,
    leader_epoch   int    NOT NULL DEFAULT -1,
    chain_seq      bigint NOT NULL DEFAULT 0,
    chain_head     bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    stalled        int    NOT NULL DEFAULT 0,
    careful_until  bigint NOT NULL DEFAULT 0,
    attempt_offset bigint NOT NULL DEFAULT -1,
    attempt_deaths int    NOT NULL DEFAULT 0,
    attempt_live   boolean NOT NULL DEFAULT false,
    claimed_next   bigint NOT NULL DEFAULT -1,
    updated        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (length(chain_head) = 32),
    UNIQUE (kind, cluster, topic, part, ident)
) WITH (fillfactor = 10); -- updated by every batch: room to do it in place

-- Strings that repeat in every row: rows hold the small number.
CREATE TABLE version (
    id    serial PRIMARY KEY,
    kind  text NOT NULL,
    value text NOT NULL,
    UNIQUE (kind, value)
);

CREATE TABLE verdict (
    ts           timestamptz NOT NULL, -- message time, clamped
    off          bigint   NOT NULL,
    revision     bigint,
    time_raw     bigint,               -- as it came, where it was clamped
    made_at      timestamptz NOT NULL,
    verdict_id   uuid     NOT NULL,
    source       int      NOT NULL,
    flags        int      NOT NULL,    -- bit n: flag of head n
    skipped      int      NOT NULL,    -- bits: stages it went without
    model        int,
    policy       int,
    outcome      smallint NOT NULL,
    action       smallint,
    text_version smallint NOT NULL,
    post_id      text COLLATE "C",
    author_id    text COLLATE "C",
    reasons      jsonb,
    notes        jsonb,
    signals      bytea,
    PRIMARY KEY (source, off, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX verdict_post ON verdict USING hash (post_id);
CREATE INDEX verdict_author ON verdict (author_id, ts);

CREATE TABLE audit (
    ts     timestamptz NOT NULL,
    seq    bigint NOT NULL,
    off    bigint NOT NULL,
    source int    NOT NULL,
    kind   smallint NOT NULL,
    body   bytea  NOT NULL,
    leaf   bytea  NOT NULL,
    PRIMARY KEY (source, seq, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE content (
    ts      timestamptz NOT NULL,
    off     bigint NOT NULL,
    source  int    NOT NULL,
    post_id text COLLATE "C" NOT NULL,
    raw     bytea,
    text    text,
    signals bytea,
    PRIMARY KEY (source, off, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX content_post ON content USING hash (post_id);

CREATE TABLE dead_letter (
    ts      timestamptz NOT NULL,
    off     bigint NOT NULL,
    bytes   bigint NOT NULL,
    made_at timestamptz NOT NULL,
    source  int    NOT NULL,
    class   text   NOT NULL,
    cause   text   NOT NULL,
    post_id text COLLATE "C",
    key     bytea,
    raw     bytea,
    sha256  bytea,
    PRIMARY KEY (source, off, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX dead_letter_post ON dead_letter (post_id)
    WHERE post_id IS NOT NULL;

-- The newest that was judged of each post; its row is the lock of the post.
CREATE TABLE post_state (
    post_id      text COLLATE "C" PRIMARY KEY,
    revision     bigint,
    time_us      bigint  NOT NULL,
    off          bigint  NOT NULL,
    version      bigint  NOT NULL, -- one more with every newer record
    ts           timestamptz NOT NULL,
    source       int     NOT NULL,
    deleted      boolean NOT NULL,
    content_hash bytea   NOT NULL
) WITH (fillfactor = 80);

-- Apart, so that it can be erased and have its own, shorter backups. A row is
-- here exactly while the post is known and not deleted.
CREATE TABLE post_salt (
    post_id text COLLATE "C" PRIMARY KEY,
    salt    bytea NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only ever inserted', TG_TABLE_NAME
        USING ERRCODE = 'MF002';
END $$;
CREATE TRIGGER audit_rows BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The fence: moves a cursor, or raises. Last in a transaction, in the same
-- flush as COMMIT, which is then skipped.
CREATE FUNCTION cursor_advance(p_source int, p_epoch bigint, p_start bigint,
    p_end bigint, p_leader_epoch int, p_seq bigint, p_head bytea)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE winnow.source_cursor
       SET next_offset = p_end, leader_epoch = p_leader_epoch,
           chain_seq = p_seq, chain_head = p_head, stalled = 0,
           attempt_offset = -1, attempt_deaths = 0, attempt_live = false,
           updated = clock_timestamp()
     WHERE id = p_source AND epoch = p_epoch AND next_offset = p_start;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source %: not ours at offset %', p_source, p_start
            USING ERRCODE = 'MF001';
    END IF;
END $$;

-- One time partition, unless it is there. ATTACH, not PARTITION OF: the
-- former does not stop writers of the parent.
CREATE FUNCTION partition_make(p_table text, p_name text, p_from text,
    p_to text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('winnow.' || quote_ident(p_name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE winnow.%I (LIKE winnow.%I INCLUDING ALL)',
        p_name, p_table);
    EXECUTE format('ALTER TABLE winnow.%I ATTACH PARTITION winnow.%I '
        'FOR VALUES FROM (%L) TO (%L)', p_table, p_name, p_from, p_to);
    IF p_table = 'audit' THEN -- statement triggers are not inherited
        EXECUTE format('CREATE TRIGGER audit_truncate BEFORE TRUNCATE '
            'ON winnow.%I FOR EACH STATEMENT '
            'EXECUTE FUNCTION winnow.refuse_change()', p_name);
    END IF;
END $$;

-- The month of `at` in every table by message time.
CREATE FUNCTION partitions_month(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    m timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    t text;
BEGIN
    IF at < now() - interval '4000 days' OR at > now() + interval '800 days'
    THEN
        RAISE EXCEPTION 'no partitions are made for %', at
            USING ERRCODE = 'MF003';
    END IF;
    PERFORM pg_advisory_xact_lock(7305811243);
    FOREACH t IN ARRAY ARRAY['verdict', 'audit', 'content', 'dead_letter']
    LOOP
        PERFORM winnow.partition_make(t,
            t || to_char(m, '"_"YYYY"_"MM'),
            to_char(m, 'YYYY-MM-DD "00:00:00+00"'),
            to_char(m + interval '1 month', 'YYYY-MM-DD "00:00:00+00"'));
    END LOOP;
END $$;
