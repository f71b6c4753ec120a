-- Copies of the runs of ids that workers have on disk, so that whoever takes a partition over need not
-- read the log for as long as ids matter (docs/adr/0046-copies-of-runs.md). A run is a function of the
-- log and never changes; its file is here in pieces, whole where all of them are. Copies are only ever
-- added. They go by themselves, a day of them at a time, when what they are of matters no more; where
-- they are missing, the log is read.
CREATE TABLE IF NOT EXISTS seen_runs
(
    log          LowCardinality(String),
    partition    UInt32,
    begin_offset Int64 COMMENT 'the run is of the ids seen from here on; below 0 those of the logs before',
    end_offset   Int64 COMMENT 'and below this',
    token        UInt64 COMMENT 'a number that no other file has',
    piece        UInt32 COMMENT 'which piece of the file this is, from 0 on',
    pieces       UInt32 COMMENT 'how many there are',
    begin_ms     Int64 COMMENT 'log time where it begins',
    end_ms       Int64 COMMENT 'and where the next begins',
    first_ms     Int64 COMMENT 'log time of its first sighting',
    last_ms      Int64 COMMENT 'and of its last',
    ids          UInt64,
    file_bytes   UInt64 COMMENT 'the size of the whole file',
    seal         UInt64 COMMENT 'XXH3 of the piece, seeded with token and number',
    -- Hashes and filters: nothing makes them smaller.
    data         String CODEC(NONE),
    keep_seconds UInt32 COMMENT 'how long it may matter after it was copied',
    copied_at    DateTime('UTC') DEFAULT now('UTC')
)
-- A piece that was inserted twice is the same twice.
ENGINE = MergeTree
PARTITION BY toDate(copied_at)
-- Listed by partition, read run by run.
ORDER BY (log, partition, end_offset, begin_offset, token, piece)
TTL copied_at + toIntervalSecond(keep_seconds) DELETE
-- Rows are up to a MiB: few at a time, and nothing that is merged over and over.
SETTINGS ttl_only_drop_parts = 1, merge_max_block_size = 64,
    max_bytes_to_merge_at_max_space_in_pool = 1073741824,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
