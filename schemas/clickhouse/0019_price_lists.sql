-- Prices of published lists (`wattoken tariffs sync`) beside those written by hand. They are in the same
-- table: whatever finds prices by a tariff's id finds them too. Which tariff of a list a model has is
-- said by names and patterns, in the list's order, and not by globs and specificity; and a tariff that
-- is written by hand, with whatever glob, comes before each of them. docs/tariffs.md says how.

ALTER TABLE tariffs
    ADD COLUMN IF NOT EXISTS list LowCardinality(String) DEFAULT ''
        COMMENT 'the price list that it is from; empty if it is of tariffs.yaml. Of a list, listed_models says for whom it is';

-- For which models of which providers each tariff of a list is. Of a provider's rows that fit a name
-- that of the first list wins, in it the first. A tariff may be in no row of `tariffs`: its model is
-- known to have no price that could be taken over, and must not have another model's.
CREATE TABLE IF NOT EXISTS listed_models
(
    provider  String COMMENT 'in lower case',
    list_rank UInt32 COMMENT 'of the provider''s lists, from 0 on',
    place     UInt32 COMMENT 'in the list, from 0 on',
    list      LowCardinality(String),
    tariff_id String,
    name      String COMMENT 'the whole name, in lower case; empty where patterns tell',
    found     Array(String) COMMENT 'regular expressions: all are found in the name, in lower case',
    not_found Array(String) COMMENT 'regular expressions: none is found there'
)
ENGINE = MergeTree
ORDER BY (provider, name, list_rank, place);

-- Which packages the lists are from, and since when this version of each is known here.
CREATE TABLE IF NOT EXISTS price_list_sources
(
    source     String,
    version    String,
    license    String,
    first_seen Date
)
ENGINE = MergeTree
ORDER BY source;

-- The tariff of a list that each metered model has, if there is one. A name is looked for as it is, and
-- then with dashes in its date: gpt-5.2-20251211 is gpt-5.2-2025-12-11, as gateways write it.
CREATE OR REPLACE VIEW listed_series AS
WITH
    series AS (SELECT DISTINCT toString(provider) AS provider, toString(model) AS model FROM slices_register),
    spellings AS
    (
        SELECT
            provider,
            model,
            lowerUTF8(provider) AS listed_provider,
            lowerUTF8(model) AS as_it_is,
            replaceRegexpAll(as_it_is, '-(20\\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(-|:|$)', '-\\1-\\2-\\3\\4') AS dashed,
            spelling.1 AS attempt,
            spelling.2 AS spelled
        FROM series
        ARRAY JOIN if(dashed = as_it_is, [(0, as_it_is)], [(0, as_it_is), (1, dashed)]) AS spelling
    )
SELECT
    provider,
    model,
    argMin(tariff_id, (list_rank, attempt, place)) AS tariff_id
FROM
(
    SELECT s.provider AS provider, s.model AS model, s.attempt AS attempt, n.tariff_id AS tariff_id, n.list_rank AS list_rank, n.place AS place
    FROM spellings AS s
    INNER JOIN (SELECT * FROM listed_models WHERE name != '') AS n
        ON n.provider = s.listed_provider AND n.name = s.spelled
    UNION ALL
    SELECT s.provider AS provider, s.model AS model, s.attempt AS attempt, n.tariff_id AS tariff_id, n.list_rank AS list_rank, n.place AS place
    FROM spellings AS s
    INNER JOIN (SELECT * FROM listed_models WHERE name = '') AS n
        ON n.provider = s.listed_provider
    WHERE arrayAll(pattern -> match(s.spelled, pattern), n.found)
        AND NOT arrayExists(pattern -> match(s.spelled, pattern), n.not_found)
)
GROUP BY provider, model;

-- Which tariffs of tariffs.yaml fit which metered series, as `series_tariffs` of 0016.
CREATE OR REPLACE VIEW own_series_tariffs AS
WITH
    names AS (SELECT DISTINCT toString(model) AS name FROM slices_register),
    patterns AS (SELECT DISTINCT model AS pattern FROM tariffs WHERE list = ''),
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
        toUInt8(1),
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
    WHERE unit = '' AND list = ''
) AS t ON t.model = fitting.pattern
LEFT JOIN regions ON regions.region = s.region
-- Not IN (..., s.provider): ClickHouse 25.8 takes only constants in such a list.
WHERE (t.provider = '*' OR t.provider = s.provider) AND (t.region = '*' OR t.region = s.region)
-- Whatever the reader's settings, what does not join is '' and not NULL.
SETTINGS join_use_nulls = 0;

-- Which tariffs may price which metered series, in which periods, whenever they hold; the greatest
-- `specificity` wins: first one that is written by hand, and of these as in 0016.
CREATE OR REPLACE VIEW series_tariffs AS
SELECT region, provider, model, region_zone, tariff_id, valid_from, valid_to, calendar, tou_period, specificity
FROM own_series_tariffs
UNION ALL
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
    (toUInt8(0), toUInt8(0), toUInt64(0), toUInt8(0), toUInt8(0), t.valid_from, t.tariff_id) AS specificity
FROM (SELECT DISTINCT toString(region) AS region, toString(provider) AS provider, toString(model) AS model FROM slices_register) AS s
INNER JOIN listed_series AS chosen ON chosen.provider = s.provider AND chosen.model = s.model
INNER JOIN
(
    SELECT DISTINCT tariff_id, calendar, toString(tou_period) AS tou_period, valid_from, valid_to
    FROM tariffs
    WHERE list != ''
) AS t ON t.tariff_id = chosen.tariff_id
LEFT JOIN regions ON regions.region = s.region
SETTINGS join_use_nulls = 0;
