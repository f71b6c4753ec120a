-- Sums that cannot wrap. A slice is UInt64, a total of slices need not fit one: two rows of 10^19
-- were read as 1.55 x 10^18, without a word. From here on every view of 0004, 0006 and 0007 widens
-- what it adds up to UInt128 before it adds, and its columns of tokens and requests are UInt128.
-- docs/adr/0016 says why all of them.
--
-- These are the views of those files with wider types and nothing else changed; what they mean is
-- said there. All are made anew, those too whose text is the same: a view keeps the types that it
-- was made with, so one that stands upon a widened view would narrow it again. Hence their order.

CREATE OR REPLACE VIEW registers AS
SELECT
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
FROM slices_register AS s FINAL
GROUP BY region, provider, model;

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
SETTINGS do_not_merge_across_partitions_select_final = 1;

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
SETTINGS do_not_merge_across_partitions_select_final = 1;

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
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW region_demand_15m AS
SELECT
    toStartOfFifteenMinutes(s.window_start)              AS window_start,
    region,
    sum(toUInt128(s.requests))                           AS requests,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens,
    sum(toUInt128(s.estimated_tokens))                   AS estimated_tokens,
    tokens / 900                                         AS demand_tokens_per_second,
    window_start + INTERVAL 15 MINUTE <= now('UTC')      AS complete
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, region
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW sliding_demand AS
SELECT
    toStartOfMinute(now('UTC')) - INTERVAL 15 MINUTE     AS window_start,
    toStartOfMinute(now('UTC'))                          AS window_end,
    region,
    provider,
    model,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens,
    tokens / 900                                         AS demand_tokens_per_second
FROM slices_minute AS s FINAL
WHERE entry = 'usage'
    AND s.window_start >= toStartOfMinute(now('UTC')) - INTERVAL 15 MINUTE
    AND s.window_start < toStartOfMinute(now('UTC'))
GROUP BY region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

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
        block.1                                          AS window_start,
        block.2                                          AS region,
        block.3                                          AS tokens,
        coincident_peak,
        coincident_start
    FROM
    (
        SELECT
            period_start,
            max(w.system_tokens)                         AS coincident_peak,
            argMin(w.window_start, (-toInt256(w.system_tokens), w.window_start)) AS coincident_start,
            groupArrayArray(w.blocks)                    AS blocks
        FROM
        (
            SELECT
                toStartOfMonth(d.window_start)           AS period_start,
                d.window_start                           AS window_start,
                sum(d.tokens)                            AS system_tokens,
                groupArray((d.window_start, d.region, d.tokens)) AS blocks
            FROM region_demand_15m AS d
            GROUP BY period_start, window_start
        ) AS w
        GROUP BY period_start
    )
    ARRAY JOIN blocks AS block
) AS b
GROUP BY period_start, region;

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
        toDateTime(addMonths(p.period_start, 1), 'UTC')  AS period_end,
        intDiv(
            least(period_end - 1, greatest(now('UTC'), p.last_window_start))
                - toDateTime(p.period_start, 'UTC'),
            900
        ) + 1                                            AS begun_blocks,
        -- A region that the catalogue does not know has no capacity, which is not capacity 0.
        if(r.region = '', NULL, r.capacity_tokens_per_second) AS capacity_tokens_per_second
    FROM
    (
        SELECT
            period_start,
            peaks_tokens,
            peak.1                                       AS region,
            peak.2                                       AS tokens,
            peak.3                                       AS peak_tokens,
            peak.4                                       AS peak_demand_tokens_per_second,
            peak.5                                       AS system_peak_tokens,
            peak.6                                       AS last_window_start,
            peak.7                                       AS complete
        FROM
        (
            SELECT
                period_start,
                sum(d.peak_tokens)                       AS peaks_tokens,
                groupArray((
                    d.region, d.tokens, d.peak_tokens, d.peak_demand_tokens_per_second,
                    d.system_peak_tokens, d.last_window_start, d.complete
                ))                                       AS peaks
            FROM peak_demand AS d
            GROUP BY period_start
        )
        ARRAY JOIN peaks AS peak
    ) AS p
    LEFT ANY JOIN regions AS r ON r.region = p.region
)
SETTINGS join_use_nulls = 0;

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

CREATE OR REPLACE VIEW generation_mix AS
SELECT
    week_start,
    region,
    maker.1                                              AS origin,
    maker.2                                              AS author,
    maker.3                                              AS tokens,
    tokens / nullIf(region_tokens, 0)                    AS share,
    toDateTime(week_start + 7, 'UTC') <= now('UTC')
        AND toDateTime(week_start, 'UTC') >= now('UTC') - INTERVAL 400 DAY AS complete
FROM
(
    SELECT
        week_start,
        region,
        sum(m.tokens)                                    AS region_tokens,
        groupArray((origin, author, m.tokens))           AS makers
    FROM
    (
        SELECT
            week_start,
            region,
            if(o.origin = '', 'unknown', o.origin)       AS origin,
            if(o.author = '', 'unknown', o.author)       AS author,
            sum(w.tokens)                                AS tokens
        FROM
        (
            SELECT
                toMonday(s.window_start)                 AS week_start,
                region,
                provider,
                model,
                sum(toUInt128(s.input_tokens) + s.output_tokens) AS tokens
            FROM slices_hour AS s FINAL
            WHERE entry = 'usage'
            GROUP BY week_start, region, provider, model
        ) AS w
        -- ANY: whatever the catalogue says, tokens are counted once.
        LEFT ANY JOIN model_origins AS o ON o.provider = w.provider AND o.model = w.model
        GROUP BY week_start, region, origin, author
    ) AS m
    GROUP BY week_start, region
)
ARRAY JOIN makers AS maker
-- Whatever the reader's settings, what does not join is '' and not NULL.
SETTINGS do_not_merge_across_partitions_select_final = 1, join_use_nulls = 0;

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
            sum(tokens) OVER (PARTITION BY week_start) AS week_tokens
        FROM generation_mix AS m
        GROUP BY week_start, origin
    )
);

CREATE OR REPLACE VIEW token_density AS
SELECT
    window_start,
    model,
    sum(toUInt128(s.requests))                           AS requests,
    sum(toUInt128(s.input_tokens))                       AS input_tokens,
    sum(toUInt128(s.output_tokens))                      AS output_tokens,
    sum(toUInt128(s.cache_read_input_tokens))            AS cache_read_input_tokens,
    (input_tokens + output_tokens) / nullIf(requests, 0) AS tokens_per_request,
    output_tokens / nullIf(input_tokens, 0)              AS output_per_input,
    cache_read_input_tokens / nullIf(input_tokens, 0)    AS cache_hit_share,
    window_start + INTERVAL 1 HOUR <= now('UTC')         AS complete
FROM slices_hour AS s FINAL
WHERE entry = 'usage'
GROUP BY window_start, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW data_quality AS
WITH interval_start != toUnixTimestamp(d.window_start) AS gap
SELECT
    toDateTime(interval_start, 'UTC')                    AS window_start,
    region,
    if(gap, 0, toUInt128(tokens - d.estimated_tokens))   AS measured_tokens,
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

CREATE OR REPLACE VIEW usage_hour_entries AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    sum(toUInt128(s.requests))                  AS requests,
    sum(toUInt128(s.input_tokens))              AS input_tokens,
    sum(toUInt128(s.cache_read_input_tokens))   AS cache_read_input_tokens,
    sum(toUInt128(s.cache_write_input_tokens))  AS cache_write_input_tokens,
    sum(toUInt128(s.output_tokens))             AS output_tokens,
    sum(toUInt128(s.reasoning_output_tokens))   AS reasoning_output_tokens
FROM slices_hour AS s FINAL
GROUP BY window_start, tenant, region, provider, model, entry
SETTINGS do_not_merge_across_partitions_select_final = 1;

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
        ) AS u
        LEFT ANY JOIN tou_periods AS tou
            ON tou.calendar = u.calendar AND tou.tou_period = u.tou_period
            AND tou.weekday = toDayOfWeek(u.local_start) AND tou.hour = toHour(u.local_start)
    )
    GROUP BY window_start, tenant, region, provider, model, entry
)
ARRAY JOIN
    ['uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning'] AS token_class,
    [toUInt128(input - cache_read - cache_write), cache_read, cache_write, toUInt128(output - reasoning), reasoning] AS tokens,
    if(empty(best.3), [NULL, NULL, NULL, NULL, NULL], best.3) AS usd_per_million_tokens
WHERE tokens > 0
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW statements AS
SELECT
    period_start,
    tenant,
    CAST(l.line, 'Enum8(\'energy\' = 1, \'adjustment\' = 2, \'demand\' = 3, \'unpriced\' = 4, \'total\' = 5)') AS line,
    l.region AS region,
    l.provider AS provider,
    l.model AS model,
    l.entry AS entry,
    l.token_class AS token_class,
    l.tou_period AS tou_period,
    l.tariff_id AS tariff_id,
    l.tokens AS tokens,
    l.usd_per_million_tokens AS usd_per_million_tokens,
    l.peak_hour AS peak_hour,
    l.demand_tokens_per_second AS demand_tokens_per_second,
    l.usd_per_token_per_second AS usd_per_token_per_second,
    l.amount_usd AS amount_usd
FROM
(
    SELECT
        period_start,
        tenant,
        groupArray(
            (line, region, provider, model, entry, token_class, tou_period, tariff_id, tokens,
             usd_per_million_tokens, peak_hour, demand_tokens_per_second, usd_per_token_per_second,
             amount_usd)
            ::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15)))
        ) AS lines,
        (
            'total', '', '', '', '', '', '', '',
            toUInt128(sumIf(s.tokens, s.entry = 'usage')), NULL, NULL, NULL, NULL,
            ifNull(sum(s.amount_usd), toDecimal256(0, 15))
        )::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15))) AS total
    FROM
    (
        SELECT
            period_start,
            tenant,
            multiIf(tariff_id = 'unpriced', 'unpriced', entry = 'usage', 'energy', 'adjustment') AS line,
            region,
            provider,
            model,
            toString(entry) AS entry,
            token_class,
            tou_period,
            tariff_id,
            sum(c.tokens) AS tokens,
            usd_per_million_tokens,
            CAST(NULL, 'Nullable(DateTime(\'UTC\'))') AS peak_hour,
            CAST(NULL, 'Nullable(UInt128)') AS demand_tokens_per_second,
            CAST(NULL, 'Nullable(Decimal(18, 9))') AS usd_per_token_per_second,
            sum(toDecimal256(c.amount_usd, 15)) AS amount_usd
        FROM charges AS c
        GROUP BY period_start, tenant, region, provider, model, entry, token_class, tou_period, tariff_id, usd_per_million_tokens
        UNION ALL
        SELECT
            period_start,
            tenant,
            'demand',
            scope,
            '',
            '',
            '',
            '',
            '',
            d.demand_charge_id,
            highest,
            NULL,
            hour_of_highest,
            intDiv(highest, 3600) AS whole,
            d.usd_per_token_per_second,
            toDecimal256(whole, 0) * d.usd_per_token_per_second * toDecimal256('1.000000', 6)
        FROM
        (
            SELECT
                toStartOfMonth(window_start) AS period_start,
                tenant,
                scope,
                max(tokens) AS highest,
                argMax(window_start, (tokens, -toInt64(toUnixTimestamp(window_start)))) AS hour_of_highest
            FROM
            (
                SELECT window_start, tenant, scope, sum(input_tokens + output_tokens) AS tokens
                FROM usage_hour
                ARRAY JOIN arrayDistinct(['*', toString(region)]) AS scope
                GROUP BY window_start, tenant, scope
            )
            GROUP BY period_start, tenant, scope
            HAVING highest > 0
        ) AS demand
        INNER JOIN demand_charges AS d ON d.region = demand.scope
        WHERE d.valid_from <= toDateTime(period_start, 'UTC') AND toDateTime(period_start, 'UTC') < d.valid_to
    ) AS s
    GROUP BY period_start, tenant
)
ARRAY JOIN arrayPushBack(lines, total) AS l;
