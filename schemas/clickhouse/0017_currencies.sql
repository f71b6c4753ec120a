-- Prices in any currency. A tariff's version names one, and what it prices has its amounts in it:
-- `price` and `amount` are in `currency`, wherever they stand. What is named after USD is in USD, and
-- NULL where the currency is another: no sum of such a column adds two currencies, nor takes CNY for
-- USD. Nothing is converted here. `wattoken statement` converts, by `exchange_rates`.
-- docs/adr/0031-currencies.md says why so.

ALTER TABLE tariffs
    ADD COLUMN IF NOT EXISTS currency LowCardinality(String) DEFAULT 'USD'
        COMMENT 'of the price, ISO 4217' AFTER above_input_tokens,
    -- A release that knows no currencies writes rows without it; their prices are in USD.
    ADD COLUMN IF NOT EXISTS price Nullable(Decimal(18, 9))
        DEFAULT ifNull(usd_per_million_tokens, usd_per_thousand_units)
        COMMENT 'of a million tokens, or of a thousand of the unit' AFTER currency,
    MODIFY COLUMN usd_per_million_tokens Nullable(Decimal(18, 9))
        COMMENT 'the price in USD; NULL in another currency, and in a price of units',
    MODIFY COLUMN usd_per_thousand_units Nullable(Decimal(18, 9))
        COMMENT 'the price in USD; NULL in another currency, and in a price of tokens';

-- Of the catalogue's rates.yaml: what a unit of one currency is worth in another.
CREATE TABLE IF NOT EXISTS exchange_rates
(
    from_currency LowCardinality(String),
    to_currency   LowCardinality(String),
    day           Date COMMENT 'holds on it, and after it until the next row, but no longer than max_age_days',
    rate          Decimal(38, 12),
    source        String,
    source_date   Date,
    max_age_days  UInt16 COMMENT 'of the whole file'
)
ENGINE = MergeTree
ORDER BY (from_currency, to_currency, day);

-- Those of 0016 with the currency, and the price in it.
CREATE OR REPLACE VIEW tariff_prices AS
WITH CAST(
    mapFromArrays(groupArray(token_class), groupArray(price)),
    'Map(String, Nullable(Decimal(18, 9)))'
) AS p
SELECT
    tariff_id,
    valid_from,
    tou_period,
    service_tier,
    above_input_tokens,
    '' AS unit,
    any(currency) AS price_currency,
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
        toString(currency) AS currency,
        price
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
    toString(currency) AS price_currency,
    [price] AS prices
FROM tariffs
WHERE unit != '';

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
    if(unit = '' AND currency = 'USD', price, NULL) AS usd_per_million_tokens,
    if(currency = 'USD', amount, NULL) AS amount_usd,
    service_tier,
    context_band,
    unit,
    quantity,
    if(unit != '' AND currency = 'USD', price, NULL) AS usd_per_thousand_units,
    if(isNull(price), '', price_currency) AS currency,
    price,
    toDecimal128(quantity, 0) * price
        * if(unit = '', toDecimal128('0.000001', 6), toDecimal128('0.001', 6))
        * if(entry = 'credit', -1, 1) AS amount
FROM
(
    SELECT w.*, p.prices AS prices, p.price_currency AS price_currency
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

CREATE OR REPLACE VIEW charges AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'hour';

CREATE OR REPLACE VIEW charge_parts AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'slice';

CREATE OR REPLACE VIEW current_prices AS
SELECT
    s.region AS region,
    s.provider AS provider,
    s.model AS model,
    toString(t.token_class) AS token_class,
    s.tou_period AS tou_period,
    s.tariff_id AS tariff_id,
    t.usd_per_million_tokens AS usd_per_million_tokens,
    toString(t.billed_as) AS billed_as,
    toString(t.currency) AS currency,
    t.price AS price
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


-- Lines of a month's bill, each in the currency of its price: that of 0016 with it, and with a row of
-- the kind total for each currency. Tokens that no price fits are counted in the first of these (of
-- USD, if there is one). Whoever was metered has a total, be it of 0.
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
    if(l.unit = '' AND l.currency = 'USD', l.price, NULL) AS usd_per_million_tokens,
    l.peak_hour AS peak_hour,
    l.demand_tokens_per_second AS demand_tokens_per_second,
    l.usd_per_token_per_second AS usd_per_token_per_second,
    if(l.currency = 'USD', l.amount, NULL) AS amount_usd,
    l.service_tier AS service_tier,
    l.context_band AS context_band,
    l.unit AS unit,
    l.quantity AS quantity,
    if(l.unit != '' AND l.currency = 'USD', l.price, NULL) AS usd_per_thousand_units,
    l.currency AS currency,
    l.price AS price,
    l.amount AS amount
FROM
(
    SELECT
        period_start,
        tenant,
        groupArrayArray(lines) AS all_lines,
        sumIf(used_tokens, currency = '') AS unpriced_tokens,
        arraySort(s -> (s.1 != 'USD', s.1), groupArrayIf((currency, used_tokens, summed), currency != '')) AS sums,
        if(empty(sums), [('USD', toUInt128(0), toDecimal256(0, 15))], sums) AS all_sums,
        arrayMap(
            (s, place) -> (
                'total', '', '', '', '', '', '', '',
                toUInt128(s.2 + if(place = 1, unpriced_tokens, 0)), NULL, NULL, NULL, NULL,
                '', 0, '', toUInt128(s.2 + if(place = 1, unpriced_tokens, 0)), s.1, s.3
            )::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, price Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), service_tier String, context_band UInt32, unit String, quantity UInt128, currency String, amount Nullable(Decimal(76, 15))),
            all_sums,
            arrayEnumerate(all_sums)
        ) AS totals
    FROM
    (
        SELECT
            period_start,
            tenant,
            currency,
            groupArrayIf(
                (line, region, provider, model, entry, token_class, tou_period, tariff_id, tokens,
                 price, peak_hour, demand_tokens_per_second, usd_per_token_per_second,
                 service_tier, context_band, unit, quantity, currency, s.amount)
                ::Tuple(line String, region String, provider String, model String, entry String, token_class String, tou_period String, tariff_id String, tokens UInt128, price Nullable(Decimal(18, 9)), peak_hour Nullable(DateTime('UTC')), demand_tokens_per_second Nullable(UInt128), usd_per_token_per_second Nullable(Decimal(18, 9)), service_tier String, context_band UInt32, unit String, quantity UInt128, currency String, amount Nullable(Decimal(76, 15))),
                line != 'metered'
            ) AS lines,
            toUInt128(sumIf(s.tokens, s.entry = 'usage')) AS used_tokens,
            ifNull(sum(s.amount), toDecimal256(0, 15)) AS summed
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
                price,
                CAST(NULL, 'Nullable(DateTime(\'UTC\'))') AS peak_hour,
                CAST(NULL, 'Nullable(UInt128)') AS demand_tokens_per_second,
                CAST(NULL, 'Nullable(Decimal(18, 9))') AS usd_per_token_per_second,
                toString(service_tier) AS service_tier,
                context_band,
                toString(unit) AS unit,
                sum(c.quantity) AS quantity,
                toString(currency) AS currency,
                sum(toDecimal256(c.amount, 15)) AS amount
            FROM charge_parts AS c
            GROUP BY
                period_start, tenant, region, provider, model, entry, token_class, tou_period, tariff_id,
                price, service_tier, context_band, unit, currency
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
                '',
                0,
                '',
                highest,
                'USD',
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
            UNION ALL
            SELECT DISTINCT
                toStartOfMonth(window_start) AS period_start,
                tenant,
                'metered', '', '', '', '', '', '', '', 0, NULL, NULL, NULL, NULL, '', 0, '', 0, '', NULL
            FROM slices_hour
        ) AS s
        GROUP BY period_start, tenant, currency
    )
    GROUP BY period_start, tenant
)
ARRAY JOIN arrayConcat(all_lines, totals) AS l;
