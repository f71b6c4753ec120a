-- A log that is followed by another, and where it ended: one row for each of its partitions. The
-- meter goes over to the successor `log` when the checkpoints of the predecessor have reached these
-- ends, and takes the ids of the predecessor's last dedup horizon along, so that an event and its
-- resend on either side count once. `wattoken succeed` writes them, all of one succession together.

CREATE TABLE IF NOT EXISTS successions
(
    log                    LowCardinality(String) COMMENT 'the successor',
    topic                  LowCardinality(String) COMMENT 'its topic',
    partitions             UInt32 COMMENT 'how many it has',
    predecessor            LowCardinality(String) COMMENT 'the log that ended',
    predecessor_topic      LowCardinality(String),
    predecessor_partitions UInt32,
    predecessor_partition  UInt32,
    start_offset           UInt64 COMMENT 'the first offset to be metered',
    end_offset             UInt64 COMMENT 'the first offset not to be metered any more',
    written_at             DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
-- What is said of an end again is the same; were it not, the later end would hold.
ENGINE = ReplacingMergeTree(end_offset)
-- A partition ends once, so whatever follows it stands under it. Few rows, read whole.
ORDER BY (predecessor, predecessor_partition)
-- On disk before it is answered, as all that decides what counts (0009).
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
