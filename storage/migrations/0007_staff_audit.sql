-- The console writes audit rows through a function alone, so that the trigger
-- need not ask who writes: asking for every row cost a quarter of the write
-- path.

DROP TRIGGER audit_staff ON audit;
-- A batch writes rows of kind 1; every other row is one of staff.
CREATE TRIGGER audit_staff AFTER INSERT ON audit FOR EACH ROW
    WHEN (NEW.kind <> 1) EXECUTE FUNCTION audit_staff();

-- The next row of the staff chain; the trigger holds it against the chain and
-- moves that on. p_head: that its writer reckons with.
CREATE FUNCTION staff_audit(p_ts timestamptz, p_seq bigint, p_kind smallint,
    p_body bytea, p_leaf bytea, p_head bytea) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, winnow, pg_temp AS $$
DECLARE
    c winnow.source_cursor;
BEGIN
    IF p_kind = 1 THEN
        RAISE EXCEPTION 'audit: not a row of staff' USING ERRCODE = 'MF003';
    END IF;
    INSERT INTO winnow.audit (ts, seq, off, source, kind, body, leaf)
        SELECT p_ts, p_seq, p_seq, id, p_kind, p_body, p_leaf
          FROM winnow.source_cursor WHERE kind = 'staff';
    SELECT * INTO c FROM winnow.source_cursor WHERE kind = 'staff';
    IF c.chain_seq IS DISTINCT FROM p_seq OR c.chain_head <> p_head THEN
        RAISE EXCEPTION 'the staff chain moved' USING ERRCODE = 'MF001';
    END IF;
END $$;

DROP FUNCTION staff_advance(bigint, bytea);
REVOKE INSERT ON audit FROM winnow_console;
REVOKE ALL ON FUNCTION staff_audit(timestamptz, bigint, smallint, bytea, bytea,
    bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION staff_audit(timestamptz, bigint, smallint, bytea,
    bytea, bytea) TO winnow_console;
