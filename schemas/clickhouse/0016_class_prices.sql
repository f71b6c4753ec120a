-- Prices by class: what a token costs also depends on the service tier, on how long the request's input
-- was, and on the token's kind; and searches, images, seconds and the like have prices of their own.
-- docs/tariffs.md says how a price is chosen, docs/sql.md what the columns mean.
--
-- `charges` of before put each hour beside every price of its series and then grouped them all again.
-- Here a price is found by joins of which each gives one row, and tokens are spread over their classes
-- last: over 2 M slices of one month, all tenants, for half the time and 0.7 GB where it took 1.7 GB,
-- and sums of them for 0.1 GB (`charge_parts`).
--
-- Nothing here is rounded. A price is Decimal(18, 9), at most 10^6 USD per million tokens or per
-- thousand units; a quantity of one slice is UInt64. Their product fits Decimal(38, 9), and
-- multiplying by 0.000001, or 0.001, only adds 6 decimals to its scale: Decimal(38, 15).

ALTER TABLE tariffs
    MODIFY COLUMN token_class LowCardinality(String)
        COMMENT 'see docs/tariffs.md; empty in a price of units',
    ADD COLUMN IF NOT EXISTS service_tier LowCardinality(String) DEFAULT 'standard'
        COMMENT 'for requests that were served in this tier' AFTER token_class,
    ADD COLUMN IF NOT EXISTS above_input_tokens UInt32
        COMMENT 'for requests with more input tokens than this, up to the next row of the tier' AFTER service_tier,
    ADD COLUMN IF NOT EXISTS unit LowCardinality(String)
        COMMENT 'what is billed beside tokens, such as web_searches; empty in a price of tokens' AFTER above_input_tokens,
    MODIFY COLUMN usd_per_million_tokens Nullable(Decimal(18, 9)) COMMENT 'NULL in a price of units',
    ADD COLUMN IF NOT EXISTS usd_per_thousand_units Nullable(Decimal(18, 9))
        COMMENT 'NULL in a price of tokens' AFTER usd_per_million_tokens;

-- Which tariffs fit which metered series, in which periods, whenever they hold; the greatest
-- `specificity` wins: a model by its whole name, then the longer glob; then a named provider, then a
-- named region, then the later valid_from (an overlap, which `wattoken tariffs check` refuses), then
-- the tariff's id. Series come from the register's slices: few, never expired, and without FINAL,
-- since versions of a row differ in numbers only. Whole names are joined: only globs must be tried on
-- every name.
CREATE OR REPLACE VIEW series_tariffs AS
WITH
    names AS (SELECT DISTINCT toString(model) AS name FROM slices_register),
    patterns AS (SELECT DISTINCT model AS pattern FROM tariffs),
    fitting AS
    (
        SELECT names.name AS name, patterns.pattern AS pattern
        FROM names
        INNER JOIN patterns ON lowerUTF8(patterns.pattern) = lowerUTF8(names.name)
        WHERE position(patterns.pattern, '*') = 0
        UNION ALL
        SELECT names.name AS name, globs.pattern AS pattern
        FROM names
        CROSS JOIN (SELECT pattern FROM patterns WHERE position(pattern, '*') > 0) AS globs
        WHERE lowerUTF8(name) LIKE replaceAll(replaceRegexpAll(lowerUTF8(pattern), '([%_\\\\])', '\\\\\\1'), '*', '%')
    )
SELECT
    s.region AS region,
    s.provider AS provider,
    s.model AS model,
    regions.time_zone AS region_zone,
    t.tariff_id AS tariff_id,
    t.valid_from AS valid_from,
    t.valid_to AS valid_to,
    t.calendar AS calendar,
    t.tou_period AS tou_period,
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
    SELECT DISTINCT tariff_id, provider, model, region, calendar, toString(tou_period) AS tou_period, valid_from, valid_to
    FROM tariffs
    WHERE unit = ''
) AS t ON t.model = fitting.pattern
LEFT JOIN regions ON regions.region = s.region
-- Not IN (..., s.provider): ClickHouse 25.8 takes only constants in such a list.
WHERE (t.provider = '*' OR t.provider = s.provider) AND (t.region = '*' OR t.region = s.region)
-- Whatever the reader's settings, what does not join is '' and not NULL.
SETTINGS join_use_nulls = 0;

-- What may price a series from a moment on, until its next row: `choices`, the most specific first,
-- each for one period of its calendar. Behind one that has no calendar none is looked at. `clock` is
-- by which of `calendar_hours` to tell the period: the region's zone, or 'none' where no choice goes
-- by a calendar, which is in no row there.
CREATE OR REPLACE VIEW series_choices AS
SELECT
    region,
    provider,
    model,
    since,
    arrayFilter(c -> c.valid_from <= since AND since < c.valid_to, candidates) AS holding,
    indexOf(arrayMap(c -> c.calendar, holding), '') AS first_flat,
    arraySlice(holding, 1, if(first_flat = 0, length(holding), first_flat)) AS choices,
    if(choices[1].calendar = '', 'none', region_zone) AS clock
FROM
(
    SELECT
        region,
        provider,
        model,
        region_zone,
        arrayMap(
            c -> (c.2, c.3, c.4, c.5, c.6)::Tuple(tariff_id String, valid_from DateTime('UTC'), valid_to DateTime('UTC'), calendar String, tou_period String),
            arrayReverseSort(groupArray((specificity, tariff_id, valid_from, valid_to, calendar, tou_period)))
        ) AS candidates
    FROM series_tariffs
    GROUP BY region, provider, model, region_zone
)
ARRAY JOIN arrayDistinct(arrayConcat(arrayMap(c -> c.valid_from, candidates), arrayMap(c -> c.valid_to, candidates))) AS since;

-- Which period each calendar is in, for each hour that may be kept and each zone of a region; '' is
-- the zone of regions that the catalogue does not know, by which only calendars with a zone of their
-- own can tell. A condition on window_start reaches the list of hours.
CREATE OR REPLACE VIEW calendar_hours AS
SELECT clock, window_start, arraySort(groupArray((calendar, tou_period))) AS periods
FROM
(
    SELECT
        l.clock AS clock,
        l.window_start AS window_start,
        l.calendar AS calendar,
        tou.tou_period AS tou_period
    FROM
    (
        SELECT c.*, if(d.weekday = 0, toDayOfWeek(c.local_start), d.weekday) AS weekday
        FROM
        (
            SELECT
                h.clock,
                h.window_start,
                h.calendar,
                h.window_start + toIntervalSecond(z.offset_seconds) AS local_start
            FROM
            (
                SELECT
                    clock,
                    window_start,
                    calendar,
                    if(calendars.time_zone = 'region', clock, calendars.time_zone) AS time_zone
                FROM
                (
                    SELECT toDateTime(arrayJoin(range(toUInt32(min(first)), toUInt32(max(last)) + 1, 3600)), 'UTC') AS window_start
                    FROM
                    (
                        SELECT min(window_start) AS first, max(window_start) AS last FROM slices_hour HAVING count() > 0
                        UNION ALL
                        SELECT min(window_start) AS first, max(window_start) AS last FROM slices_unit HAVING count() > 0
                    )
                ) AS hours
                CROSS JOIN (SELECT DISTINCT calendar, time_zone FROM tou_periods) AS calendars
                CROSS JOIN (SELECT '' AS clock UNION DISTINCT SELECT time_zone FROM regions) AS clocks
            ) AS h
            ASOF INNER JOIN zone_offsets AS z
                ON z.time_zone = h.time_zone AND h.window_start >= z.valid_from
        ) AS c
        -- Of kinds that the calendar has hours for: the two tables are replaced one after the other,
        -- and a release that knows no holidays writes only the hours.
        LEFT ANY JOIN
        (
            SELECT calendar, day, weekday
            FROM calendar_days
            WHERE (calendar, weekday) IN (SELECT calendar, weekday FROM tou_periods)
        ) AS d
            ON d.calendar = c.calendar AND d.day = toDate(c.local_start)
    ) AS l
    INNER JOIN (SELECT calendar, toString(tou_period) AS tou_period, weekday, hour FROM tou_periods) AS tou
        ON tou.calendar = l.calendar AND tou.weekday = l.weekday AND tou.hour = toHour(l.local_start)
)
GROUP BY clock, window_start
SETTINGS join_use_nulls = 0;

-- The prices of a tariff's version as one array a row: of the token classes in the order of
-- `usage_quantities`, or of one unit. Of a class that has no row, as a release that does not know it
-- left the table, the price is that of the class that tariffs bill it as if they do not name it. The
-- map's values are Nullable: of others a key that is not there would have the price 0.
CREATE OR REPLACE VIEW tariff_prices AS
WITH CAST(
    mapFromArrays(groupArray(token_class), groupArray(usd_per_million_tokens)),
    'Map(String, Nullable(Decimal(18, 9)))'
) AS p
SELECT
    tariff_id,
    valid_from,
    tou_period,
    service_tier,
    above_input_tokens,
    '' AS unit,
    [
        p['uncached_input'],
        p['cache_read'],
        p['cache_write'],
        ifNull(p['cache_write_5m'], p['cache_write']),
        ifNull(p['cache_write_1h'], p['cache_write']),
        ifNull(p['audio_input'], p['uncached_input']),
        ifNull(p['image_input'], p['uncached_input']),
        ifNull(p['cache_read_audio'], p['cache_read']),
        ifNull(p['cache_read_image'], p['cache_read']),
        p['output'],
        p['reasoning'],
        ifNull(p['audio_output'], p['output']),
        ifNull(p['image_output'], p['output'])
    ] AS prices
FROM
(
    SELECT
        tariff_id,
        valid_from,
        toString(tou_period) AS tou_period,
        toString(service_tier) AS service_tier,
        above_input_tokens,
        toString(token_class) AS token_class,
        usd_per_million_tokens
    FROM tariffs
    WHERE unit = ''
)
GROUP BY tariff_id, valid_from, tou_period, service_tier, above_input_tokens
UNION ALL
SELECT
    tariff_id,
    valid_from,
    toString(tou_period) AS tou_period,
    toString(service_tier) AS service_tier,
    above_input_tokens,
    toString(unit) AS unit,
    [usd_per_thousand_units] AS prices
FROM tariffs
WHERE unit != '';

-- What is billed, as arrays: of the hours (grain 'hour'), and once more of the slices that they are
-- the sums of ('slice'), which are not grouped and so cost next to no memory. Read one grain only.
-- An event's parts never exceed their totals (it would be refused), so no difference is below 0, and
-- toUInt128 and toUInt64 take back the sign that `-` gives.
CREATE OR REPLACE VIEW usage_quantities AS
SELECT
    'hour' AS grain,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    service_tier,
    context_band,
    CAST('', 'LowCardinality(String)') AS unit,
    [
        toUInt128(input_tokens - cache_read_input_tokens - cache_write_input_tokens - audio_input_tokens - image_input_tokens + cache_read_audio_input_tokens + cache_read_image_input_tokens),
        toUInt128(cache_read_input_tokens - cache_read_audio_input_tokens - cache_read_image_input_tokens),
        toUInt128(cache_write_input_tokens - cache_write_5m_input_tokens - cache_write_1h_input_tokens),
        cache_write_5m_input_tokens,
        cache_write_1h_input_tokens,
        toUInt128(audio_input_tokens - cache_read_audio_input_tokens),
        toUInt128(image_input_tokens - cache_read_image_input_tokens),
        cache_read_audio_input_tokens,
        cache_read_image_input_tokens,
        toUInt128(output_tokens - reasoning_output_tokens - audio_output_tokens - image_output_tokens),
        reasoning_output_tokens,
        audio_output_tokens,
        image_output_tokens
    ] AS quantities
FROM usage_hour_entries
UNION ALL
SELECT
    'hour' AS grain,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    CAST('', 'LowCardinality(String)') AS service_tier,
    toUInt32(0) AS context_band,
    unit,
    [quantity] AS quantities
FROM usage_unit_hours
UNION ALL
SELECT
    'slice' AS grain,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    service_tier,
    context_band,
    CAST('', 'LowCardinality(String)') AS unit,
    [
        toUInt64(input_tokens - cache_read_input_tokens - cache_write_input_tokens - audio_input_tokens - image_input_tokens + cache_read_audio_input_tokens + cache_read_image_input_tokens),
        toUInt64(cache_read_input_tokens - cache_read_audio_input_tokens - cache_read_image_input_tokens),
        toUInt64(cache_write_input_tokens - cache_write_5m_input_tokens - cache_write_1h_input_tokens),
        cache_write_5m_input_tokens,
        cache_write_1h_input_tokens,
        toUInt64(audio_input_tokens - cache_read_audio_input_tokens),
        toUInt64(image_input_tokens - cache_read_image_input_tokens),
        cache_read_audio_input_tokens,
        cache_read_image_input_tokens,
        toUInt64(output_tokens - reasoning_output_tokens - audio_output_tokens - image_output_tokens),
        reasoning_output_tokens,
        audio_output_tokens,
        image_output_tokens
    ] AS quantities
FROM slices_hour FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
UNION ALL
SELECT
    'slice' AS grain,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    CAST('', 'LowCardinality(String)') AS service_tier,
    toUInt32(0) AS context_band,
    unit,
    [quantity] AS quantities
FROM slices_unit FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Each quantity with its price, of both grains. Inside out: usage with what may price its series then,
-- with the period that each calendar is in and so the first choice that fits, with the prices of that
-- tariff for the usage's tier and the greatest threshold that its band reaches, and last the token
-- classes. Each join gives one row. Where no price fits, or none for that tier, price and amount are
-- NULL, never 0.
CREATE OR REPLACE VIEW priced_usage AS
SELECT
    grain,
    toStartOfMonth(window_start) AS period_start,
    window_start,
    tenant,
    region,
    provider,
    model,
    entry,
    token_class,
    if(isNull(price), 'unpriced', chosen.tou_period) AS tou_period,
    if(isNull(price), 'unpriced', chosen.tariff_id) AS tariff_id,
    if(unit = '', quantity, 0) AS tokens,
    if(unit = '', price, NULL) AS usd_per_million_tokens,
    toDecimal128(quantity, 0) * price
        * if(unit = '', toDecimal128('0.000001', 6), toDecimal128('0.001', 6))
        * if(entry = 'credit', -1, 1) AS amount_usd,
    service_tier,
    context_band,
    unit,
    quantity,
    if(unit = '', NULL, price) AS usd_per_thousand_units,
    'USD' AS currency
FROM
(
    SELECT w.*, p.prices AS prices
    FROM
    (
        SELECT
            s.*,
            arrayFirst(c -> c.calendar = '' OR has(h.periods, (c.calendar, c.tou_period)), s.choices) AS chosen,
            chosen.tariff_id AS chosen_tariff,
            chosen.valid_from AS chosen_version,
            chosen.tou_period AS chosen_period,
            if(s.service_tier = '', 'standard', s.service_tier) AS billed_tier
        FROM
        (
            SELECT
                u.grain,
                u.window_start,
                u.tenant,
                u.region,
                u.provider,
                u.model,
                u.entry,
                u.service_tier,
                u.context_band,
                u.unit,
                u.quantities,
                c.choices,
                c.clock
            FROM usage_quantities AS u
            ASOF LEFT JOIN series_choices AS c
                ON c.region = u.region AND c.provider = u.provider AND c.model = u.model
                AND u.window_start >= c.since
        ) AS s
        LEFT ANY JOIN calendar_hours AS h
            ON h.clock = s.clock AND h.window_start = s.window_start
    ) AS w
    ASOF LEFT JOIN tariff_prices AS p
        ON p.tariff_id = w.chosen_tariff AND p.valid_from = w.chosen_version
        AND p.tou_period = w.chosen_period AND p.service_tier = w.billed_tier AND p.unit = w.unit
        AND w.context_band >= p.above_input_tokens
)
ARRAY JOIN
    if(
        unit = '',
        [
            'uncached_input', 'cache_read', 'cache_write', 'cache_write_5m', 'cache_write_1h',
            'audio_input', 'image_input', 'cache_read_audio', 'cache_read_image',
            'output', 'reasoning', 'audio_output', 'image_output'
        ],
        ['']
    ) AS token_class,
    quantities AS quantity,
    arrayResize(prices, length(quantities), NULL) AS price
WHERE quantity > 0
SETTINGS join_use_nulls = 0;

-- One row per hour, series, entry, class and token class or unit: every token of `usage_hour` in
-- exactly one, so nothing is priced twice. `tokens` is 0 in a row of a unit, so that no sum mixes them.
CREATE OR REPLACE VIEW charges AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'hour';

-- The same amounts and quantities for who adds them up anyway: a row of `charges` may come in several
-- parts, one of each slice of its hour.
CREATE OR REPLACE VIEW charge_parts AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'slice';

-- What holds now, for each metered series, at any hour of the week, in the standard tier for requests
-- with input of any length that has no price of its own.
CREATE OR REPLACE VIEW current_prices AS
SELECT
    s.region AS region,
    s.provider AS provider,
    s.model AS model,
    toString(t.token_class) AS token_class,
    s.tou_period AS tou_period,
    s.tariff_id AS tariff_id,
    t.usd_per_million_tokens AS usd_per_million_tokens,
    toString(t.billed_as) AS billed_as
FROM
(
    SELECT *, max(specificity) OVER (PARTITION BY region, provider, model) AS greatest_specificity
    FROM series_tariffs
    WHERE valid_from <= now() AND now() < valid_to
) AS s
INNER JOIN tariffs AS t
    ON t.tariff_id = s.tariff_id AND t.valid_from = s.valid_from AND t.tou_period = s.tou_period
WHERE s.specificity = s.greatest_specificity
    AND t.service_tier = 'standard' AND t.above_input_tokens = 0 AND t.unit = '';

-- Lines of a month's bill, as in 0011, told apart by class and with those of units; what they mean is
-- not changed. Sums of `charge_parts`, which are those of `charges`.
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
    l.amount_usd AS amount_usd,
    l.service_tier AS service_tier,
    l.context_band AS context_band,
    l.unit AS unit,
    l.quantity AS quantity,
    l.usd_per_thousand_units AS usd_per_thousand_units
FROM
(
    SELECT
        period_start,
        tenant,
        groupArray(
            (line, region, provider, model, entry, token_class, tou_period, tariff_id, tokens,
             usd_per_million_tokens, peak_hour, demand_tokens_per_second, usd_per_token_per_second,
             amount_usd, service_tier, context_band, unit, quantity, usd_per_thousand_units)
            ::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15)), service_tier String, context_band UInt32, unit String, quantity UInt128, usd_per_thousand_units Nullable(Decimal(18, 9)))
        ) AS lines,
        (
            'total', '', '', '', '', '', '', '',
            toUInt128(sumIf(s.tokens, s.entry = 'usage')), NULL, NULL, NULL, NULL,
            ifNull(sum(s.amount_usd), toDecimal256(0, 15)),
            '', 0, '', toUInt128(sumIf(s.tokens, s.entry = 'usage')), NULL
        )::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, usd_per_million_tokens Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), amount_usd Nullable(Decimal(76, 15)), service_tier String, context_band UInt32, unit String, quantity UInt128, usd_per_thousand_units Nullable(Decimal(18, 9))) AS total
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
            sum(toDecimal256(c.amount_usd, 15)) AS amount_usd,
            service_tier,
            context_band,
            unit,
            sum(c.quantity) AS quantity,
            usd_per_thousand_units
        FROM charge_parts AS c
        GROUP BY
            period_start, tenant, region, provider, model, entry, token_class, tou_period, tariff_id,
            usd_per_million_tokens, service_tier, context_band, unit, usd_per_thousand_units
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
            toDecimal256(whole, 0) * d.usd_per_token_per_second * toDecimal256('1.000000', 6),
            '',
            0,
            '',
            highest,
            NULL
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
                -- Plain usage, as in usage_hour, which would be grouped by series first.
                SELECT window_start, tenant, scope, sum(toUInt128(s.input_tokens) + s.output_tokens) AS tokens
                FROM slices_hour AS s FINAL
                ARRAY JOIN arrayDistinct(['*', toString(region)]) AS scope
                WHERE entry = 'usage'
                GROUP BY window_start, tenant, scope
                SETTINGS do_not_merge_across_partitions_select_final = 1
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
