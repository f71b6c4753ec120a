-- Which Kafka batch ends at a checkpoint. A log that lost its end, by an unclean election or a disk
-- put back, and grew past the checkpoint again has another one there: a worker compares them before
-- it goes on (docs/runbook.md, 'Checkpoint ahead of the log'). Older rows know of none.

ALTER TABLE checkpoints
    ADD COLUMN IF NOT EXISTS last_batch_offset Int64 DEFAULT -1
        COMMENT 'where the Kafka batch begins that ends at next_offset; -1 where that is not known'
        AFTER last_append;

ALTER TABLE checkpoints
    ADD COLUMN IF NOT EXISTS last_batch_crc UInt32 DEFAULT 0
        COMMENT 'its CRC-32C, as the batch itself bears it'
        AFTER last_batch_offset;
