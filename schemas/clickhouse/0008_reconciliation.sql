-- What every event left behind in each family of slices: all entries (usage, debit, credit) alike,
-- so the families can be held against each other and against the checkpoints. An adjustment adds
-- 1 to the requests of its own entry; the views of 0004 leave that out, these do not.
-- events = events metered; tokens = input + output of all of them.

CREATE OR REPLACE VIEW register_totals AS
SELECT
    sum(toUInt128(s.requests))                           AS events,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens
FROM slices_register AS s FINAL;

-- By day and without series: a filter on the day reads what the day holds.
CREATE OR REPLACE VIEW hour_totals AS
SELECT
    toDate(s.window_start)                               AS day,
    sum(toUInt128(s.requests))                           AS events,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens
FROM slices_hour AS s FINAL
GROUP BY day
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW minute_totals AS
SELECT
    toDate(s.window_start)                               AS day,
    sum(toUInt128(s.requests))                           AS events,
    sum(toUInt128(s.input_tokens) + s.output_tokens)     AS tokens
FROM slices_minute AS s FINAL
GROUP BY day
SETTINGS do_not_merge_across_partitions_select_final = 1;
