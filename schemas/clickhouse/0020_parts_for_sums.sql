-- What is cheap to ask is cheap to answer. `usage_minute` and `usage_hour` have one row per key, and so
-- must group all that they read before anybody can add it up: over 5.2 M minutes a sum by region takes
-- 2.3 s and 2.2 GB, and over the slices themselves 0.04 s and 9 MB. The parts are the same columns
-- of the slices as they are: a row may come in several, one of each log partition and entry, so they are
-- for sums, as `charge_parts` is of `charges`. docs/adr/0035-parts-for-sums.md says why so.

CREATE OR REPLACE VIEW usage_minute_parts AS
SELECT
    window_start,
    region,
    provider,
    model,
    toUInt128(if(entry = 'usage', s.requests, 0)) AS requests,
    toUInt128(if(entry = 'usage', s.failed_requests, 0)) AS failed_requests,
    toUInt128(if(entry = 'usage', s.input_tokens, 0)) AS input_tokens,
    toUInt128(if(entry = 'usage', s.cache_read_input_tokens, 0)) AS cache_read_input_tokens,
    toUInt128(if(entry = 'usage', s.cache_write_input_tokens, 0)) AS cache_write_input_tokens,
    toUInt128(if(entry = 'usage', s.output_tokens, 0)) AS output_tokens,
    toUInt128(if(entry = 'usage', s.reasoning_output_tokens, 0)) AS reasoning_output_tokens,
    toUInt128(if(entry = 'usage', s.estimated_tokens, 0)) AS estimated_tokens,
    if(entry = 'debit', toUInt128(s.input_tokens) + s.output_tokens, 0) AS debit_tokens,
    if(entry = 'credit', toUInt128(s.input_tokens) + s.output_tokens, 0) AS credit_tokens
FROM slices_minute AS s FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW usage_hour_parts AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    toUInt128(if(entry = 'usage', s.requests, 0)) AS requests,
    toUInt128(if(entry = 'usage', s.failed_requests, 0)) AS failed_requests,
    toUInt128(if(entry = 'usage', s.input_tokens, 0)) AS input_tokens,
    toUInt128(if(entry = 'usage', s.cache_read_input_tokens, 0)) AS cache_read_input_tokens,
    toUInt128(if(entry = 'usage', s.cache_write_input_tokens, 0)) AS cache_write_input_tokens,
    toUInt128(if(entry = 'usage', s.output_tokens, 0)) AS output_tokens,
    toUInt128(if(entry = 'usage', s.reasoning_output_tokens, 0)) AS reasoning_output_tokens,
    toUInt128(if(entry = 'usage', s.estimated_tokens, 0)) AS estimated_tokens,
    if(entry = 'debit', toUInt128(s.input_tokens) + s.output_tokens, 0) AS debit_tokens,
    if(entry = 'credit', toUInt128(s.input_tokens) + s.output_tokens, 0) AS credit_tokens
FROM slices_hour AS s FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- A guard on memory. The views whose groups grow with history go on in files beyond 512 MiB: a question
-- about all of it is slower then, and no longer takes gigabytes from the inserts beside it. Nothing else
-- is changed: those of 0011 and 0015.

CREATE OR REPLACE VIEW usage_minute AS
SELECT
    window_start,
    region,
    provider,
    model,
    sumIf(toUInt128(s.requests), entry = 'usage')                  AS requests,
    sumIf(toUInt128(s.failed_requests), entry = 'usage')           AS failed_requests,
    sumIf(toUInt128(s.input_tokens), entry = 'usage')              AS input_tokens,
    sumIf(toUInt128(s.cache_read_input_tokens), entry = 'usage')   AS cache_read_input_tokens,
    sumIf(toUInt128(s.cache_write_input_tokens), entry = 'usage')  AS cache_write_input_tokens,
    sumIf(toUInt128(s.output_tokens), entry = 'usage')             AS output_tokens,
    sumIf(toUInt128(s.reasoning_output_tokens), entry = 'usage')   AS reasoning_output_tokens,
    sumIf(toUInt128(s.estimated_tokens), entry = 'usage')          AS estimated_tokens,
    sumIf(toUInt128(s.input_tokens) + s.output_tokens, entry = 'debit') AS debit_tokens,
    sumIf(toUInt128(s.input_tokens) + s.output_tokens, entry = 'credit') AS credit_tokens
FROM slices_minute AS s FINAL
GROUP BY window_start, region, provider, model
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;

CREATE OR REPLACE VIEW usage_hour AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    sumIf(toUInt128(s.requests), entry = 'usage')                  AS requests,
    sumIf(toUInt128(s.failed_requests), entry = 'usage')           AS failed_requests,
    sumIf(toUInt128(s.input_tokens), entry = 'usage')              AS input_tokens,
    sumIf(toUInt128(s.cache_read_input_tokens), entry = 'usage')   AS cache_read_input_tokens,
    sumIf(toUInt128(s.cache_write_input_tokens), entry = 'usage')  AS cache_write_input_tokens,
    sumIf(toUInt128(s.output_tokens), entry = 'usage')             AS output_tokens,
    sumIf(toUInt128(s.reasoning_output_tokens), entry = 'usage')   AS reasoning_output_tokens,
    sumIf(toUInt128(s.estimated_tokens), entry = 'usage')          AS estimated_tokens,
    sumIf(toUInt128(s.input_tokens) + s.output_tokens, entry = 'debit') AS debit_tokens,
    sumIf(toUInt128(s.input_tokens) + s.output_tokens, entry = 'credit') AS credit_tokens
FROM slices_hour AS s FINAL
GROUP BY window_start, tenant, region, provider, model
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;

CREATE OR REPLACE VIEW demand_15m AS
SELECT
    toStartOfFifteenMinutes(s.window_start)              AS window_start,
    region,
    provider,
    model,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens,
    tokens / 900                                         AS demand_tokens_per_second,
    window_start + INTERVAL 15 MINUTE <= now('UTC')      AS complete
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, region, provider, model
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;

CREATE OR REPLACE VIEW usage_hour_entries AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    service_tier,
    context_band,
    sum(toUInt128(s.requests))                      AS requests,
    sum(toUInt128(s.input_tokens))                  AS input_tokens,
    sum(toUInt128(s.cache_read_input_tokens))       AS cache_read_input_tokens,
    sum(toUInt128(s.cache_write_input_tokens))      AS cache_write_input_tokens,
    sum(toUInt128(s.output_tokens))                 AS output_tokens,
    sum(toUInt128(s.reasoning_output_tokens))       AS reasoning_output_tokens,
    sum(toUInt128(s.cache_write_5m_input_tokens))   AS cache_write_5m_input_tokens,
    sum(toUInt128(s.cache_write_1h_input_tokens))   AS cache_write_1h_input_tokens,
    sum(toUInt128(s.audio_input_tokens))            AS audio_input_tokens,
    sum(toUInt128(s.image_input_tokens))            AS image_input_tokens,
    sum(toUInt128(s.cache_read_audio_input_tokens)) AS cache_read_audio_input_tokens,
    sum(toUInt128(s.cache_read_image_input_tokens)) AS cache_read_image_input_tokens,
    sum(toUInt128(s.audio_output_tokens))           AS audio_output_tokens,
    sum(toUInt128(s.image_output_tokens))           AS image_output_tokens
FROM slices_hour AS s FINAL
GROUP BY window_start, tenant, region, provider, model, entry, service_tier, context_band
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;

CREATE OR REPLACE VIEW usage_unit_hours AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    unit,
    sum(toUInt128(s.quantity)) AS quantity
FROM slices_unit AS s FINAL
GROUP BY window_start, tenant, region, provider, model, entry, unit
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;
