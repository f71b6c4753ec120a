-- Settlement runs (`wattoken settle`): a month's bills, frozen. docs/settlement.md says what a run is,
-- docs/adr/0042-settlement-runs.md why so.

-- Usage that was appended more than an hour after its month had ended, each as the event that it was:
-- the slices, which have it as sums, do not know which gateway sent it. A row is a function of its
-- place on the log, as in `adjustments`, and written with the slices and below the same checkpoint. So
-- what came between two offset vectors are the rows between them.
CREATE TABLE IF NOT EXISTS belated_events
(
    log           LowCardinality(String),
    partition     UInt32,
    offset        UInt64,
    topic         LowCardinality(String),
    tenant        String,
    window_start  DateTime('UTC') COMMENT 'the hour that it counts for',
    event_time    DateTime64(6, 'UTC'),
    append_time   DateTime64(3, 'UTC'),
    source        LowCardinality(String) COMMENT 'the gateway',
    id            String,
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

-- What was settled, a row a bill, byte for byte as it was given out. Nothing here is replaced, and
-- nothing expires. A bill holds once `settlement_runs` has a row of its attempt; without one it is
-- what a command left that was cut off.
CREATE TABLE IF NOT EXISTS settlement_bills
(
    period_start Date COMMENT 'first day of the month',
    run          LowCardinality(String) COMMENT 'SF, R1, R2, R3 or RF',
    tenant       String,
    attempt      String COMMENT 'the command that wrote it',
    place        UInt64 COMMENT 'of its statement in the Merkle log, from 0 on',
    leaf         String COMMENT 'the hash of that leaf, in hex',
    bill_sha256  String COMMENT 'of the bill, in hex',
    bill         String CODEC(ZSTD(3)),
    written_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (period_start, run, tenant)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- The runs, a row each, written last.
CREATE TABLE IF NOT EXISTS settlement_runs
(
    period_start Date,
    run          LowCardinality(String),
    attempt      String COMMENT 'whose bills are the run''s',
    first_place  UInt64 COMMENT 'in the Merkle log: that of its first statement',
    size         UInt64 COMMENT 'of the Merkle log behind its last one',
    root         String COMMENT 'of the Merkle log then, in hex',
    head         String COMMENT 'size and root as they were signed, canonical JSON',
    cut          String COMMENT 'the offset vector, canonical JSON',
    catalogue    String COMMENT 'SHA-256 of the prices, in hex',
    public_key   String COMMENT 'Ed25519, in hex',
    content      String COMMENT 'SHA-256 over the hashes of all its bills, in hex',
    settled_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (period_start, run)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
