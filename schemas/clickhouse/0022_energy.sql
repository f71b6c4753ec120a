-- REAL electricity: kWh that tokens take, and gCO2e of it. (`energy` in `statements` is what tokens are
-- charged, by the likeness of tokens to electricity; here nothing is a likeness.) By the model of the
-- library EcoLogits, affine in output tokens and requests: so what an hour took follows exactly from
-- what the hour's slices hold. docs/energy.md has the formulas, and what they leave out.
--
-- All numbers are decimals: sums come to the same in whatever order, and by whatever is grouped.
-- What nobody rated is NULL and counted in `unrated_tokens`, never 0.

-- Of the catalogue: what a model takes. Other names are resolved: each has rows of its own.
CREATE TABLE IF NOT EXISTS energy_ratings
(
    provider    String COMMENT 'in lower case; * for any',
    model       String COMMENT 'in lower case',
    valid_from  DateTime('UTC'),
    valid_to    DateTime('UTC') COMMENT 'half-open: it does not hold at this moment any more',
    it_kwh_per_output_token_low  Decimal(76, 30) COMMENT 'at the computers, without the overhead of the site',
    it_kwh_per_output_token_high Decimal(76, 30),
    it_kwh_per_request_low       Decimal(76, 30),
    it_kwh_per_request_high      Decimal(76, 30),
    embodied_gco2e_per_output_token_low  Decimal(76, 30) COMMENT 'share of making the computers',
    embodied_gco2e_per_output_token_high Decimal(76, 30),
    embodied_gco2e_per_request_low       Decimal(76, 30),
    embodied_gco2e_per_request_high      Decimal(76, 30),
    notes       Array(String) COMMENT 'what was assumed about the model',
    source      String,
    source_date Date
)
ENGINE = MergeTree
-- Asked for by names.
ORDER BY (provider, model, valid_from);

-- What a provider's sites take besides: all electricity of a site ÷ that of its computers.
CREATE TABLE IF NOT EXISTS energy_sites
(
    provider    String COMMENT 'in lower case; * for any',
    region      String COMMENT '* for any',
    valid_from  DateTime('UTC'),
    valid_to    DateTime('UTC'),
    pue_low     Decimal(9, 4),
    pue_high    Decimal(9, 4),
    source      String,
    source_date Date
)
ENGINE = MergeTree
ORDER BY (provider, region, valid_from);

-- What a kWh emits: by the grid of a region (location), and by what a provider buys there (market).
CREATE TABLE IF NOT EXISTS energy_factors
(
    basis         Enum8('location' = 1, 'market' = 2),
    provider      String COMMENT 'in lower case; * for any, as in all of location',
    region        String COMMENT '* for any',
    grid          String COMMENT 'of location: the grid on which the region lies',
    valid_from    DateTime('UTC'),
    valid_to      DateTime('UTC'),
    gco2e_per_kwh Decimal(18, 6),
    data_year     UInt16 COMMENT 'the year that was counted',
    source        String,
    source_date   Date
)
ENGINE = MergeTree
ORDER BY (basis, provider, region, valid_from);

-- What may rate each metered series, in the order in which it is taken; a place of 1 or more tells a
-- version from what arrayFirst gives where none fits. No interface.
CREATE OR REPLACE VIEW energy_series AS
WITH
    series AS
    (
        SELECT DISTINCT
            toString(region) AS region,
            toString(provider) AS provider,
            toString(model) AS model,
            lowerUTF8(provider) AS rated_provider,
            lowerUTF8(model) AS rated_model
        FROM slices_register
    ),
    -- Of both, then of the provider anywhere, then of anybody in the region, then anywhere.
    places AS
    (
        SELECT region, provider, model, place, where_.1 AS by_provider, where_.2 AS by_region
        FROM series
        ARRAY JOIN
            [(rated_provider, region), (rated_provider, '*'), ('*', region), ('*', '*')] AS where_,
            [1, 2, 3, 4] AS place
    )
SELECT
    s.region AS region,
    s.provider AS provider,
    s.model AS model,
    r.ratings AS ratings,
    p.sites AS sites,
    l.locations AS locations,
    m.markets AS markets
FROM series AS s
LEFT ANY JOIN
(
    SELECT
        k.region AS region,
        k.provider AS provider,
        k.model AS model,
        arraySort(groupArray((
            k.place, e.valid_from, e.valid_to,
            e.it_kwh_per_output_token_low, e.it_kwh_per_output_token_high,
            e.it_kwh_per_request_low, e.it_kwh_per_request_high,
            e.embodied_gco2e_per_output_token_low, e.embodied_gco2e_per_output_token_high,
            e.embodied_gco2e_per_request_low, e.embodied_gco2e_per_request_high,
            e.source
        ))) AS ratings
    FROM
    (
        SELECT region, provider, model, rated_model, place, by_provider
        FROM series
        ARRAY JOIN [rated_provider, '*'] AS by_provider, [1, 2] AS place
    ) AS k
    INNER JOIN energy_ratings AS e ON e.provider = k.by_provider AND e.model = k.rated_model
    GROUP BY region, provider, model
) AS r ON r.region = s.region AND r.provider = s.provider AND r.model = s.model
LEFT ANY JOIN
(
    SELECT
        k.region AS region,
        k.provider AS provider,
        k.model AS model,
        arraySort(groupArray((k.place, e.valid_from, e.valid_to, e.pue_low, e.pue_high))) AS sites
    FROM places AS k
    INNER JOIN energy_sites AS e ON e.provider = k.by_provider AND e.region = k.by_region
    GROUP BY region, provider, model
) AS p ON p.region = s.region AND p.provider = s.provider AND p.model = s.model
LEFT ANY JOIN
(
    SELECT
        region,
        arraySort(groupArray((1, valid_from, valid_to, gco2e_per_kwh, grid))) AS locations
    FROM energy_factors
    WHERE basis = 'location'
    GROUP BY region
) AS l ON l.region = s.region
LEFT ANY JOIN
(
    SELECT
        k.region AS region,
        k.provider AS provider,
        k.model AS model,
        arraySort(groupArray((k.place, e.valid_from, e.valid_to, e.gco2e_per_kwh))) AS markets
    FROM places AS k
    INNER JOIN energy_factors AS e ON e.provider = k.by_provider AND e.region = k.by_region
    WHERE e.basis = 'market'
    GROUP BY region, provider, model
) AS m ON m.region = s.region AND m.provider = s.provider AND m.model = s.model
SETTINGS join_use_nulls = 0;

-- Plain usage, as in the utility view: with debits and credits nothing was delivered. A row may come in
-- several parts, as in `usage_hour_parts`: ask it for sums. What holds when its hour begins, holds for it.
CREATE OR REPLACE VIEW energy_parts AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    requests,
    tokens,
    output_tokens,
    if(isNull(kwh_low), tokens, 0) AS unrated_tokens,
    if(isNull(location_gco2e_low), tokens, 0) AS location_unrated_tokens,
    if(isNull(market_gco2e_low), tokens, 0) AS market_unrated_tokens,
    if(rating.1 = 0, NULL, whole_tokens * rating.4 + whole_requests * rating.6) AS it_kwh_low,
    if(rating.1 = 0, NULL, whole_tokens * rating.5 + whole_requests * rating.7) AS it_kwh_high,
    if(site.1 = 0, NULL, it_kwh_low * site.4) AS kwh_low,
    (kwh_low + kwh_high) * toDecimal256('0.5', 1) AS kwh_mean,
    if(site.1 = 0, NULL, it_kwh_high * site.5) AS kwh_high,
    if(location.1 = 0, NULL, kwh_low * location.4) AS location_gco2e_low,
    (location_gco2e_low + location_gco2e_high) * toDecimal256('0.5', 1) AS location_gco2e_mean,
    if(location.1 = 0, NULL, kwh_high * location.4) AS location_gco2e_high,
    if(market.1 = 0, NULL, kwh_low * market.4) AS market_gco2e_low,
    (market_gco2e_low + market_gco2e_high) * toDecimal256('0.5', 1) AS market_gco2e_mean,
    if(market.1 = 0, NULL, kwh_high * market.4) AS market_gco2e_high,
    if(rating.1 = 0, NULL, whole_tokens * rating.8 + whole_requests * rating.10) AS embodied_gco2e_low,
    (embodied_gco2e_low + embodied_gco2e_high) * toDecimal256('0.5', 1) AS embodied_gco2e_mean,
    if(rating.1 = 0, NULL, whole_tokens * rating.9 + whole_requests * rating.11) AS embodied_gco2e_high,
    rating.12 AS rating_source,
    location.5 AS grid
FROM
(
    SELECT
        u.window_start AS window_start,
        u.tenant AS tenant,
        u.region AS region,
        u.provider AS provider,
        u.model AS model,
        u.requests AS requests,
        u.input_tokens + u.output_tokens AS tokens,
        u.output_tokens AS output_tokens,
        toDecimal256(u.output_tokens, 0) AS whole_tokens,
        toDecimal256(u.requests, 0) AS whole_requests,
        arrayFirst(v -> v.2 <= u.window_start AND u.window_start < v.3, c.ratings) AS rating,
        arrayFirst(v -> v.2 <= u.window_start AND u.window_start < v.3, c.sites) AS site,
        arrayFirst(v -> v.2 <= u.window_start AND u.window_start < v.3, c.locations) AS location,
        arrayFirst(v -> v.2 <= u.window_start AND u.window_start < v.3, c.markets) AS market
    FROM
    (
        SELECT
            window_start,
            tenant,
            region,
            provider,
            model,
            toUInt128(s.requests) AS requests,
            toUInt128(s.input_tokens) AS input_tokens,
            toUInt128(s.output_tokens) AS output_tokens
        FROM slices_hour AS s FINAL
        WHERE entry = 'usage' AND NOT startsWith(tenant, 'wattoken-canary')
        SETTINGS do_not_merge_across_partitions_select_final = 1
    ) AS u
    LEFT ANY JOIN energy_series AS c
        ON c.region = u.region AND c.provider = u.provider AND c.model = u.model
)
SETTINGS join_use_nulls = 0;

-- The same, one row for an hour, tenant, region, provider and model.
CREATE OR REPLACE VIEW energy AS
SELECT
    window_start,
    tenant,
    region,
    provider,
    model,
    sum(e.requests) AS requests,
    sum(e.tokens) AS tokens,
    sum(e.output_tokens) AS output_tokens,
    sum(e.unrated_tokens) AS unrated_tokens,
    sum(e.location_unrated_tokens) AS location_unrated_tokens,
    sum(e.market_unrated_tokens) AS market_unrated_tokens,
    sum(e.it_kwh_low) AS it_kwh_low,
    sum(e.it_kwh_high) AS it_kwh_high,
    sum(e.kwh_low) AS kwh_low,
    sum(e.kwh_mean) AS kwh_mean,
    sum(e.kwh_high) AS kwh_high,
    sum(e.location_gco2e_low) AS location_gco2e_low,
    sum(e.location_gco2e_mean) AS location_gco2e_mean,
    sum(e.location_gco2e_high) AS location_gco2e_high,
    sum(e.market_gco2e_low) AS market_gco2e_low,
    sum(e.market_gco2e_mean) AS market_gco2e_mean,
    sum(e.market_gco2e_high) AS market_gco2e_high,
    sum(e.embodied_gco2e_low) AS embodied_gco2e_low,
    sum(e.embodied_gco2e_mean) AS embodied_gco2e_mean,
    sum(e.embodied_gco2e_high) AS embodied_gco2e_high,
    any(e.rating_source) AS rating_source,
    any(e.grid) AS grid
FROM energy_parts AS e
GROUP BY window_start, tenant, region, provider, model
SETTINGS max_bytes_before_external_group_by = 536870912;
