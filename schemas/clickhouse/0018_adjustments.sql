-- Debits and credits, each as the event that it was: what it adjusts, and why. The slices, and so
-- `charges`, have them as sums. Written with the slices and below the same checkpoint; rewriting one
-- changes nothing, for it is a pure function of its place on the log (which tenant and hour follow
-- from). docs/adr/0032-adjustments-are-kept.md says why so.

CREATE TABLE IF NOT EXISTS adjustments
(
    log           LowCardinality(String),
    partition     UInt32,
    offset        UInt64,
    topic         LowCardinality(String),
    tenant        String,
    window_start  DateTime('UTC') COMMENT 'the hour that it counts for',
    event_time    DateTime64(6, 'UTC'),
    append_time   DateTime64(3, 'UTC'),
    entry         Enum8('debit' = 1, 'credit' = 2),
    source        String,
    id            String,
    adjusts       String COMMENT 'the id of the event that it corrects',
    reason        String,
    region        LowCardinality(String) COMMENT 'as it is metered: other beyond the limit on series',
    provider      LowCardinality(String),
    model         LowCardinality(String),
    service_tier  LowCardinality(String),
    context_band  UInt32,
    input_tokens                  UInt64,
    cache_read_input_tokens       UInt64,
    cache_write_input_tokens      UInt64,
    output_tokens                 UInt64,
    reasoning_output_tokens       UInt64,
    cache_write_5m_input_tokens   UInt64,
    cache_write_1h_input_tokens   UInt64,
    audio_input_tokens            UInt64,
    image_input_tokens            UInt64,
    cache_read_audio_input_tokens UInt64,
    cache_read_image_input_tokens UInt64,
    audio_output_tokens           UInt64,
    image_output_tokens           UInt64,
    units         Map(LowCardinality(String), UInt64) COMMENT 'what it adds beside tokens',
    written_at    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toStartOfMonth(window_start)
-- As the hours: bills read one tenant over a month.
ORDER BY (tenant, window_start, log, partition, offset)
TTL window_start + INTERVAL 400 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
