-- The catalogue: models, regions, prices, time-of-use calendars, demand charges. `wattoken migrate`
-- fills these tables from schemas/catalogue and replaces each whole, in one step (EXCHANGE), so a
-- plain SELECT is exactly the current catalogue: no FINAL, no version column. `*` stands for any.
-- They are small and read whole; ORDER BY is the order in which people read them.

CREATE TABLE IF NOT EXISTS models
(
    pattern  String COMMENT 'glob over the model name, case-insensitive; the highest priority wins',
    priority UInt32,
    author   String,
    origin   String COMMENT 'country of the maker, ISO 3166 alpha-2',
    license  String,
    provider String COMMENT 'who serves it where an event does not say; empty if unknown'
)
ENGINE = MergeTree
ORDER BY (priority, pattern);

CREATE TABLE IF NOT EXISTS regions
(
    region    String,
    country   String,
    time_zone String COMMENT 'IANA name; time-of-use calendars may follow it',
    capacity_tokens_per_second UInt64
)
ENGINE = MergeTree
ORDER BY region;

-- One row per tariff, period, token class and span of time.
CREATE TABLE IF NOT EXISTS tariffs
(
    tariff_id   String,
    provider    String,
    model       String COMMENT 'glob over the model name, case-insensitive',
    region      String,
    token_class LowCardinality(String) COMMENT 'uncached_input, cache_read, cache_write, output or reasoning',
    calendar    String COMMENT 'time-of-use calendar; empty if the price holds at all hours',
    tou_period  LowCardinality(String) COMMENT 'period of the calendar, or flat',
    valid_from  DateTime('UTC'),
    valid_to    DateTime('UTC') COMMENT 'half-open; 2106-02-07 if it has no end',
    usd_per_million_tokens Decimal(18, 9),
    billed_as   LowCardinality(String) COMMENT 'the class whose price it is, such as output for reasoning',
    source      String,
    source_date Date
)
ENGINE = MergeTree
ORDER BY (model, provider, region, token_class, valid_from, tou_period, tariff_id);

-- Which period of a calendar an hour of the week is in.
CREATE TABLE IF NOT EXISTS tou_periods
(
    calendar   String,
    time_zone  String COMMENT 'IANA name, or region: the zone of the region that served the tokens',
    tou_period LowCardinality(String),
    weekday    UInt8 COMMENT 'in that zone; 1 is Monday',
    hour       UInt8 COMMENT 'in that zone; an hour of usage is priced by its start'
)
ENGINE = MergeTree
ORDER BY (calendar, weekday, hour, tou_period);

CREATE TABLE IF NOT EXISTS demand_charges
(
    demand_charge_id String,
    region      String COMMENT 'where demand is measured; * is all regions together',
    valid_from  DateTime('UTC'),
    valid_to    DateTime('UTC') COMMENT 'half-open; 2106-02-07 if it has no end',
    usd_per_token_per_second Decimal(18, 9),
    source      String,
    source_date Date
)
ENGINE = MergeTree
ORDER BY (region, valid_from, demand_charge_id);

-- Local time as the sum of UTC and an offset, for the zones that calendars and regions name. Time
-- functions of ClickHouse take a zone per query, not per row; and prices must not depend on which
-- time zone database the server was built with.
CREATE TABLE IF NOT EXISTS zone_offsets
(
    time_zone      String,
    valid_from     DateTime('UTC') COMMENT 'holds until the next row of the zone',
    offset_seconds Int32 COMMENT 'local time - UTC'
)
ENGINE = MergeTree
ORDER BY (time_zone, valid_from);

-- Whose model it is, for each provider and model ever metered; 'unknown' if no pattern fits.
-- It reads the slices without FINAL: versions of a row differ in numbers, never in names.
CREATE OR REPLACE VIEW model_origins AS
WITH names AS
(
    SELECT
        name,
        argMax((m.author, m.origin, m.license), (m.priority, lengthUTF8(replaceAll(m.pattern, '*', '')), lowerUTF8(m.pattern))) AS maker
    FROM (SELECT DISTINCT toString(model) AS name FROM slices_register) AS n
    CROSS JOIN models AS m
    WHERE lowerUTF8(name) LIKE replaceAll(replaceRegexpAll(lowerUTF8(m.pattern), '([%_\\\\])', '\\\\\\1'), '*', '%')
    GROUP BY name
)
SELECT
    s.provider AS provider,
    s.model    AS model,
    if(names.name = '', 'unknown', names.maker.1) AS author,
    if(names.name = '', 'unknown', names.maker.2) AS origin,
    if(names.name = '', 'unknown', names.maker.3) AS license
FROM (SELECT DISTINCT provider, toString(model) AS model FROM slices_register) AS s
LEFT JOIN names ON names.name = s.model;
