"""Bugs planted one at a time: for each some edits of functions' sources.

An edit names what it replaces, so it fails where that text is gone: a bug that cannot be planted
any more proves nothing. Which are found by schedules, and what holds the others, is said in
`tests.property.concurrent.found`.
"""

from __future__ import annotations

from services.aggregator import agent, app, flush, meter, recovery
from services.aggregator.arrays import sorted_ids
from services.aggregator.core import dedup, partition, run_copies, runs, slices, timing
from services.aggregator.handover import Handover
from services.aggregator.kafka import log_offsets, transport
from services.aggregator.storage import run_file, seen_place, seen_store
from tests.property.concurrent.planting import Bug, Edit

#: In the order in which they were found: the old ones, the 17 of the issue, its holes, and more.
PLANTED: dict[str, Bug] = {
    "checkpoint before rows": (
        Edit(
            flush.Flusher,
            "insert_rows",
            "await self",
            "await self.insert_checkpoints(snapshots)\n    await self",
        ),
    ),
    "skip rule off": (Edit(slices.FamilySlices, "missing", "if not self._ahead:", "if True:"),),
    "a version one too high": (
        Edit(
            slices.FamilySlices,
            "load",
            "ahead = versions > position",
            "ahead = versions > position; versions = versions + ahead",
        ),
    ),
    "look-up of old windows off": (
        Edit(
            slices.FamilySlices,
            "unknown",
            "if not len(old):",
            "if True:\n        return old[:0]\n    if True:",
        ),
    ),
    "dedup off": (
        Edit(
            dedup.SeenIds,
            "see_all",
            "if repeated is None:",
            "return np.zeros(len(ids), np.bool_)\n    if True:",
        ),
    ),
    "ids on disk ahead of the checkpoint": (
        Edit(
            seen_place.Place,
            "open",
            "self._delete_others()",
            "self.runs = tuple(run for path in sorted(self.path.glob('run_*'))"
            " if (run := self._opened(path)))\n        self._delete_others()",
        ),
        Edit(seen_place.Place, "last_seen", "if run.stretch.begin.offset < below:", "if True:"),
    ),
    "dedup starts open": (Edit(recovery, "beginning", "if start >= end:", "if True:"),),
    "snapshot without the lock": (
        Edit(
            meter.Meter,
            "flush",
            "async with self._batch_lock:\n            taken",
            "if True:\n            taken",
        ),
    ),
    "checkpoint although the rows were refused": (
        Edit(
            flush.Flusher,
            "insert_rows",
            "await self._sink.call(lambda sink: sink.write_rows(snapshots))",
            "import contextlib\n        with contextlib.suppress(Exception):\n"
            "            await self._sink.call(lambda sink: sink.write_rows(snapshots))",
        ),
    ),
    "a gap never read again": (Edit(agent, "meter_batches", "await app.seek_again()", "pass"),),
    "a dropped fetch is not read again": (
        Edit(transport.Consumer, "_fetch_dropped_again", "if not self._dropped:", "if True:"),
    ),
    "reading goes on during a recovery": (
        Edit(app.MeterApp, "recover_assigned", "self.consumer.stop_flow()", "pass"),
    ),
    "a gap taken for no gap": (
        Edit(meter.Meter, "consume", "if first_offset > state.next_offset:", "if False:"),
    ),
    "commit of what was read": (
        Edit(
            transport.Consumer,
            "_new_offset",
            "return self.checkpointed.get(tp)",
            "return self.positions().get(tp)",
        ),
    ),
    "a half-done batch keeps its state": (
        Edit(meter.Meter, "consume", "self._drop_same({partition: state})", "pass"),
    ),
    "eviction during a look-up": (
        Edit(
            meter.Meter,
            "flush",
            "async with self._batch_lock:\n            # Never",
            "if True:\n            # Never",
        ),
    ),
    "log time not taken up": (
        Edit(
            partition.PartitionState,
            "_from_checkpoint_on",
            "append_ms[fresh] = self.checkpoint.last_append_ms",
            "pass",
        ),
    ),
    "database-went-back check off": (
        Edit(flush, "check_not_back", "if stored.get(partition, 0) < offset:", "if False:"),
        Edit(
            meter.Meter,
            "_look_up_once",
            "check_not_back({state.partition: written}, stored)",
            "pass",
        ),
    ),
    "went-back check off in look-ups": (
        Edit(
            meter.Meter,
            "_look_up_once",
            "check_not_back({state.partition: written}, stored)",
            "pass",
        ),
    ),
    "hole 1: the older sighting is left behind": (
        Edit(
            dedup.SeenIds,
            "keep",
            "return self._older",
            "import dataclasses\n"
            "    last = self._recent.last_seen(self._recent.find(sightings.ids))"
            " == sightings.seen_ms\n"
            "    sightings = dataclasses.replace(sightings, ids=sightings.ids[last],"
            " seen_ms=sightings.seen_ms[last])\n"
            "    return self._older",
        ),
    ),
    "hole 3: an old answer against new memory": (
        Edit(
            meter.Meter,
            "_look_up_once",
            "{state.partition: written}",
            "{state.partition: state.written_offset}",
        ),
    ),
    "hole 4: the new state is dropped": (
        Edit(
            meter.Meter, "consume", "self._drop_same({partition: state})", "self.drop({partition})"
        ),
    ),
    "hole 5: abandoned recoveries are not closed": (
        Edit(Handover, "refuse", "close(waiting)", "pass"),
    ),
    "hole 5: cancelled recoveries are not closed": (
        Edit(Handover, "offer", "if self._refused:", "if False:"),
    ),
    "hole 11: ends are read before checkpoints": (
        Edit(recovery, "recover", "    ends = offsets.ends(partitions)\n    floor", "    floor"),
        Edit(
            recovery,
            "recover",
            "    rules, begins = sink.read_rules",
            "    ends = offsets.ends(partitions)\n    rules, begins = sink.read_rules",
        ),
    ),
    "hole 10: a disk that takes no ids ends the worker": (
        Edit(seen_store.SeenStore, "keep", "except StoreFault as", "except ZeroDivisionError as"),
    ),
    "hole 10: a disk that cannot be read ends the worker": (
        Edit(
            seen_store.SeenStore, "last_seen", "except RunFault as", "except ZeroDivisionError as"
        ),
    ),
    "the log is not looked at before a flush": (
        Edit(meter.Meter, "_write", "if self._check_log is not None:", "if False:"),
    ),
    "the log is looked at before the snapshot": (
        Edit(meter.Meter, "_write", "if self._check_log is not None:", "if False:"),
        Edit(
            meter.Meter,
            "flush",
            "async with self._flush_lock:",
            "async with self._flush_lock:\n        if self._check_log is not None:\n"
            '            await persist("look at the log", self._check_log, abandoned)',
        ),
    ),
    "hole 11: a raised horizon forgets": (
        Edit(timing.RuleBook, "keep_ms", "return max(", "return next("),
    ),
    "hole 11: a clock ahead makes a resend count": (
        Edit(timing, "duplicate_within_ms", "+ CLOCK_STEP_MAX_MS", ""),
    ),
    "hole 11: commits of another log": (
        Edit(log_offsets.LogOffsets, "committed", 'if commit.metadata in ("", self._log.name)', ""),
    ),
    "hole 6: begins wherever the log begins": (
        Edit(recovery, "recover", "begin = begins[partition]", "begin = starts[partition]"),
    ),
    "a snapshot is never flushed": (
        Edit(partition.PartitionState, "flushed", "self.checkpoint = snapshot.checkpoint", "pass"),
    ),
    "markers at the end are not passed over": (
        Edit(
            partition.PartitionState, "pass_over", "if next_offset > self.next_offset:", "if False:"
        ),
    ),
    "dead letters of a rebuilding are counted": (
        Edit(
            partition.PartitionState,
            "_count",
            "if letter.offset >= self.checkpoint.next_offset:",
            "if True:",
        ),
    ),
    "dirty slices are evicted": (Edit(slices.FamilySlices, "evict", "| self._dirty[:used]", ""),),
    "recovered from the commit": (
        Edit(
            recovery,
            "recover",
            "checkpoint = stored.get(partition, Checkpoint(begin, begin, last_append_ms=floor_ms))",
            "import dataclasses\n"
            "        checkpoint = stored.get("
            "partition, Checkpoint(begin, begin, last_append_ms=floor_ms))\n"
            "        checkpoint = dataclasses.replace(checkpoint,"
            " next_offset=max(checkpoint.next_offset, committed.get(partition, 0)))",
        ),
    ),
    "a run ends too far": (
        Edit(
            partition.PartitionState,
            "unwritten_ids",
            "self.seen.cut(self.next_offset,",
            "self.seen.cut(self.next_offset + 1,",
        ),
    ),
    "a run holds more than it says": (
        Edit(
            partition.PartitionState,
            "unwritten_ids",
            "self.seen.cut(self.next_offset, self._log_time.last_ms)",
            "pass",
        ),
    ),
    "a gap between runs is none": (
        Edit(
            runs,
            "joined",
            "return run.stretch.end.offset == following.stretch.begin.offset",
            "return True",
        ),
    ),
    "runs are used whatever came before them": (
        Edit(
            runs,
            "usable",
            "if run.stretch.begin.log_ms <= settled.past_ms or run.stretch.begin.offset <= start",
            "if True",
        ),
    ),
    "memory drops what no run has": (
        Edit(dedup.SeenIds, "make_room", "self.written.offset", "1 << 60"),
    ),
    "a run that was refused counts as written": (
        Edit(
            seen_place.Place,
            "keep",
            "times_ms = sightings.seen_ms if",
            "self.end = sightings.end\n    times_ms = sightings.seen_ms if",
        ),
    ),
    "an older run is believed before a newer": (
        Edit(seen_place.Place, "last_seen", "reversed(self.runs)", "self.runs"),
    ),
    "of merged runs the older counts": (
        Edit(
            sorted_ids,
            "latest",
            "older = np.append(alike & (low[1:] == low[:-1]), False)",
            "older = np.append(False, alike & (low[1:] == low[:-1]))",
        ),
    ),
    "the filter is not kept": (
        Edit(
            run_file.RunWriter,
            "add",
            "self._filter.add(ids.high, ids.low)",
            "pass",
        ),
    ),
    "a duplicate at the horizon": (
        Edit(
            dedup.SeenIds,
            "_see_distinct",
            "first_ms - seen_ms < within_ms",
            "first_ms - seen_ms <= within_ms",
        ),
    ),
    "a duplicate at the horizon in one batch": (
        Edit(dedup.SeenIds, "see_all", "log_ms[before] < within_ms", "log_ms[before] <= within_ms"),
    ),
    "ids are forgotten too early": (
        Edit(timing.RuleBook, "keep_ms", "return max(", "return -1 + max("),
    ),
    "no room again after a flush": (
        Edit(
            meter.Meter,
            "_open_room",
            "if not self._too_many_ids and not self.full.is_set():",
            "if False:",
        ),
    ),
    "states of lost partitions are kept": (
        Edit(meter.Meter, "recover", "self.drop(set(self.states) - set(partitions))", "pass"),
    ),
    "given away without closing": (Edit(meter.Meter, "drop", "state.seen.close()", "pass"),),
    "a failed flush keeps its states": (
        Edit(
            meter.Meter,
            "flush",
            "self._drop_same({number: state for number, (state, _) in taken.items()})",
            "pass",
        ),
    ),
    "duplicates do not count as seen": (
        Edit(
            dedup.SeenIds,
            "_see_distinct",
            "self._recent.see(ids, last_ms, found)",
            "first = (seen_ms < 0) | (first_ms - seen_ms >= within_ms)\n"
            "    self._recent.see(ids[first], last_ms[first], self._recent.find(ids[first]))",
        ),
    ),
    "records below the checkpoint are counted": (
        Edit(partition.PartitionState, "_sift_segment", "counts &= fresh", "pass"),
    ),
    "reads beyond the checkpoint after a recovery": (
        Edit(recovery, "beginning", "if 0 <= found < end:", "if 0 <= found:"),
    ),
    "a clock behind a record that is gone": (
        Edit(
            recovery,
            "beginning",
            "return Beginning(start, checkpoint.last_append_ms)",
            "return Beginning(end, lowest_ms)",
        ),
    ),
    "log time of a record that is gone": (
        Edit(
            recovery,
            "beginning",
            "return Beginning(start, checkpoint.last_append_ms)",
            "return Beginning(start, lowest_ms)",
        ),
    ),
    "copies beyond the checkpoint are used": (
        Edit(run_copies, "best", "if run.stretch.end.offset <= settled.offset", "if True"),
    ),
    "a missing copy is none that is waited for": (
        Edit(seen_place.Place, "_found", "copies is None or complete(found, settled)", "True"),
    ),
}
