-- Days that a time-of-use calendar takes for another kind than their weekday: holidays, and days at a
-- weekend that are worked on for them. `charges` is that of 0011 with them and nothing else changed.

CREATE TABLE IF NOT EXISTS calendar_days
(
    calendar String,
    day      Date COMMENT 'in the zone of the calendar',
    weekday  UInt8 COMMENT 'as in tou_periods: 8 is a holiday, 9 a make-up workday'
)
ENGINE = MergeTree
ORDER BY (calendar, day);

ALTER TABLE tou_periods
    MODIFY COLUMN weekday UInt8
        COMMENT 'in that zone; 1 is Monday, 8 a holiday, 9 a make-up workday (calendar_days)';

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
                    FROM usage_hour_entries AS h
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
