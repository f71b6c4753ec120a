-- Records that are no valid usage event, or whose time the rules refuse. Rewriting one changes
-- nothing: its place on the log is its key.

CREATE TABLE IF NOT EXISTS dead_letters
(
    log         LowCardinality(String),
    partition   UInt32,
    offset      UInt64,
    topic       LowCardinality(String),
    reason      LowCardinality(String),
    error       String,
    payload     String COMMENT 'the record as it came, cut at 64 KiB',
    payload_bytes UInt64 COMMENT 'its length before the cut',
    append_time DateTime64(3, 'UTC'),
    written_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toStartOfMonth(append_time)
-- Found by place on the log, as the aggregator's log lines name it.
ORDER BY (log, partition, offset)
TTL toDateTime(append_time) + INTERVAL 400 DAY DELETE;
