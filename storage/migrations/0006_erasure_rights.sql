-- Erasure reaches dead letters that have yet to go out.

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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA winnow FROM PUBLIC;
REVOKE UPDATE (key, raw, sha256) ON dead_letter FROM winnow_worker;
GRANT EXECUTE ON FUNCTION dead_erase(text[]) TO winnow_worker;
