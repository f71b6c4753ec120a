-- What the price of a request depends on besides series, hour and tenant: its price class (service tier
-- and context band) keeps the hours apart, its tokens are told more closely, and units beyond tokens
-- have slices of their own. docs/adr/0028-price-class.md says why so.
--
-- A row that an older Wattoken wrote has no class ('' and 0) and none of the new tokens: it means what
-- it meant. All views keep their columns and sums but `usage_hour_entries`, which tells the classes
-- apart; `charges` adds them up again.

ALTER TABLE slices_register
    ADD COLUMN IF NOT EXISTS cache_write_5m_input_tokens   UInt64,
    ADD COLUMN IF NOT EXISTS cache_write_1h_input_tokens   UInt64,
    ADD COLUMN IF NOT EXISTS audio_input_tokens            UInt64,
    ADD COLUMN IF NOT EXISTS image_input_tokens            UInt64,
    ADD COLUMN IF NOT EXISTS cache_read_audio_input_tokens UInt64,
    ADD COLUMN IF NOT EXISTS cache_read_image_input_tokens UInt64,
    ADD COLUMN IF NOT EXISTS audio_output_tokens           UInt64,
    ADD COLUMN IF NOT EXISTS image_output_tokens           UInt64;

ALTER TABLE slices_minute
    ADD COLUMN IF NOT EXISTS cache_write_5m_input_tokens   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_write_1h_input_tokens   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_input_tokens            UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_input_tokens            UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_read_audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_read_image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_output_tokens           UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_output_tokens           UInt64 CODEC(T64, ZSTD(1));

-- The class ends the key: readers filter by tenant and time, and a table's order can only be longer by
-- columns that are new. It is not in the primary key, which stays as it was.
ALTER TABLE slices_hour
    ADD COLUMN IF NOT EXISTS service_tier                  LowCardinality(String)
        COMMENT 'as reported; empty where not, which is billed as standard' AFTER entry,
    ADD COLUMN IF NOT EXISTS context_band                  UInt32
        COMMENT 'the highest of the rules'' context_thresholds that the input exceeds' AFTER service_tier,
    ADD COLUMN IF NOT EXISTS cache_write_5m_input_tokens   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_write_1h_input_tokens   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_input_tokens            UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_input_tokens            UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_read_audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_read_image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_output_tokens           UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_output_tokens           UInt64 CODEC(T64, ZSTD(1)),
    MODIFY ORDER BY (tenant, window_start, region, provider, model, entry, log, partition, service_tier, context_band);

-- What is billed beside tokens: the slices of a tenant's hours once more, by unit, and only where
-- something of it was used. Such usage is rare, so it has rows of its own and no column in every slice.
CREATE TABLE IF NOT EXISTS slices_unit
(
    window_start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    region       LowCardinality(String),
    provider     LowCardinality(String),
    model        LowCardinality(String),
    tenant       String,
    entry        Enum8('usage' = 0, 'debit' = 1, 'credit' = 2),
    unit         LowCardinality(String) COMMENT 'as the field of the event is named: web_searches, ...',
    log          LowCardinality(String),
    partition    UInt32,
    version      UInt64 CODEC(Delta, ZSTD(1)),
    quantity     UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toStartOfMonth(window_start)
-- As the hours: bills read one tenant over a month.
ORDER BY (tenant, window_start, region, provider, model, entry, unit, log, partition)
TTL window_start + INTERVAL 400 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Rules of before had no thresholds: what was metered by them has no band, and keeps none.
ALTER TABLE metering_rules
    ADD COLUMN IF NOT EXISTS context_thresholds Array(UInt32)
        COMMENT 'sizes of input, ascending: an event is in the band of the highest that it exceeds'
        AFTER unused_series_max;

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
SETTINGS do_not_merge_across_partitions_select_final = 1;

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
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- That of 0014 over all classes together, and nothing else changed.
CREATE OR REPLACE VIEW charges AS
SELECT
    toStartOfMonth(window_start) AS period_start,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    token_class,
    if(isNull(usd_per_million_tokens), 'unpriced', best.1) AS tou_period,
    if(isNull(usd_per_million_tokens), 'unpriced', best.2) AS tariff_id,
    tokens,
    usd_per_million_tokens,
    toDecimal128(tokens, 0) * usd_per_million_tokens * toDecimal128('0.000001', 6)
        * if(entry = 'credit', -1, 1) AS amount_usd
FROM
(
    SELECT
        window_start,
        tenant,
        region,
        provider,
        model,
        entry,
        any(input_tokens) AS input,
        any(cache_read_input_tokens) AS cache_read,
        any(cache_write_input_tokens) AS cache_write,
        any(output_tokens) AS output,
        any(reasoning_output_tokens) AS reasoning,
        argMaxIf((tou_period, tariff_id, prices), specificity, fits) AS best
    FROM
    (
        SELECT
            u.*,
            u.tariff_id != '' AND (u.calendar = '' OR (u.zone_known AND tou.calendar != '')) AS fits
        FROM
        (
            SELECT
                l.*,
                if(d.weekday = 0, toDayOfWeek(l.local_start), d.weekday) AS weekday
            FROM
            (
                SELECT
                    c.*,
                    z.time_zone != '' AS zone_known,
                    c.window_start + toIntervalSecond(z.offset_seconds) AS local_start
                FROM
                (
                    SELECT
                        h.window_start,
                        h.tenant,
                        h.region,
                        h.provider,
                        h.model,
                        h.entry,
                        h.input_tokens,
                        h.cache_read_input_tokens,
                        h.cache_write_input_tokens,
                        h.output_tokens,
                        h.reasoning_output_tokens,
                        t.tariff_id,
                        t.calendar,
                        t.time_zone,
                        t.tou_period,
                        t.prices,
                        t.specificity
                    FROM
                    (
                        SELECT
                            window_start,
                            tenant,
                            region,
                            provider,
                            model,
                            entry,
                            sum(e.input_tokens)             AS input_tokens,
                            sum(e.cache_read_input_tokens)  AS cache_read_input_tokens,
                            sum(e.cache_write_input_tokens) AS cache_write_input_tokens,
                            sum(e.output_tokens)            AS output_tokens,
                            sum(e.reasoning_output_tokens)  AS reasoning_output_tokens
                        FROM usage_hour_entries AS e
                        GROUP BY window_start, tenant, region, provider, model, entry
                    ) AS h
                    LEFT JOIN series_tariffs AS t
                        ON t.region = h.region AND t.provider = h.provider AND t.model = h.model
                        AND t.valid_from <= h.window_start AND h.window_start < t.valid_to
                ) AS c
                ASOF LEFT JOIN zone_offsets AS z
                    ON z.time_zone = c.time_zone AND c.window_start >= z.valid_from
            ) AS l
            -- Of kinds that the calendar has hours for: the two tables are replaced one after the
            -- other, and a release that knows no holidays writes only the hours.
            LEFT ANY JOIN
            (
                SELECT calendar, day, weekday
                FROM calendar_days
                WHERE (calendar, weekday) IN (SELECT calendar, weekday FROM tou_periods)
            ) AS d
                ON d.calendar = l.calendar AND d.day = toDate(l.local_start)
        ) AS u
        LEFT ANY JOIN tou_periods AS tou
            ON tou.calendar = u.calendar AND tou.tou_period = u.tou_period
            AND tou.weekday = u.weekday AND tou.hour = toHour(u.local_start)
    )
    GROUP BY window_start, tenant, region, provider, model, entry
)
ARRAY JOIN
    ['uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning'] AS token_class,
    [toUInt128(input - cache_read - cache_write), cache_read, cache_write, toUInt128(output - reasoning), reasoning] AS tokens,
    if(empty(best.3), [NULL, NULL, NULL, NULL, NULL], best.3) AS usd_per_million_tokens
WHERE tokens > 0
SETTINGS join_use_nulls = 0;
