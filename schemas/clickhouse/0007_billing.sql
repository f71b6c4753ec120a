-- Bills: what each hour of usage costs, and what a tenant owes for a month. docs/tariffs.md says how
-- a price is chosen, docs/sql.md what the columns mean.
--
-- Nothing here is rounded. A price is Decimal(18, 9) USD per million tokens, at most 10^6 (1 USD a
-- token); tokens are UInt64. Their product fits Decimal(38, 9), and multiplying by 0.000001 only
-- adds 6 decimals to its scale: Decimal(38, 15). Sums are Decimal(76, 15), which no number of such
-- rows overflows.

-- The hours by entry, so that a debit or credit is priced by its own token classes. `usage_hour`
-- has adjustments as one sum.
CREATE OR REPLACE VIEW usage_hour_entries AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    sum(s.requests)                 AS requests,
    sum(s.input_tokens)             AS input_tokens,
    sum(s.cache_read_input_tokens)  AS cache_read_input_tokens,
    sum(s.cache_write_input_tokens) AS cache_write_input_tokens,
    sum(s.output_tokens)            AS output_tokens,
    sum(s.reasoning_output_tokens)  AS reasoning_output_tokens
FROM slices_hour AS s FINAL
GROUP BY window_start, tenant, region, provider, model, entry
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Which tariff rows fit which metered series, whenever they hold; the greatest `specificity` wins:
-- a model by its whole name, then the longer glob; then a named provider, then a named region, then
-- the later valid_from (an overlap, which `wattoken tariffs check` refuses), then the tariff's id.
-- Series come from the register's slices: few, never expired, and without FINAL, since versions of
-- a row differ in numbers only. Read from the hours, they would cost a scan of all tenants.
CREATE OR REPLACE VIEW series_tariffs AS
WITH fitting AS
(
    SELECT names.name AS name, patterns.pattern AS pattern
    FROM (SELECT DISTINCT toString(model) AS name FROM slices_register) AS names
    CROSS JOIN (SELECT DISTINCT model AS pattern FROM tariffs) AS patterns
    WHERE lowerUTF8(name) LIKE replaceAll(replaceRegexpAll(lowerUTF8(pattern), '([%_\\\\])', '\\\\\\1'), '*', '%')
)
SELECT
    s.region AS region,
    s.provider AS provider,
    s.model AS model,
    t.tariff_id AS tariff_id,
    t.calendar AS calendar,
    if(calendars.time_zone = 'region', regions.time_zone, calendars.time_zone) AS time_zone,
    t.tou_period AS tou_period,
    t.valid_from AS valid_from,
    t.valid_to AS valid_to,
    t.prices AS prices,
    (
        position(t.model, '*') = 0,
        lengthUTF8(replaceAll(t.model, '*', '')),
        t.provider != '*',
        t.region != '*',
        t.valid_from,
        t.tariff_id
    ) AS specificity
FROM (SELECT DISTINCT toString(region) AS region, toString(provider) AS provider, toString(model) AS model FROM slices_register) AS s
INNER JOIN fitting ON fitting.name = s.model
INNER JOIN
(
    SELECT
        tariff_id, provider, model, region, calendar, tou_period, valid_from, valid_to,
        arrayMap(
            class -> if(has(groupArray(token_class), class), groupArray(usd_per_million_tokens)[indexOf(groupArray(token_class), class)], NULL),
            ['uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning']
        ) AS prices
    FROM tariffs
    GROUP BY tariff_id, provider, model, region, calendar, tou_period, valid_from, valid_to
) AS t ON t.model = fitting.pattern
LEFT JOIN (SELECT DISTINCT calendar, time_zone FROM tou_periods) AS calendars ON calendars.calendar = t.calendar
LEFT JOIN regions ON regions.region = s.region
-- Not IN (..., s.provider): ClickHouse 25.8 takes only constants in such a list.
WHERE (t.provider = '*' OR t.provider = s.provider) AND (t.region = '*' OR t.region = s.region)
-- Whatever the reader's settings, what does not join is '' and not NULL.
SETTINGS join_use_nulls = 0;

-- One row per hour, series, entry and token class: every token of `usage_hour` in exactly one, so
-- nothing is priced twice. Inside out: usage with each tariff of its series that holds at the hour's
-- start; the offset of that tariff's zone then, and so the local hour; whether the hour is in the
-- tariff's period; of those that fit the most specific; and last the token classes. An event's
-- subsets never exceed its totals (it would be refused), so no difference is below 0; toUInt64
-- takes back the sign that `-` gives. Where no price fits, price and amount are NULL, never 0.
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
    [toUInt64(input - cache_read - cache_write), cache_read, cache_write, toUInt64(output - reasoning), reasoning] AS tokens,
    if(empty(best.3), [NULL, NULL, NULL, NULL, NULL], best.3) AS usd_per_million_tokens
WHERE tokens > 0
SETTINGS join_use_nulls = 0;

-- What holds now, for each metered series, at any hour of the week.
CREATE OR REPLACE VIEW current_prices AS
SELECT region, provider, model, token_class, tou_period, tariff_id, usd_per_million_tokens
FROM
(
    SELECT *, max(specificity) OVER (PARTITION BY region, provider, model) AS greatest_specificity
    FROM series_tariffs
    WHERE valid_from <= now() AND now() < valid_to
)
ARRAY JOIN
    ['uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning'] AS token_class,
    prices AS usd_per_million_tokens
WHERE specificity = greatest_specificity;

-- Lines of a month's bill. `energy`, `adjustment` and `unpriced` are sums of `charges`, and `total`
-- is the sum of the lines, to the last digit. Demand is known by hour, as tenants' usage is:
-- the tokens of the highest hour / 3600, rounded down to whole tokens/s, which is what is billed.
-- Of demand charges those count that hold when the month begins.
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
            ::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt64, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt64), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15)))
        ) AS lines,
        (
            'total', '', '', '', '', '', '', '',
            toUInt64(sumIf(s.tokens, s.entry = 'usage')), NULL, NULL, NULL, NULL,
            ifNull(sum(s.amount_usd), toDecimal256(0, 15))
        )::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt64, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt64), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15))) AS total
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
            CAST(NULL, 'Nullable(UInt64)') AS demand_tokens_per_second,
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
