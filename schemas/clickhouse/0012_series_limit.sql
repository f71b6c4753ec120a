-- How many series a partition meters by name. Whoever may send events may invent names, and each
-- would take a register for good: beyond these limits what comes counts for the series "other", and
-- nothing stops. Logs that have rules already keep the room that a worker had until now, so that no
-- row of theirs is ever decided in two ways; `migrate` gives new logs the smaller defaults.

ALTER TABLE metering_rules
    ADD COLUMN IF NOT EXISTS series_max UInt32 DEFAULT 262144
        COMMENT 'series with tokens that a partition meters by name' AFTER hour_retention_ms,
    ADD COLUMN IF NOT EXISTS unused_series_max UInt32 DEFAULT 262144
        COMMENT 'the same for series that nothing was used of' AFTER series_max;

-- Which series a partition admitted, and with which event. Slices may be ahead of the checkpoint, so
-- they cannot say who was admitted when: a worker that reads on from a checkpoint takes the rows
-- whose offset is below it.
CREATE TABLE IF NOT EXISTS admitted_series
(
    log        LowCardinality(String),
    partition  UInt32,
    topic      LowCardinality(String),
    entry      Enum8('usage' = 0, 'debit' = 1, 'credit' = 2),
    region     LowCardinality(String),
    provider   LowCardinality(String),
    model      LowCardinality(String),
    used       Bool COMMENT 'by an event with tokens; else by one without',
    offset     UInt64 COMMENT 'of that event; 0: before there was a limit',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
-- A function of the log: whoever writes a row again writes the same.
ENGINE = ReplacingMergeTree
-- Read by partition, when a worker takes one over.
ORDER BY (log, partition, entry, region, provider, model, used)
-- On disk before it is answered, as all that decides what counts (0009).
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
