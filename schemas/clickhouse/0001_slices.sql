-- Slices: one log partition's share of one window. A row holds ABSOLUTE totals over all accepted
-- events of its key with an offset below `version`; of two rows with one key the higher version
-- wins, so writing a row twice, late or out of order changes nothing. Never put anything on top
-- of these tables that sums on merge or on insert: it would count every version. Read the views.
--
-- The column `log` is cluster id + '/' + topic id: a topic made anew is another log.

CREATE TABLE IF NOT EXISTS slices_register
(
    region                   LowCardinality(String),
    provider                 LowCardinality(String),
    model                    LowCardinality(String),
    entry                    Enum8('usage' = 0, 'debit' = 1, 'credit' = 2),
    log                      LowCardinality(String),
    partition                UInt32,
    version                  UInt64,
    requests                 UInt64,
    failed_requests          UInt64,
    input_tokens             UInt64,
    cache_read_input_tokens  UInt64,
    cache_write_input_tokens UInt64,
    output_tokens            UInt64,
    reasoning_output_tokens  UInt64,
    estimated_tokens         UInt64
)
ENGINE = ReplacingMergeTree(version)
-- Readers group and filter by region, provider and model, in this order; the rest only makes the
-- key whole. Lifetime totals stay few (series x partitions), so there are no partitions.
ORDER BY (region, provider, model, entry, log, partition);

CREATE TABLE IF NOT EXISTS slices_minute
(
    window_start             DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    region                   LowCardinality(String),
    provider                 LowCardinality(String),
    model                    LowCardinality(String),
    entry                    Enum8('usage' = 0, 'debit' = 1, 'credit' = 2),
    log                      LowCardinality(String),
    partition                UInt32,
    version                  UInt64 CODEC(Delta, ZSTD(1)),
    requests                 UInt64 CODEC(T64, ZSTD(1)),
    failed_requests          UInt64 CODEC(T64, ZSTD(1)),
    input_tokens             UInt64 CODEC(T64, ZSTD(1)),
    cache_read_input_tokens  UInt64 CODEC(T64, ZSTD(1)),
    cache_write_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens            UInt64 CODEC(T64, ZSTD(1)),
    reasoning_output_tokens  UInt64 CODEC(T64, ZSTD(1)),
    estimated_tokens         UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
-- A week a partition: TTL drops whole parts, and all versions of a slice share its partition, so
-- FINAL never has to merge across partitions.
PARTITION BY toMonday(window_start)
-- Every question about minutes is a range of time first; the worker's recovery too.
ORDER BY (window_start, region, provider, model, entry, log, partition)
TTL window_start + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS slices_hour
(
    window_start             DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    region                   LowCardinality(String),
    provider                 LowCardinality(String),
    model                    LowCardinality(String),
    tenant                   String,
    entry                    Enum8('usage' = 0, 'debit' = 1, 'credit' = 2),
    log                      LowCardinality(String),
    partition                UInt32,
    version                  UInt64 CODEC(Delta, ZSTD(1)),
    requests                 UInt64 CODEC(T64, ZSTD(1)),
    failed_requests          UInt64 CODEC(T64, ZSTD(1)),
    input_tokens             UInt64 CODEC(T64, ZSTD(1)),
    cache_read_input_tokens  UInt64 CODEC(T64, ZSTD(1)),
    cache_write_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens            UInt64 CODEC(T64, ZSTD(1)),
    reasoning_output_tokens  UInt64 CODEC(T64, ZSTD(1)),
    estimated_tokens         UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toStartOfMonth(window_start)
-- Bills read one tenant over a month: the tenant comes first, and its hours lie together.
ORDER BY (tenant, window_start, region, provider, model, entry, log, partition)
TTL window_start + INTERVAL 400 DAY DELETE
SETTINGS ttl_only_drop_parts = 1;
