-- Payloads of dead letters are small and go after a month: they are somebody's data, and whoever sends
-- rubbish must not fill the disk. What was refused, why, and how long it was stays as before.

ALTER TABLE dead_letters
    MODIFY COLUMN payload String
        COMMENT 'the record as it came, cut at 8 KiB; empty after 30 days, and beyond 64 MiB a partition and day'
        TTL toDateTime(append_time) + INTERVAL 30 DAY;
