-- A stage more that a verdict may have gone without: layers of the encoder.

CREATE OR REPLACE VIEW verdict_readable AS
SELECT v.ts AS time, c.kind AS source, c.topic, c.part AS "partition", v.off
        AS "offset", v.post_id, v.revision, v.author_id,
    (ARRAY['scored', 'degraded', 'deferred', 'dead', 'repeat', 'stale',
        'erased'])[v.outcome] AS outcome,
    (ARRAY['allow', 'label', 'limit', 'review', 'remove'])[v.action + 1]
        AS action,
    array_remove(ARRAY[
        CASE WHEN v.flags & 1 <> 0 THEN 'spam' END,
        CASE WHEN v.flags & 2 <> 0 THEN 'scam' END,
        CASE WHEN v.flags & 4 <> 0 THEN 'bait' END,
        CASE WHEN v.flags & 8 <> 0 THEN 'ai_text' END], NULL) AS flags,
    array_remove(ARRAY[
        CASE WHEN v.skipped & 1 <> 0 THEN 'text' END,
        CASE WHEN v.skipped & 2 <> 0 THEN 'image' END,
        CASE WHEN v.skipped & 4 <> 0 THEN 'depth' END], NULL) AS skipped,
    v.reasons, v.notes, m.value AS model, p.value AS policy, v.text_version,
    v.made_at, v.verdict_id, v.source AS source_id
  FROM verdict v
  LEFT JOIN source_cursor c ON c.id = v.source
  LEFT JOIN version m ON m.id = v.model
  LEFT JOIN version p ON p.id = v.policy;
