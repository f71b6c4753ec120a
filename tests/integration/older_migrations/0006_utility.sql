-- The utility view: tokens as a grid operator sees energy. docs/sql.md says what each column means
-- and how to ask quickly; docs/glossary.md has the words.
--
-- tokens = input + output of plain usage, by event time, UTC. Debits and credits are corrections
-- on paper: nothing was delivered with them, so they are in none of these views.
--
-- These views read slices themselves, FINAL, as the views of 0004 do, and not usage_minute or
-- usage_hour: those would first build a group for each minute or hour, series and tenant, which
-- costs fifteen times the time (measured over 3.4 M minute slices) only to be summed up again.
--
-- Filters on window_start, period_start and week_start reach the slices' primary key, so a
-- stretch of time costs what that stretch holds. The exceptions say so.

-- Block demand: tokens of a fixed block of 15 minutes ÷ its 900 seconds. `complete` goes by the
-- clock; a late event may still raise what is complete.
CREATE OR REPLACE VIEW demand_15m AS
SELECT
    toStartOfFifteenMinutes(s.window_start)              AS window_start,
    region,
    provider,
    model,
    sum(s.input_tokens + s.output_tokens)                AS tokens,
    tokens / 900                                         AS demand_tokens_per_second,
    window_start + INTERVAL 15 MINUTE <= now('UTC')      AS complete
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- The same by region alone; what peaks, load factors and data quality are computed from.
CREATE OR REPLACE VIEW region_demand_15m AS
SELECT
    toStartOfFifteenMinutes(s.window_start)              AS window_start,
    region,
    sum(s.requests)                                      AS requests,
    sum(s.input_tokens + s.output_tokens)                AS tokens,
    sum(s.estimated_tokens)                              AS estimated_tokens,
    tokens / 900                                         AS demand_tokens_per_second,
    window_start + INTERVAL 15 MINUTE <= now('UTC')      AS complete
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, region
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Sliding demand: the last 15 minutes that have ended, renewed every minute.
CREATE OR REPLACE VIEW sliding_demand AS
SELECT
    toStartOfMinute(now('UTC')) - INTERVAL 15 MINUTE     AS window_start,
    toStartOfMinute(now('UTC'))                          AS window_end,
    region,
    provider,
    model,
    sum(s.input_tokens + s.output_tokens)                AS tokens,
    tokens / 900                                         AS demand_tokens_per_second
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
    AND s.window_start >= toStartOfMinute(now('UTC')) - INTERVAL 15 MINUTE
    AND s.window_start < toStartOfMinute(now('UTC'))
GROUP BY region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Of equal blocks the first is the peak. The running block counts with what it has so far: its
-- demand can only rise. A period is complete when it has ended and all its minutes are still kept.
CREATE OR REPLACE VIEW peak_demand AS
SELECT
    period_start,
    region,
    sum(b.tokens)                                        AS tokens,
    max(b.tokens)                                        AS peak_tokens,
    peak_tokens / 900                                    AS peak_demand_tokens_per_second,
    argMin(b.window_start, (-toInt128(b.tokens), b.window_start)) AS peak_start,
    sumIf(b.tokens, b.window_start = b.coincident_start) AS coincident_tokens,
    coincident_tokens / 900                              AS coincident_demand_tokens_per_second,
    any(b.coincident_peak)                               AS system_peak_tokens,
    system_peak_tokens / 900                             AS system_peak_demand_tokens_per_second,
    any(b.coincident_start)                              AS system_peak_start,
    max(b.window_start)                                  AS last_window_start,
    toDateTime(addMonths(period_start, 1), 'UTC') <= now('UTC')
        AND toDateTime(period_start, 'UTC') >= now('UTC') - INTERVAL 90 DAY AS complete
FROM
(
    SELECT
        period_start,
        window_start,
        region,
        tokens,
        max(system_tokens) OVER (PARTITION BY period_start) AS coincident_peak,
        argMin(window_start, (-toInt256(system_tokens), window_start))
            OVER (PARTITION BY period_start)             AS coincident_start
    FROM
    (
        SELECT
            toStartOfMonth(d.window_start)               AS period_start,
            d.window_start                               AS window_start,
            region,
            tokens,
            sum(toUInt128(tokens)) OVER (PARTITION BY period_start, window_start) AS system_tokens
        FROM region_demand_15m AS d
    )
) AS b
GROUP BY period_start, region;

-- The average divides by all blocks of the period that have begun, those without usage included,
-- so it is never above the peak.
CREATE OR REPLACE VIEW load_factor AS
SELECT
    period_start,
    region,
    tokens,
    tokens / (begun_blocks * 900)                        AS average_demand_tokens_per_second,
    peak_demand_tokens_per_second,
    tokens / nullIf(toUInt128(begun_blocks) * peak_tokens, 0) AS load_factor,
    system_peak_tokens / nullIf(peaks_tokens, 0)         AS coincidence_factor,
    capacity_tokens_per_second,
    capacity_tokens_per_second / nullIf(peak_demand_tokens_per_second, 0) - 1 AS reserve_margin,
    complete
FROM
(
    SELECT
        p.*,
        sum(toUInt128(p.peak_tokens)) OVER (PARTITION BY p.period_start) AS peaks_tokens,
        toDateTime(addMonths(p.period_start, 1), 'UTC')  AS period_end,
        intDiv(
            least(period_end - 1, greatest(now('UTC'), p.last_window_start))
                - toDateTime(p.period_start, 'UTC'),
            900
        ) + 1                                            AS begun_blocks,
        -- A region that the catalogue does not know has no capacity, which is not capacity 0.
        if(r.region = '', NULL, r.capacity_tokens_per_second) AS capacity_tokens_per_second
    FROM peak_demand AS p
    LEFT ANY JOIN regions AS r ON r.region = p.region
)
SETTINGS join_use_nulls = 0;

-- At least this demand for this percent of the time: of n blocks the ceil(percent * n / 100)-th
-- from the top. Blocks without usage count as 0 from a region's first block to its last complete
-- one. Over all minutes that are kept; for another stretch see docs/sql.md.
CREATE OR REPLACE VIEW load_duration AS
SELECT
    region,
    time_percent,
    -- Behind the last block with usage come those without: an index beyond an array gives 0.
    tokens_downwards[greatest(1, intDiv(time_percent * blocks + 99, 100))] AS tokens,
    tokens / 900                                         AS demand_tokens_per_second,
    blocks
FROM
(
    SELECT
        region,
        arrayReverseSort(groupArray(d.tokens))           AS tokens_downwards,
        toUInt64(intDiv(max(d.window_start) - min(d.window_start), 900) + 1) AS blocks
    FROM region_demand_15m AS d
    WHERE d.complete
    GROUP BY region
)
ARRAY JOIN range(toUInt8(101)) AS time_percent;

-- Weeks are ISO weeks, Monday to Sunday, UTC. From hours, which are kept for 400 days: a week is
-- complete when it has ended and all its hours are still kept.
CREATE OR REPLACE VIEW generation_mix AS
SELECT
    week_start,
    region,
    origin,
    author,
    tokens,
    tokens / nullIf(sum(toUInt128(tokens)) OVER (PARTITION BY week_start, region), 0) AS share,
    toDateTime(week_start + 7, 'UTC') <= now('UTC')
        AND toDateTime(week_start, 'UTC') >= now('UTC') - INTERVAL 400 DAY AS complete
FROM
(
    SELECT
        week_start,
        region,
        if(o.origin = '', 'unknown', o.origin)           AS origin,
        if(o.author = '', 'unknown', o.author)           AS author,
        sum(w.tokens)                                    AS tokens
    FROM
    (
        SELECT
            toMonday(s.window_start)                     AS week_start,
            region,
            provider,
            model,
            sum(s.input_tokens + s.output_tokens)        AS tokens
        FROM slices_hour AS s FINAL
        WHERE entry = 'usage'
        GROUP BY week_start, region, provider, model
    ) AS w
    -- ANY: whatever the catalogue says, tokens are counted once.
    LEFT ANY JOIN model_origins AS o ON o.provider = w.provider AND o.model = w.model
    GROUP BY week_start, region, origin, author
)
-- Whatever the reader's settings, what does not join is '' and not NULL.
SETTINGS do_not_merge_across_partitions_select_final = 1, join_use_nulls = 0;

-- Of equal origins the first by name has the better rank. A streak ends with a week that another
-- origin leads and with a week without usage. Growth compares complete weeks with complete weeks,
-- NULL where there is none. Streaks and growth need the weeks before, so a filter does not make
-- this view read less.
CREATE OR REPLACE VIEW token_league AS
SELECT
    week_start,
    origin,
    tokens,
    tokens / nullIf(week_tokens, 0)                      AS share,
    rank,
    if(leads, row_number() OVER (PARTITION BY origin, leads, streak ORDER BY week_number), 0)
                                                         AS leading_weeks,
    if(complete, tokens / nullIf(tokens_week_before, 0) - 1, NULL) AS growth_week_on_week,
    if(complete, tokens / nullIf(tokens_year_before, 0) - 1, NULL) AS growth_year_on_year,
    complete
FROM
(
    SELECT
        *,
        rank = 1 AND tokens > 0                          AS leads,
        -- The same for all weeks in a row: both numbers go up by one.
        week_number - toInt64(row_number() OVER (PARTITION BY origin, leads ORDER BY week_number))
                                                         AS streak,
        sumIf(tokens, complete) OVER
            (PARTITION BY origin ORDER BY week_number RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING)
                                                         AS tokens_week_before,
        sumIf(tokens, complete) OVER
            (PARTITION BY origin ORDER BY week_number RANGE BETWEEN 52 PRECEDING AND 52 PRECEDING)
                                                         AS tokens_year_before
    FROM
    (
        SELECT
            week_start,
            intDiv(toInt64(toUInt16(week_start)), 7)     AS week_number,
            origin,
            sum(m.tokens)                                AS tokens,
            any(m.complete)                              AS complete,
            row_number() OVER (PARTITION BY week_start ORDER BY tokens DESC, origin) AS rank,
            sum(toUInt128(tokens)) OVER (PARTITION BY week_start) AS week_tokens
        FROM generation_mix AS m
        GROUP BY week_start, origin
    )
);

-- How heavy a model's requests are, hour by hour.
CREATE OR REPLACE VIEW token_density AS
SELECT
    window_start,
    model,
    sum(s.requests)                                      AS requests,
    sum(s.input_tokens)                                  AS input_tokens,
    sum(s.output_tokens)                                 AS output_tokens,
    sum(s.cache_read_input_tokens)                       AS cache_read_input_tokens,
    (input_tokens + output_tokens) / nullIf(requests, 0) AS tokens_per_request,
    output_tokens / nullIf(input_tokens, 0)              AS output_per_input,
    cache_read_input_tokens / nullIf(input_tokens, 0)    AS cache_hit_share,
    window_start + INTERVAL 1 HOUR <= now('UTC')         AS complete
FROM slices_hour AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- An interval is missing when it has ended, nothing of the region was metered in it, and something
-- was before and after. Finding gaps needs all intervals, so no filter makes this view read less.
CREATE OR REPLACE VIEW data_quality AS
WITH interval_start != toUnixTimestamp(d.window_start) AS gap
SELECT
    toDateTime(interval_start, 'UTC')                    AS window_start,
    region,
    if(gap, 0, toUInt64(tokens - d.estimated_tokens))    AS measured_tokens,
    if(gap, 0, d.estimated_tokens)                       AS estimated_tokens,
    gap AND complete                                     AS missing,
    window_start + INTERVAL 15 MINUTE <= now('UTC')      AS complete
FROM
(
    SELECT
        window_start,
        region,
        tokens,
        estimated_tokens,
        leadInFrame(window_start, 1, window_start + INTERVAL 15 MINUTE) OVER
            (PARTITION BY region ORDER BY window_start ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)
                                                         AS next_start
    FROM region_demand_15m
) AS d
ARRAY JOIN
    range(toUnixTimestamp(d.window_start), toUnixTimestamp(next_start), 900) AS interval_start;
