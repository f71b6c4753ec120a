-- What a log begins with, and what a power cut may take.

-- Where each partition of a log began, written by `migrate` when it meets the log first. Without it
-- a partition that was never metered would begin wherever the log happens to begin by then, and what
-- retention deleted before would be missing in silence.
CREATE TABLE IF NOT EXISTS log_partitions
(
    log          LowCardinality(String),
    partition    UInt32,
    topic        LowCardinality(String),
    partitions   UInt32 COMMENT 'how many the topic had: keys are spread by it',
    start_offset UInt64 COMMENT 'the first offset to be metered',
    written_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
-- A row is written once; `migrate` run twice at once writes the same.
ENGINE = ReplacingMergeTree
ORDER BY (log, partition);

-- A checkpoint says that its rows are there. ClickHouse answers an insert once it is in the page
-- cache, so after a power cut a checkpoint could be there without its rows, which then count nowhere.
-- With these settings an insert is on disk before it is answered, so rows are there before their
-- checkpoint is; and a merged part is on disk before the parts that it replaces are deleted.
ALTER TABLE slices_register
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE slices_minute
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE slices_hour
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE dead_letters
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE checkpoints
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE metering_rules
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
ALTER TABLE log_partitions
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
