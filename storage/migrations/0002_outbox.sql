-- What goes out to Kafka, by day of writing: rows leave with their partition.

CREATE TABLE outbox (
    day        date     NOT NULL,
    off        bigint   NOT NULL,
    source     int      NOT NULL,
    kind       smallint NOT NULL,
    verdict_id uuid     NOT NULL,
    post_id    text COLLATE "C",
    value      bytea    NOT NULL,
    PRIMARY KEY (source, off, day)
) PARTITION BY RANGE (day);

CREATE TABLE relay_cursor (
    source      int PRIMARY KEY,
    next_offset bigint NOT NULL,
    beat        bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE outbox_refused (
    source int    NOT NULL,
    off    bigint NOT NULL,
    kind   smallint NOT NULL,
    why    text   NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, off)
);

-- Raises unless the partition is still ours.
CREATE FUNCTION relay_check(p_source int, p_epoch bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM winnow.source_cursor
      WHERE id = p_source AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'source %: not ours', p_source
            USING ERRCODE = 'MF001';
    END IF;
END $$;

-- Writes, so that its commit flushes the log up to every row seen before it.
CREATE FUNCTION relay_beat(p_source int, p_epoch bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM winnow.relay_check(p_source, p_epoch);
    INSERT INTO winnow.relay_cursor AS r (source, next_offset)
        VALUES (p_source, 0)
        ON CONFLICT (source) DO UPDATE SET beat = r.beat + 1;
END $$;

CREATE FUNCTION relay_advance(p_source int, p_epoch bigint, p_next bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM winnow.relay_check(p_source, p_epoch);
    INSERT INTO winnow.relay_cursor AS r (source, next_offset)
        VALUES (p_source, p_next)
        ON CONFLICT (source) DO UPDATE
        SET next_offset = greatest(r.next_offset, excluded.next_offset);
END $$;

-- What is missing from the month of `at` to the third after it, and from the
-- day before to the seventh after it. Returns the whole months ahead.
CREATE FUNCTION partitions_make(at timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    m timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    d date := (at AT TIME ZONE 'UTC')::date;
    i int;
    months int := 0;
    days int := 0;
BEGIN
    FOR i IN 0..3 LOOP
        PERFORM winnow.partitions_month(
            (m + i * interval '1 month') AT TIME ZONE 'UTC');
    END LOOP;
    FOR i IN -1..7 LOOP
        PERFORM winnow.partition_make('outbox',
            'outbox' || to_char(d + i, '"_"YYYY"_"MM"_"DD'),
            to_char(d + i, 'YYYY-MM-DD'), to_char(d + i + 1, 'YYYY-MM-DD'));
    END LOOP;
    WHILE to_regclass('winnow.audit' || to_char(
        m + (months + 1) * interval '1 month', '"_"YYYY"_"MM')) IS NOT NULL
    LOOP
        months := months + 1;
    END LOOP;
    WHILE to_regclass('winnow.outbox' || to_char(
        d + days + 1, '"_"YYYY"_"MM"_"DD')) IS NOT NULL
    LOOP
        days := days + 1;
    END LOOP;
    RETURN least(months, days);
END $$;
