-- An author's verdicts by hash: ids come in no order, so a btree of them
-- touched a page a row, which was a quarter of the write path. Their order by
-- time is a sort of few rows.
DROP INDEX verdict_author;
CREATE INDEX verdict_author ON verdict USING hash (author_id);
