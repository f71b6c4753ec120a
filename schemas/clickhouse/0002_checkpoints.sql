-- The checkpoint of a log partition: every event with an offset below `next_offset` is in the
-- slices. It is written after its rows and is the truth that a worker recovers from; Kafka's
-- committed offset only feeds lag tools.

CREATE TABLE IF NOT EXISTS checkpoints
(
    log          LowCardinality(String),
    partition    UInt32,
    topic        LowCardinality(String),
    next_offset  UInt64,
    start_offset UInt64 COMMENT 'the log start when the partition was first metered',
    received     UInt64 COMMENT 'records read: accepted + duplicate + the sum of rejected',
    accepted     UInt64,
    duplicate    UInt64,
    late         UInt64 COMMENT 'accepted, but appended more than late_after_ms after its time',
    rejected     Map(LowCardinality(String), UInt64) COMMENT 'by reason',
    newest_event DateTime64(3, 'UTC') COMMENT 'the newest event time of a valid event: the watermark',
    last_append  DateTime64(3, 'UTC') COMMENT 'append time of the last record read',
    written_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
-- A zombie that writes an older checkpoint loses to the newer one.
ENGINE = ReplacingMergeTree(next_offset)
-- One row a log partition; read whole or by log.
ORDER BY (log, partition);

-- What decides whether an event counts belongs to the log, not to a worker. From `from_offset` on
-- (until the next row of that partition) these rules apply, for every worker alike.
CREATE TABLE IF NOT EXISTS metering_rules
(
    log              LowCardinality(String),
    partition        UInt32,
    from_offset      UInt64,
    too_old_ms       UInt64 COMMENT 'append time - event time above this is rejected',
    too_new_ms       UInt64 COMMENT 'event time - append time above this is rejected',
    late_after_ms    UInt64 COMMENT 'append time - event time above this counts as late',
    dedup_horizon_ms UInt64 COMMENT 'a resend within this time (append time) is a duplicate',
    minute_retention_ms UInt64,
    hour_retention_ms   UInt64,
    written_at       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
-- No version column: a row for one offset is written once; `migrate` run twice writes the same.
ENGINE = ReplacingMergeTree
ORDER BY (log, partition, from_offset);
