-- The public SQL interface: people and the exporter read these, never the slices.
-- FINAL picks each slice's newest version; the sums then add up logs and partitions.
-- A debit or credit is an entry of its own: its tokens are in debit_tokens or credit_tokens and in
-- no other column.

CREATE OR REPLACE VIEW registers AS
SELECT
    region,
    provider,
    model,
    sumIf(requests, entry = 'usage')                      AS requests,
    sumIf(failed_requests, entry = 'usage')               AS failed_requests,
    sumIf(s.input_tokens, entry = 'usage')                AS input_tokens,
    sumIf(cache_read_input_tokens, entry = 'usage')       AS cache_read_input_tokens,
    sumIf(cache_write_input_tokens, entry = 'usage')      AS cache_write_input_tokens,
    sumIf(s.output_tokens, entry = 'usage')               AS output_tokens,
    sumIf(reasoning_output_tokens, entry = 'usage')       AS reasoning_output_tokens,
    sumIf(estimated_tokens, entry = 'usage')              AS estimated_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'debit')  AS debit_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'credit') AS credit_tokens
FROM slices_register AS s FINAL
GROUP BY region, provider, model;

CREATE OR REPLACE VIEW usage_minute AS
SELECT
    window_start,
    region,
    provider,
    model,
    sumIf(requests, entry = 'usage')                      AS requests,
    sumIf(failed_requests, entry = 'usage')               AS failed_requests,
    sumIf(s.input_tokens, entry = 'usage')                AS input_tokens,
    sumIf(cache_read_input_tokens, entry = 'usage')       AS cache_read_input_tokens,
    sumIf(cache_write_input_tokens, entry = 'usage')      AS cache_write_input_tokens,
    sumIf(s.output_tokens, entry = 'usage')               AS output_tokens,
    sumIf(reasoning_output_tokens, entry = 'usage')       AS reasoning_output_tokens,
    sumIf(estimated_tokens, entry = 'usage')              AS estimated_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'debit')  AS debit_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'credit') AS credit_tokens
FROM slices_minute AS s FINAL
GROUP BY window_start, region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW usage_hour AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    sumIf(requests, entry = 'usage')                      AS requests,
    sumIf(failed_requests, entry = 'usage')               AS failed_requests,
    sumIf(s.input_tokens, entry = 'usage')                AS input_tokens,
    sumIf(cache_read_input_tokens, entry = 'usage')       AS cache_read_input_tokens,
    sumIf(cache_write_input_tokens, entry = 'usage')      AS cache_write_input_tokens,
    sumIf(s.output_tokens, entry = 'usage')               AS output_tokens,
    sumIf(reasoning_output_tokens, entry = 'usage')       AS reasoning_output_tokens,
    sumIf(estimated_tokens, entry = 'usage')              AS estimated_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'debit')  AS debit_tokens,
    sumIf(s.input_tokens + s.output_tokens, entry = 'credit') AS credit_tokens
FROM slices_hour AS s FINAL
GROUP BY window_start, tenant, region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;
