-- What the canary (`wattoken canary`) sends is metered like all else, and used by nobody: it is on no bill,
-- and in no demand, mix or league. Hours have its tenant, which an API key decides; minutes have no
-- tenant, and there its region, which has the same name, tells: ingest takes it from no other tenant.
-- What the slices hold stays whole in `registers`, `usage_…` and the totals that are reconciled.
-- docs/canary.md says what is left out where. Nothing else is changed: those of 0011, 0017 and 0020.

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
WHERE entry = 'usage' AND NOT startsWith(region, 'wattoken-canary')
GROUP BY window_start, region, provider, model
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    max_bytes_before_external_group_by = 536870912;

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
WHERE entry = 'usage' AND NOT startsWith(region, 'wattoken-canary')
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
WHERE entry = 'usage' AND NOT startsWith(region, 'wattoken-canary')
    AND s.window_start >= toStartOfMinute(now('UTC')) - INTERVAL 15 MINUTE
    AND s.window_start < toStartOfMinute(now('UTC'))
GROUP BY region, provider, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- The minutes in which a region was used, each once for every slice of it: for who asks for the newest or
-- the oldest. Without FINAL, which takes longer than the answer: versions of a row differ in numbers.
CREATE OR REPLACE VIEW region_minutes AS
SELECT window_start, region
FROM slices_minute
WHERE entry = 'usage' AND NOT startsWith(region, 'wattoken-canary');

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
            WHERE entry = 'usage' AND NOT startsWith(tenant, 'wattoken-canary')
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
WHERE entry = 'usage' AND NOT startsWith(tenant, 'wattoken-canary')
GROUP BY window_start, model
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW charges AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'hour' AND NOT startsWith(tenant, 'wattoken-canary');

CREATE OR REPLACE VIEW charge_parts AS
SELECT * EXCEPT (grain)
FROM priced_usage
WHERE grain = 'slice' AND NOT startsWith(tenant, 'wattoken-canary');

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
                    WHERE entry = 'usage' AND NOT startsWith(tenant, 'wattoken-canary')
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
            WHERE NOT startsWith(tenant, 'wattoken-canary')
        ) AS s
        GROUP BY period_start, tenant, currency
    )
    GROUP BY period_start, tenant
)
ARRAY JOIN arrayConcat(all_lines, totals) AS l;
