"""Bugs that were made once or could be: a change of text, and the unit tests that must see it.

A text that is gone fails the test: a bug whose code has changed has to be planted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AGGREGATOR: Final = "services/aggregator"
UNIT: Final = "tests/unit/services/aggregator"


@dataclass(frozen=True, slots=True)
class Bug:
    """`new` put where `old` stands in `file`; one of `tests` (paths below `UNIT`) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def meter(name: str, old: str, new: str) -> Bug:
    tests = ("test_meter.py", "test_meter_ids.py", "test_meter_room.py")
    return Bug(name, f"{AGGREGATOR}/meter.py", old, new, tests)


def flush(name: str, old: str, new: str) -> Bug:
    return Bug(name, f"{AGGREGATOR}/flush.py", old, new, ("test_meter.py",))


def store(name: str, module: str, old: str, new: str, test: str) -> Bug:
    return Bug(name, f"{AGGREGATOR}/{module}.py", old, new, (test,))


def recovery(name: str, old: str, new: str) -> Bug:
    return Bug(name, f"{AGGREGATOR}/recovery.py", old, new, ("test_recovery.py",))


def core(name: str, module: str, old: str, new: str, *tests: str) -> Bug:
    file = f"{AGGREGATOR}/core/{module}.py"
    return Bug(name, file, old, new, tests or (f"core/test_{module}.py",))


BUGS: Final = (
    # Flush and snapshot.
    meter(
        "snapshot without the lock",
        "            async with self._batch_lock:\n                taken = self._snapshots()\n"
        "                unwritten = self._unwritten_ids()\n",
        "            taken = self._snapshots()\n            unwritten = self._unwritten_ids()\n",
    ),
    meter(
        "memory stays full forever when the ids on disk are lost",
        "        return self.ids_in_memory >= self._ids_max and not lost\n",
        "        return self.ids_in_memory >= self._ids_max\n",
    ),
    meter(
        "a half-done batch keeps its state",
        "                self._drop_same({partition: state})\n                raise\n",
        "                raise\n",
    ),
    meter(
        "an abandoned look-up drops the state that took over",
        "                self._drop_same({partition: state})\n",
        "                self.drop({partition})\n",
    ),
    meter(
        "a failed flush drops the state that took over",
        "self._drop_same({number: state for number, (state, _) in taken.items()})",
        "self.drop(set(taken))",
    ),
    meter(
        "a failed flush keeps its states",
        "self._drop_same({number: state for number, (state, _) in taken.items()})",
        "pass",
    ),
    meter(
        "commit of what was read",
        "self._acknowledge(partition, snapshot.checkpoint.next_offset)",
        "self._acknowledge(partition, state.next_offset)",
    ),
    meter(
        "a look-up is held against what was written when its answer came",
        "        written = state.written_offset\n"
        "        found, stored = await self._reader.call("
        "partial(look_up, family, state.partition, keys))\n",
        "        found, stored = await self._reader.call("
        "partial(look_up, family, state.partition, keys))\n"
        "        written = state.written_offset\n",
    ),
    meter(
        "look-up without a look at the checkpoint",
        "        check_not_back({state.partition: written}, stored)\n",
        "",
    ),
    meter(
        "a gap is metered over",
        "            if first_offset > state.next_offset:\n                return False\n",
        "",
    ),
    meter(
        "a gap is taken for a lost partition",
        "            if first_offset > state.next_offset:\n                return False\n",
        "            if first_offset > state.next_offset:\n                return True\n",
    ),
    meter(
        "markers at a batch's end do not move the position",
        "                state.pass_over(next_offset, batches)\n",
        "",
    ),
    meter(
        "what is read of a log is not held against what was read before",
        "            if not self._continues(partition, state, first_offset, batches):\n"
        "                return False\n",
        "",
    ),
    meter(
        "a log that is another below the checkpoint is read on from there",
        "            if error.offset > state.checkpoint.next_offset:\n                raise\n",
        "            raise\n",
    ),
    core(
        "a batch of a new leader is taken as it comes",
        "continuity",
        "fresh is None or fresh.leader_epoch == self._epoch",
        "True",
    ),
    core(
        "a batch that lies across the last one's end is not looked at",
        "continuity",
        "if one.next_offset > last.next_offset), None)",
        "if one.base_offset >= last.next_offset), None)",
    ),
    core(
        "what is in doubt is written",
        "partition",
        " or self.continuity.awaited is not None:\n",
        ":\n",
        "test_meter.py",
    ),
    core(
        "reading begins behind the batch that has to be met again",
        "partition",
        "        return self.next_offset - again\n",
        "        return self.next_offset\n",
        "test_meter.py",
    ),
    recovery(
        "a batch that retention took has to be met again",
        "            checkpoint = replace(checkpoint, last_batch=None)\n",
        "            pass\n",
    ),
    meter(
        "ids that were taken are written by no flush",
        "                await self._ids.call(partial(write_ids, unwritten))\n        self._make",
        "                pass\n        self._make",
    ),
    meter(
        "a flush cancelled while ids are written keeps its states",
        """\
            try:
                with traces.span(
                    "flush",
""",
        """\
            if unwritten:
                await self._ids.call(partial(write_ids, unwritten))
                unwritten = []
            try:
                with traces.span(
                    "flush",
""",
    ),
    meter(
        "ids read again are written only where rows are",
        "                unwritten = self._unwritten_ids()\n",
        "                unwritten = self._unwritten_ids() if taken else []\n",
    ),
    meter(
        "runs are merged once a turn",
        "                if not await self._tidier.call(partial(state.seen.tidy, state.settled)):\n"
        "                    break\n",
        "                await self._tidier.call(partial(state.seen.tidy, state.settled))\n"
        "                break\n",
    ),
    meter(
        "an abandoned recovery keeps its places of ids",
        "                    handover.refuse()\n                    raise\n",
        "                    raise\n",
    ),
    meter(
        "a dropped state keeps its place of ids",
        "            if state is not None:\n                state.seen.close()\n",
        "",
    ),
    meter(
        "reading counts as standing still while the database is away",
        "return away or not self._room.is_set() or self._batch_lock.locked()",
        "return not self._room.is_set() or self._batch_lock.locked()",
    ),
    meter(
        "memory for ids has no end",
        "        elif self._too_many_ids:\n",
        "        elif False:\n",
    ),
    meter(
        "nothing is read while what filled the room is written",
        "            self.full.clear()\n            self._open_room()\n            # Where",
        "            # Where",
    ),
    meter(
        "a flush that ends lets read on, though there is a full room again",
        "if not self._too_many_ids and not self.full.is_set():",
        "if not self._too_many_ids:",
    ),
    meter(
        "room for ids lets nobody read on",
        "            state.seen.make_room(share)\n        self._open_room()\n",
        "            state.seen.make_room(share)\n",
    ),
    meter(
        "partitions that went elsewhere are kept",
        "            self.drop(set(self.states) - set(partitions))\n",
        "",
    ),
    meter(
        "the log is not looked at before a flush",
        "        if self._check_log is not None:\n",
        "        if False:\n",
    ),
    meter(
        "the log is looked at before the snapshot",
        """\
            async with self._batch_lock:
                taken = self._snapshots()
                unwritten = self._unwritten_ids()
""",
        """\
            if self._check_log is not None:
                await self._check_log()
                self._check_log = None
            async with self._batch_lock:
                taken = self._snapshots()
                unwritten = self._unwritten_ids()
""",
    ),
    core(
        "ids are forgotten a millisecond too early",
        "timing",
        "        return max(\n",
        "        return -1 + max(\n",
    ),
    Bug(
        "a gap is not read again",
        f"{AGGREGATOR}/agent.py",
        "                    await app.seek_again()\n",
        "                    pass\n",
        ("test_agent.py",),
    ),
    Bug(
        "what a seek brings again is sought again",
        f"{AGGREGATOR}/agent.py",
        "if not whole and batch.epoch == app.consumer.epoch:",
        "if not whole:",
        ("test_agent.py",),
    ),
    Bug(
        "states that a recovery builds when nobody wants them any more stay open",
        f"{AGGREGATOR}/handover.py",
        "            if self._refused:\n",
        "            if False:\n",
        ("test_handover.py",),
    ),
    Bug(
        "what was fetched and dropped is not fetched again",
        f"{AGGREGATOR}/kafka/transport.py",
        "        if not self._dropped:\n            return\n",
        "        if True:\n            return\n",
        ("kafka/test_transport.py",),
    ),
    # The disk of ids.
    store(
        "ids lost on disk are not read again",
        "agent",
        "                await app.read_ids_again(batch.tp.partition, error)\n",
        "                continue\n",
        "test_agent.py",
    ),
    store(
        "ids that the disk refused count as written",
        "storage/seen_store",
        "WRITE_REST_SECONDS)\n            return False\n",
        "WRITE_REST_SECONDS)\n            return True\n",
        "storage/test_seen_store.py::test_with_no_file_handle_left_ids_stay_in_memory",
    ),
    store(
        "a place that lost ids is used again",
        "storage/seen_store",
        "            self._spoilt.add(place.path)\n",
        "            pass\n",
        "storage/test_seen_store.py::test_a_run_that_cannot_be_read_nor_deleted_is_passed_by",
    ),
    store(
        "a folder of another owner is written to",
        "storage/seen_place",
        "        if not there:\n            raise PlaceGoneFault",
        "        if False:\n            raise PlaceGoneFault",
        "storage/test_seen_place.py::test_in_a_folder_recreated_nothing_is_touched",
    ),
    store(
        "a merged run takes the place of runs that came meanwhile",
        "storage/seen_place",
        "            left = [run for run in self.runs if run not in gone]\n",
        "            left = []\n",
        "storage/test_seen_place.py::test_runs_written_while_others_are_merged_are_kept",
    ),
    store(
        "blocks are believed as they are read",
        "storage/run_format",
        "    if seals_of(blocks, numbers, token) != blocks",
        "    if False and seals_of(blocks, numbers, token) != blocks",
        "storage/test_run_file.py::test_damage_anywhere_is_noticed_before_it_is_believed",
    ),
    store(
        "an id is looked for in one block only",
        "storage/run_file",
        '        counts = np.searchsorted(self._fence, high[asked], "right") - first\n',
        "        counts = np.ones(len(first), np.int64)\n",
        "storage/test_run_file.py",
    ),
    store(
        "what may not be on disk is not looked at",
        "storage/run_file",
        "        if not run.described.synced:\n",
        "        if False:\n",
        "storage/test_run_file.py",
    ),
    store(
        "a run of another log is ours",
        "storage/seen_place",
        "        return run if is_ours else None\n",
        "        return run\n",
        "storage/test_seen_place.py",
    ),
    store(
        "a run that was overtaken is written",
        "storage/seen_place",
        "        if self.end is not None and sightings.begin.offset < self.end.offset:\n",
        "        if False:\n",
        "storage/test_seen_place.py::test_a_run_that_was_overtaken_is_not_written",
    ),
    Bug(
        "of merged runs the older counts",
        f"{AGGREGATOR}/arrays/sorted_ids.py",
        "    older = np.append(alike & (low[1:] == low[:-1]), False)\n",
        "    older = np.append(False, alike & (low[1:] == low[:-1]))\n",
        ("arrays/test_sorted_ids.py",),
    ),
    flush(
        "checkpoint before its rows",
        '        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)\n'
        '        await persist("insert checkpoints", lambda: self.insert_checkpoints(snapshots),'
        " abandoned)\n",
        '        await persist("insert checkpoints", lambda: self.insert_checkpoints(snapshots),'
        " abandoned)\n"
        '        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)\n',
    ),
    flush(
        "checkpoint although the rows were refused",
        '        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)\n',
        "        try:\n            await self.insert_rows(snapshots)\n"
        "        except Exception:\n            pass\n",
    ),
    flush(
        "rows are not inserted",
        '        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)\n',
        "",
    ),
    flush(
        "no look at whether the database went back",
        "        if stored.get(partition, 0) < offset:\n",
        "        if False:\n",
    ),
    flush(
        "a level checkpoint counts as gone back",
        "        if stored.get(partition, 0) < offset:\n",
        "        if stored.get(partition, 0) <= offset:\n",
    ),
    # Recovery.
    recovery(
        "log ends are asked before checkpoints",
        "    rules, begins = sink.read_rules(partitions), sink.read_starts(partitions)\n",
        "    ends = offsets.ends(partitions)\n"
        "    rules, begins = sink.read_rules(partitions), sink.read_starts(partitions)\n",
    ),
    recovery(
        "a partition never metered begins where the log does",
        "        begin = begins[partition]\n",
        "        begin = starts[partition]\n",
    ),
    recovery(
        "events lost are not noticed",
        "    if start > checkpoint.next_offset:\n",
        "    if start > checkpoint.next_offset + 10**9:\n",
    ),
    recovery(
        "a checkpoint beyond the log's end is taken",
        "    if checkpoint.next_offset > end:\n",
        "    if checkpoint.next_offset > end + 10**9:\n",
    ),
    recovery(
        "what a clock behind saw is not read again",
        "    return Beginning(start, checkpoint.last_append_ms)\n",
        "    return Beginning(end, lowest_ms)\n",
    ),
    recovery(
        "what a clock behind saw bears the times of that clock",
        "    return Beginning(start, checkpoint.last_append_ms)\n",
        "    return Beginning(start, lowest_ms)\n",
    ),
    recovery(
        "that nothing was found is taken for a fact",
        "    if checkpoint.last_append_ms > lowest_ms and start <= checkpoint.start_offset:\n",
        "    if False:\n",
    ),
    recovery(
        "runs that end before the log begins say where to read",
        "        if end is not None and end.offset >= start:\n",
        "        if end is not None:\n",
    ),
    recovery(
        "log time begins anew where the runs end",
        "Beginning(end.offset, end.log_ms)",
        "Beginning(end.offset, 0)",
    ),
    recovery(
        "log time falls behind runs whose end the log has lost",
        "floor_ms if end is None else max(floor_ms, end.log_ms)",
        "floor_ms",
    ),
    recovery(
        "what is read by its time says that nothing came before",
        "            max(lowest_ms, asked.get(partition, 0)),\n",
        "            lowest_ms,\n",
    ),
    recovery(
        "ids of the log before are read though runs have them",
        "        if store.end is None and past_ms",
        "        if past_ms",
    ),
    recovery(
        "a log's own beginning is one though ids of the log before matter",
        "BEFORE_INHERITED if inherits else starts[partition]",
        "starts[partition]",
    ),
    recovery(
        "ids of the log before are no run of their own",
        "        seen[number].write()\n",
        "        pass\n",
    ),
    recovery(
        "a stale replica is believed",
        "        if offset > checkpoints[partition].next_offset\n",
        "        if offset > checkpoints[partition].next_offset + 10**9\n",
    ),
    recovery(
        "two rows that disagree are taken",
        "    if contradiction is not None:\n",
        "    if contradiction is not None and False:\n",
    ),
    recovery(
        "stores stay open where a recovery fails",
        "        for store in stores.values():\n            store.close()\n        raise\n",
        "        raise\n",
    ),
    # Watchdog and log offsets.
    Bug(
        "commits of another log are believed",
        f"{AGGREGATOR}/kafka/log_offsets.py",
        'if commit.metadata in ("", self._log.name)',
        "if True",
        ("kafka/test_log_offsets.py",),
    ),
    Bug(
        "partitions of ours without a state are not seen",
        f"{AGGREGATOR}/watchdog.py",
        "{**dict.fromkeys(owned, waiting), **app.meter.positions()}",
        "app.meter.positions()",
        ("test_watchdog.py",),
    ),
    Bug(
        "a topic recreated is not seen",
        f"{AGGREGATOR}/watchdog.py",
        "            check_same(app.log_read, now)\n",
        "",
        ("test_watchdog.py",),
    ),
    Bug(
        "a partition taken away ends the worker",
        f"{AGGREGATOR}/kafka/transport.py",
        "        except (AssertionError, AttributeError, IllegalStateError):\n",
        "        except ZeroDivisionError:\n",
        ("kafka/test_transport.py",),
    ),
    Bug(
        "reading goes on during a recovery",
        f"{AGGREGATOR}/app.py",
        "        self.consumer.stop_flow()\n        await self.recover()\n",
        "        await self.recover()\n",
        ("test_app.py",),
    ),
    Bug(
        "commits without their log",
        f"{AGGREGATOR}/kafka/transport.py",
        "offset, self.consumer.log_name",
        'offset, ""',
        ("kafka/test_transport.py",),
    ),
    # The pure core.
    core(
        "log time is not taken up from the checkpoint",
        "partition",
        "        append_ms[fresh] = self.checkpoint.last_append_ms\n",
        "",
    ),
    core(
        "records below the checkpoint count",
        "partition",
        "        counts &= fresh\n",
        "",
    ),
    core(
        "dead letters below the checkpoint are written again",
        "partition",
        "            if letter.offset >= self.checkpoint.next_offset:\n",
        "            if True:\n",
    ),
    core(
        "records already read are read again",
        "partition",
        "        start = int(np.searchsorted(records.offsets, self.next_offset))\n",
        "        start = 0\n",
    ),
    core(
        "the skip rule is off",
        "partition",
        "            if missing is not None:\n",
        "            if False:\n",
    ),
    core(
        "a slice level with an event is skipped",
        "slices",
        "        return held_below <= offsets\n",
        "        return held_below < offsets\n",
    ),
    core(
        "what was looked up and is not there is asked for again",
        "slices",
        "    def learn_absent(self, keys: Ints) -> None:\n"
        '        """Note that slices of old windows were looked up and do not exist."""\n'
        "        self._place(keys)\n",
        "    def learn_absent(self, keys: Ints) -> None:\n"
        '        """Note that slices of old windows were looked up and do not exist."""\n',
    ),
    core(
        "evicted slices are forgotten before they are written",
        "slices",
        " | self._dirty[:used]\n",
        "\n",
    ),
    core(
        "a total wraps",
        "slices",
        "        if grown.min() < 0:\n",
        "        if False:\n",
        "test_meter.py",
    ),
    core(
        "taken rows stay dirty",
        "slices",
        "        self._dirty[places] = False\n",
        "",
    ),
    core(
        "at the horizon it is still a duplicate",
        "dedup",
        "(first_ms - seen_ms < within_ms)",
        "(first_ms - seen_ms <= within_ms)",
    ),
    core(
        "what was taken for a run changes with what comes",
        "dedup",
        "        return Sightings(*self._recent.since(begin.offset), begin, end)\n",
        "        return Sightings(*self._recent.since(end.offset), begin, end)\n",
    ),
    core(
        "memory drops what no run has",
        "dedup",
        "keep_youngest(memory_max, self.written.offset)",
        "keep_youngest(memory_max, 1 << 60)",
    ),
    core(
        "what is forgotten and in no run leaves no gap",
        "dedup",
        "            self._begin = cuts.first\n",
        "            pass\n",
    ),
    core(
        "runs are asked for what memory has",
        "dedup",
        "            absent = np.flatnonzero(seen_ms < 0)\n",
        "            absent = np.arange(len(seen_ms))\n",
    ),
    core(
        "the next run begins anywhere but where the last one ended",
        "dedup",
        "return self._begin if end is None or end.offset < self._begin.offset else end",
        "return self._begin",
    ),
    core(
        "runs beyond the checkpoint are used",
        "runs",
        "if run.stretch.end.offset <= until]",
        "]",
    ),
    core(
        "a gap between runs is none",
        "runs",
        "    return run.stretch.end.offset == following.stretch.begin.offset\n",
        "    return True\n",
    ),
    core(
        "runs are used whatever came before them",
        "runs",
        "        if run.stretch.begin.log_ms <= settled.past_ms or",
        "        if True or",
    ),
    core(
        "inherited ids are of use in part",
        "runs",
        " if last.offset >= 0 and last.log_ms > settled.past_ms else []",
        " if last.log_ms > settled.past_ms else []",
    ),
    core(
        "what is read again is read from long ago",
        "runs",
        " and last.log_ms > settled.past_ms else []",
        " else []",
    ),
    core(
        "what was inherited is merged with what was not",
        "runs",
        "before.end.offset != run.begin.offset or inherits",
        "before.end.offset != run.begin.offset",
    ),
    core(
        "a run is told from no cut",
        "partition",
        "        self.seen.cut(self.next_offset, self._log_time.last_ms)\n        return",
        "        return",
    ),
    core(
        "too old by one is accepted",
        "timing",
        "    if append_ms - time_ms > rules.too_old_ms:\n",
        "    if append_ms - time_ms > rules.too_old_ms + 1:\n",
    ),
    core(
        "a clock that steps makes resends count",
        "timing",
        "    return rules.dedup_horizon_ms + CLOCK_STEP_MAX_MS\n",
        "    return rules.dedup_horizon_ms\n",
        "core/test_partition.py",
    ),
    # How many series.
    core(
        "names without tokens take room from others",
        "series_limit",
        "limit = rules.series_max if needs == _USED else rules.unused_series_max\n",
        "limit = rules.series_max\n",
    ),
    core(
        "one series too many",
        "series_limit",
        "            if self._counts[needs] >= limit:\n",
        "            if self._counts[needs] > limit:\n",
    ),
    core(
        "a name that gets tokens keeps its room among those without",
        "series_limit",
        "            self._counts[held] -= 1\n",
        "",
    ),
    recovery(
        "a series is admitted before the event that does it is read",
        "if one.offset < checkpoint.next_offset]\n",
        "]\n",
    ),
    recovery(
        "registers of before there was a limit are not written down",
        "        sink.write_admissions(partition, older)\n",
        "",
    ),
    core(
        "standing still is never noticed",
        "watch",
        "            if now_seconds - standing.since_seconds > self._patience_seconds\n",
        "            if False\n",
    ),
    # Copies of runs.
    store(
        "a piece of a copy that was changed is believed",
        "storage/copy_pieces",
        "        if seal_of(copied.token, number, piece) != seal:\n",
        "        if False:\n",
        "storage/test_copy_pieces.py",
    ),
    store(
        "a copy that is cut off is believed",
        "storage/copy_pieces",
        "    if size != copied.file_bytes:\n",
        "    if False:\n",
        "storage/test_copy_pieces.py",
    ),
    store(
        "what came last is copied when something comes behind it",
        "storage/id_copies",
        "max(now_ms, settled.log_ms) - self._lag_ms\n",
        "settled.log_ms - self._lag_ms\n",
        "storage/test_id_copies.py",
    ),
    store(
        "copies go before what they are of matters no more",
        "storage/id_copies",
        "run.stretch.end.log_ms - settled.past_ms + CLOCK_STEP_MAX_MS\n",
        "run.stretch.end.log_ms - settled.past_ms\n",
        "storage/test_id_copies.py",
    ),
    store(
        "copying goes on when the partition went elsewhere",
        "storage/seen_store",
        "            return write(run, lambda: self.closed)\n",
        "            return write(run, lambda: False)\n",
        "storage/test_id_copies.py",
    ),
    store(
        "fetching copies counts as a standstill",
        "storage/id_copies",
        "            self._copies.progress += 1\n",
        "",
        "storage/test_id_copies.py",
    ),
    store(
        "copies are fetched for a partition that went elsewhere",
        "storage/id_copies",
        "            if self._abandoned():\n",
        "            if False:\n",
        "storage/test_id_copies.py",
    ),
    core(
        "a run is copied where others are, however these join",
        "run_copies",
        "        elif id(run) in wanted and (",
        "        elif not copies and (",
    ),
    core(
        "copies that end before the log begins are as good",
        "run_copies",
        "        return end >= start, back,",
        "        return True, back,",
    ),
    core(
        "a merged run is never copied once more",
        "run_copies",
        "            if count >= REPLACED_MIN and ",
        "            if False and ",
    ),
    core(
        "what is fetched is not weighed against what is read",
        "run_copies",
        "cheap - IDS_A_RECORD * (settled.offset - end)\n",
        "-IDS_A_RECORD * (settled.offset - end)\n",
    ),
)
